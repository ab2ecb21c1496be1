/* SPDX-License-Identifier: Apache-2.0
 * wish.h - what an operator asks of the agent, as the query of POST /wish (pure). */
#pragma once

#include "geo/journal.h"

enum { GEO_WISH_OVER_MAX_MS = 24 * 3600 * 1000, GEO_WISH_BY_BYTES = 65, GEO_WISH_REASON_BYTES = 201 /* with the NUL */ };

/* What holds for a region: the operator's override at the agent, else what the region itself says (`told`). wall_ms and now_ms are the same
 * moment. */
void geo_wish_of(const struct geo_wished *wished, const struct geo_wished *told, uint64_t wall_ms, uint64_t now_ms, struct geo_wish *out);
/* Its time is over. */
bool geo_wish_is_over(const struct geo_wished *w, uint64_t wall_ms);

/* region=eu&wish=drain&over_ms=900000&reason=new+kernel&by=ana: percent encoding and + as in forms. A reason and a name are wanted always;
 * over_ms with a drain only, 0 when left out. MER_EINVALID with msg. w->at_ms is the caller's to set. */
MER_MUST_CHECK enum mer_err geo_wish_parse(const char *query, const struct geo_footprint *f, uint32_t *region, struct geo_wished *w,
                                           struct mer_msg *msg);
