/* SPDX-License-Identifier: Apache-2.0
 * there.h - is a user there? What the registry names, what the named edges say, and which edges were lost a moment ago, put together (pure;
 * R28).
 *
 * The registry says where he had a session last, not whether he is still connected: writing that down for everybody would cost a write for
 * each connection that ends. His edge knows it, and is asked; an edge that cannot be asked any more is forgiven for as long as a connection
 * that ended. So nobody is offline for less than the grace, and nobody online for longer than that and the time it takes to miss an edge.
 * Owner: presence.c. */
#pragma once

#include <meridian/base.h>

#include "region-router/limits.h"
#include "region-router/place.h"

enum router_there_verdict { ROUTER_THERE_WAIT, ROUTER_THERE_ONLINE, ROUTER_THERE_OFFLINE, ROUTER_THERE_NOT_KNOWN };

struct router_there { /* edges whose link went down lately: a ring; of more at once the first ones are forgiven for a shorter time */
    struct {
        char incarnation[ROUTER_NAME_BYTES];
        uint64_t at_ms; /* 0: free */
    } lost[ROUTER_PRESENCE_LOST];
    unsigned next;
    uint64_t born_ms;
};

struct router_there_case { /* one question; zeroed: nobody is named */
    uint16_t asked;        /* edges that have not answered */
    bool forgiven;         /* an edge was lost a moment ago */
    bool stranger;         /* or we are too young to know that it was not */
};

void router_there_init(struct router_there *t, uint64_t now_ms);
void router_there_lose(struct router_there *t, const char *incarnation, uint64_t now_ms);
/* The registry names this edge. True: it is linked, and is to be asked. Each at most once a question. */
bool router_there_name(const struct router_there *t, struct router_there_case *c, const char *incarnation, bool linked, uint64_t now_ms);
/* When all are named, and again after each answer; anything but WAIT ends the question. */
enum router_there_verdict router_there_verdict(const struct router_there_case *c);
enum router_there_verdict router_there_said(struct router_there_case *c, bool here);
/* Who was asked does not answer: what the registry says, until his link is missed. */
enum router_there_verdict router_there_late(const struct router_there_case *c);
