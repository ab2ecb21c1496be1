/* SPDX-License-Identifier: Apache-2.0
 * claims.h - taking over the games of a dead edge, slice by slice, on the word of the router's leader (architecture section 4, Claims).
 * Games whose players came back first are here already. */
#pragma once

#include "edge/game/host.h"

struct edge_claims;

MER_MUST_CHECK enum mer_err edge_claims_create(struct edge_claims **out, const struct edge_host_conf *conf, struct edge_host *host);
/* After the store's last callback. */
void edge_claims_destroy(struct edge_claims *c);
