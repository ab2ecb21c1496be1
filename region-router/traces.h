/* SPDX-License-Identifier: Apache-2.0
 * traces.h - the traces of tickets (pure; decision 27): for each ticket that is traced the span `match`, from its coming until a match is
 * made or it is lent to another region's, and again from there when that is undone. Beside the tickets and not in them: millions wait, of
 * which few are traced.
 *
 * A router that tells nothing itself keeps what came with a ticket and passes it on. */
#pragma once

#include <meridian/map.h>
#include <meridian/trace.h>

enum {
    ROUTER_TRACES_MAX = 4096
}; /* tickets at once, half a MiB; no special reason. What is beyond is not traced, and counted as dropped */

struct router_matcher;
struct router_match;
struct router_ticket;

struct router_traces {
    struct mer_tracer *tracer; /* NULL: nothing is told here */
    struct mer_map by_ticket;  /* of struct router_trace */
};

void router_traces_init(struct router_traces *ts, struct mer_tracer *tracer, const uint64_t seed[2]);
/* What is there is not told. */
void router_traces_deinit(struct router_traces *ts);

/* All of these but the first do nothing for a ticket without `traced`; where millions come by, callers look at that themselves. */

/* A ticket that is new here came with this. */
void router__trace_open(struct router_matcher *m, struct router_ticket *t, const struct mer_trace_context *from);
/* What goes on with it; NULL: it is not traced. Valid until the ticket is dropped. */
const struct mer_trace_context *router__trace_of(const struct router_matcher *m, const struct router_ticket *t);
/* The span ends: a seat in a match of ours, or of another region's, is offered to it. */
void router__trace_matched(const struct router_matcher *m, const struct router_ticket *t, const struct router_match *x);
void router__trace_lent(const struct router_matcher *m, const struct router_ticket *t, const char *match, const char *region);
/* It came to nothing: the next one begins. */
void router__trace_again(const struct router_matcher *m, const struct router_ticket *t);
/* The ticket ends; `how` tells it where its span has not ended yet. */
void router__trace_drop(struct router_matcher *m, struct router_ticket *t, const char *how);
