/* SPDX-License-Identifier: Apache-2.0
 * utf8.h - UTF-8 (RFC 3629) checked as it comes, in pieces of any size; wrong at the first byte that cannot go on. Pure. */
#pragma once

#include <meridian/base.h>

struct edge_utf8 {  /* zero: between characters */
    uint8_t need;   /* continuation bytes still to come */
    uint8_t lo, hi; /* range of the next one */
};

/* False at a byte that cannot be there; the state is of no use afterwards. */
bool edge_utf8_feed(struct edge_utf8 *u, const uint8_t *p, size_t n);
/* Not in the middle of a character. */
static inline bool edge_utf8_done(const struct edge_utf8 *u)
{
    return u->need == 0;
}
