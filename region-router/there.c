/* SPDX-License-Identifier: Apache-2.0
 * there.c - see there.h. */
#include "region-router/there.h"

#include <stdio.h>
#include <string.h>

void router_there_init(struct router_there *t, uint64_t now_ms)
{
    memset(t, 0, sizeof *t);
    t->born_ms = now_ms;
}

void router_there_lose(struct router_there *t, const char *incarnation, uint64_t now_ms)
{
    snprintf(t->lost[t->next].incarnation, sizeof t->lost[0].incarnation, "%s", incarnation);
    t->lost[t->next].at_ms = now_ms;
    t->next = (t->next + 1) % ROUTER_PRESENCE_LOST;
}

static bool lost_lately(const struct router_there *t, const char *incarnation, uint64_t now_ms)
{
    for (unsigned i = 0; i < ROUTER_PRESENCE_LOST; i++)
        if (t->lost[i].at_ms != 0 && now_ms - t->lost[i].at_ms < ROUTER_PRESENCE_GRACE_MS &&
            strcmp(t->lost[i].incarnation, incarnation) == 0)
            return true;
    return false;
}

bool router_there_name(const struct router_there *t, struct router_there_case *c, const char *incarnation, bool linked, uint64_t now_ms)
{
    if (linked)
        c->asked++;
    else if (lost_lately(t, incarnation, now_ms))
        c->forgiven = true;
    else if (now_ms - t->born_ms < ROUTER_PRESENCE_GRACE_MS)
        c->stranger = true;
    return linked;
}

enum router_there_verdict router_there_verdict(const struct router_there_case *c)
{
    if (c->asked > 0)
        return ROUTER_THERE_WAIT;
    if (c->forgiven)
        return ROUTER_THERE_ONLINE;
    return c->stranger ? ROUTER_THERE_NOT_KNOWN : ROUTER_THERE_OFFLINE;
}

enum router_there_verdict router_there_said(struct router_there_case *c, bool here)
{
    if (here)
        return ROUTER_THERE_ONLINE;
    if (c->asked > 0)
        c->asked--;
    return router_there_verdict(c);
}

enum router_there_verdict router_there_late(const struct router_there_case *c)
{
    return c->asked > 0 ? ROUTER_THERE_ONLINE : router_there_verdict(c);
}
