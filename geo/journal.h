/* SPDX-License-Identifier: Apache-2.0
 * journal.h - who was taken out of DNS, when and why, and what operators wished: a JSON object a line, appended and synced. What was wished
 * last for each region is read back at start, so a drain goes on over a restart of the agent, and a wish outlives it.
 *
 *   {"atMs": 1790000000000, "event": "wish", "region": "eu", "wish": "drain", "overMs": 900000, "reason": "maintenance", "by": "ana"}
 *   {"atMs": 1790000000000, "event": "region", "region": "asia", "wish": "drain", ...}
 *   {"atMs": 1790000000000, "event": "answer", "region": "eu", "out": true, "share": 0, "to": null, "why": "probe: connection refused"} */
#pragma once

#include "geo/policy.h"

enum geo_wish_kind { GEO_WISH_NOTHING, GEO_WISH_DRAIN, GEO_WISH_FORCE_IN, GEO_WISH_SHARE, GEO_WISH_KINDS };
extern const char *const geo_wish_names[GEO_WISH_KINDS];

struct geo_wished { /* in wall time, as it stands in the journal */
    enum geo_wish_kind kind;
    uint64_t at_ms, over_ms;
    uint64_t until_ms;         /* then it is nothing; 0: until another */
    uint32_t share;            /* percent; with GEO_WISH_SHARE */
    char reason[256], by[161]; /* by: and, in parentheses, who was seen to be there */
};

struct geo_journal;
/* Opens or creates the file and reads the wishes, and what regions said of their drains. A last line that was torn by a crash is cut
 * off; other lines that are none are MER_EINVALID: somebody edited it. */
MER_MUST_CHECK enum mer_err geo_journal_open(struct geo_journal **out, const char *path, const struct geo_footprint *f,
                                             struct geo_wished *wished, struct geo_wished *told, struct mer_msg *msg);
/* MER_EIO: not written; then it does not hold either. */
MER_MUST_CHECK enum mer_err geo_journal_wish(struct geo_journal *j, uint32_t region, const struct geo_wished *w);
/* The region's leader says that it is drained, or is not any more: kept, because the region may fall silent. */
MER_MUST_CHECK enum mer_err geo_journal_told(struct geo_journal *j, uint32_t region, const struct geo_wished *w);
MER_MUST_CHECK enum mer_err geo_journal_answer(struct geo_journal *j, uint64_t at_ms, const struct geo_policy *p, uint32_t region,
                                               const char *why);
void geo_journal_close(struct geo_journal *j);
