/* SPDX-License-Identifier: Apache-2.0
 * told.h - an event of an inbox (state.v1.Event) as its user is told of it. Pure. What is read was perhaps written by another version. */
#pragma once

#include <meridian/base.h>

#include "meridian/client/v1/client.pb-c.h"
#include "meridian/state/v1/state.pb-c.h"

enum { EDGE_TOLD_SEATS = 4 /* of a game */ };

struct edge_told_place { /* in the inbox */
    uint64_t seq, settled;
};

struct edge_told {
    Meridian__State__V1__Event *event; /* what the message borrows from */
    Meridian__Client__V1__ServerMessage message;
    union {
        Meridian__Client__V1__DirectMessage text;
        Meridian__Client__V1__MessageUndelivered undelivered;
        Meridian__Client__V1__GameResult result;
    };
    Meridian__Client__V1__Player player[EDGE_TOLD_SEATS], *players[EDGE_TOLD_SEATS];
};

/* false: it is no event, or none that this version can tell; there is nothing to free. */
bool edge_told_make(struct edge_told *t, const void *packed, size_t len, const struct edge_told_place *at);
void edge_told_free(struct edge_told *t);
