/* SPDX-License-Identifier: Apache-2.0
 * control_private.h - what the parts of control.h share: control.c (links, answering), control_tell.c (what this process knows),
 * control_store.c (players and games, as Redis has them), control_order.c (what changes something). */
#pragma once

#include <meridian/id.h>
#include <meridian/list.h>

#include "region-router/app.h"
#include "region-router/region_view.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define ANSWER(x) MERIDIAN__CONTROL__V1__ANSWER__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x

enum { ROUTER_CONTROL_ASKED, ROUTER_CONTROL_BAD, ROUTER_CONTROL_REFUSED, ROUTER_CONTROL_DONE, ROUTER_CONTROL_FAILED, ROUTER_CONTROL_COUNT };

struct router_control {
    struct router_app *app;
    struct mer_links *links;
    struct mer_list waiting; /* for Redis: control_store.c */
    uint32_t waiting_count;
    struct mer_list orders; /* being done: control_order.c */
    uint32_t order_count;
    uint64_t journal_last; /* number that was given out, or seen */
    uint8_t *scratch;
    uint64_t values[ROUTER_CONTROL_COUNT];
    struct mer_metric_set set;
};

/* control.c. `answer->leader` is filled in. */
void router__control_answer(struct router_control *c, struct mer_link *l, CV1(Answer) * answer);
/* An answer of nothing but a code, and why. */
static inline void router__control_say(struct router_control *c, struct mer_link *l, uint64_t id, CV1(AnswerCode) code, const char *why)
{
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    a.id = id;
    a.code = code;
    a.why = (char *)why;
    router__control_answer(c, l, &a);
}

/* control_tell.c */
void router__control_tell_router(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask);
void router__control_tell_ticket(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask);
void router__control_tell_regions(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask);
/* One region's row; `d` is where its drain goes. Borrows from the view. */
void router__control_tell_region(const struct router_region_view *v, bool leading, CV1(RegionState) * r, CV1(DrainState) * d);
void router__control_tell_outbox(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask);

/* control_store.c: answered later, unless the link is gone by then. */
void router__control_store_ask(struct router_control *c, struct mer_link *l, uint64_t id, bool game, const char *name);
void router__control_store_gone(struct router_control *c, const struct mer_link *l);

void router__control_store_journal(struct router_control *c, struct mer_link *l, uint64_t id);

/* control_order.c: `ask` changes something (router_ask_changes). Answered when it is done, or refused. */
void router__control_order(struct router_control *c, struct mer_link *l, const CV1(Ask) * ask);
void router__control_orders_gone(struct router_control *c, const struct mer_link *l);
void router__control_orders_drop(struct router_control *c);
