/* SPDX-License-Identifier: Apache-2.0
 * breaker.h - stops asking somebody who does not answer (R25): callers are refused at once instead of each waiting out a time-out, and the
 * one who is in trouble is not asked by a crowd when he comes back. Pure.
 *
 *             so many failures in a row            a second later, one asks
 *   CLOSED ----------------------------> OPEN -----------------------------> PROBING
 *      ^                                   ^                                  |   |
 *      +---------------- success ----------|----------------------------------+   |
 *                                          +------------- failure, or no word ----+ */
#pragma once

#include <meridian/base.h>

#define MER_BREAKER_STATES(X) X(CLOSED) X(OPEN) X(PROBING)
#define X(name) MER_BREAKER_##name,
enum mer_breaker_state { MER_BREAKER_STATES(X) MER_BREAKER_NSTATES };
#undef X

struct mer_breaker_rule {
    uint32_t failures; /* in a row; 1 or more */
    uint32_t probe_ms; /* between probes */
};
struct mer_breaker {
    uint64_t since_ms; /* of the state */
    uint32_t failures;
    uint8_t state;
};

void mer_breaker_init(struct mer_breaker *b);
/* May a call be made now? When it is open one call in probe_ms may, the probe; its outcome must be told, or the next probe is due. */
bool mer_breaker_allows(struct mer_breaker *b, struct mer_breaker_rule rule, uint64_t now_ms);
/* A call was answered, whatever the answer; one that was made before it opened counts, too. */
void mer_breaker_success(struct mer_breaker *b, uint64_t now_ms);
/* A call was not answered in time. True: it opened by this. */
bool mer_breaker_failure(struct mer_breaker *b, struct mer_breaker_rule rule, uint64_t now_ms);
