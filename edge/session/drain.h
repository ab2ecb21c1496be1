/* SPDX-License-Identifier: Apache-2.0
 * drain.h - the players' side of a drain (R22): every client is told when to come back, each at a time of his own, and closed then (1012).
 * The server spreads the closes, because client jitter alone does not. */
#pragma once

#include "edge/app.h"

struct edge_drain;

/* Tells every connected session now; the last is closed after spread_ms. A session that connects later (it was under way) is told when it
 * is seen, within a second. */
MER_MUST_CHECK enum mer_err edge_drain_start(struct edge_drain **out, struct edge_app *app, uint32_t spread_ms);
/* Nobody is closed any more: who is still connected stays. d may be NULL; destroyed. */
void edge_drain_cancel(struct edge_drain *d);
void edge_drain_destroy(struct edge_drain *d);
