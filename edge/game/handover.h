/* SPDX-License-Identifier: Apache-2.0
 * handover.h - a draining edge gives its games to others, one by one, while they are being played (R22).
 *
 *   LIVE --paced--> HANDING (takes no step) --target has claimed--> gone, its proxies are sent to the target
 *                      +--refused, silent for 2 s--> LIVE, verified against the store, tried again with the next target */
#pragma once

#include "edge/game/host.h"

struct edge_handover;

/* Both sides: every edge may be a target. */
MER_MUST_CHECK enum mer_err edge_handover_create(struct edge_handover **out, const struct edge_host_conf *conf, struct edge_host *host);
/* Start, or go on with newer targets (copied). per_second over all targets. Without targets nothing is given. */
void edge_handover_start(struct edge_handover *h, const char *const *targets, size_t count, uint32_t per_second);
/* No more are given, and this edge takes others' again. What is under way ends as it would have. */
void edge_handover_stop(struct edge_handover *h);
/* Not over, not given yet. */
uint32_t edge_handover_left(const struct edge_handover *h);
void edge_handover_destroy(struct edge_handover *h);
