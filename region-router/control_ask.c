/* SPDX-License-Identifier: Apache-2.0
 * control_ask.c - see control_ask.h. Operators are known, what they paste is not: every text is bounded here, once. */
#include "region-router/control_ask.h"

#include <string.h>

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

CV1(ControlMessage) * router_ask_read(const void *payload, size_t len)
{
    CV1(ControlMessage) *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    if (m == NULL || m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK)
        return m;
    meridian__control__v1__control_message__free_unpacked(m, NULL);
    return NULL;
}

static bool changes(const CV1(Ask) * ask)
{
    return ask->body_case == ASK(DRAIN_EDGE);
}

const char *router_ask_objection(const CV1(Ask) * ask)
{
    size_t by = strlen(ask->by);
    if (by == 0 || by > ROUTER_ASK_BY_MAX)
        return "say who asks: 1 to 64 bytes";
    if (ask->reason != NULL && strlen(ask->reason) > ROUTER_ASK_REASON_MAX)
        return "a reason has at most 255 bytes";
    if (changes(ask) && (ask->reason == NULL || ask->reason[0] == 0))
        return "what changes something needs a reason";
    return NULL;
}
