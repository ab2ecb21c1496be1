/* SPDX-License-Identifier: Apache-2.0
 * override.h - what an operator asks of the agent over a control link, looked at before anything is done (pure). */
#pragma once

#include "geo/journal.h"

#include "meridian/control/v1/control.pb-c.h"

enum { GEO_OVERRIDE_FOR_MIN_MS = 1000, GEO_OVERRIDE_FOR_MAX_MS = 7 * 24 * 3600 * 1000 };

/* The override that an ask without objection wants. MER_ENOTFOUND: no such region; MER_EINVALID: out of its bounds; msg says more.
 * w->until_ms is from now: the caller adds the time. */
MER_MUST_CHECK enum mer_err geo_override_read(const Meridian__Control__V1__Ask *ask, const struct geo_footprint *f, uint32_t *region,
                                              struct geo_wished *w, struct mer_msg *msg);
/* May it be done, with what else is wished (one a region, without it)? MER_EBUSY: too little of the world would stay in; msg says how
 * little. MER_OK: msg says what it does. */
MER_MUST_CHECK enum mer_err geo_override_check(const struct geo_policy *p, const struct geo_wish *wishes, uint32_t region,
                                               const struct geo_wished *w, bool force, struct mer_msg *msg);
