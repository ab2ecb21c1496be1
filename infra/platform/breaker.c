/* SPDX-License-Identifier: Apache-2.0
 * breaker.c - see breaker.h. What moves it: allows (TIME: probe_ms are over), success, failure (LIMIT: it was one too many). */
#include <meridian/breaker.h>

enum event { TIME, SUCCESS, FAILURE, LIMIT, NEVENTS };

static const uint8_t next[MER_BREAKER_NSTATES][NEVENTS] = {
    /*                         TIME                 SUCCESS             FAILURE             LIMIT */
    [MER_BREAKER_CLOSED] = {MER_BREAKER_CLOSED, MER_BREAKER_CLOSED, MER_BREAKER_CLOSED, MER_BREAKER_OPEN},
    [MER_BREAKER_OPEN] = {MER_BREAKER_PROBING, MER_BREAKER_CLOSED, MER_BREAKER_OPEN, MER_BREAKER_OPEN},
    [MER_BREAKER_PROBING] = {MER_BREAKER_PROBING, MER_BREAKER_CLOSED, MER_BREAKER_OPEN, MER_BREAKER_OPEN},
};

static void move(struct mer_breaker *b, enum event e, uint64_t now_ms)
{
    uint8_t to = next[b->state][e];
    if (to != b->state)
        b->since_ms = now_ms;
    b->state = to;
}

void mer_breaker_init(struct mer_breaker *b)
{
    *b = (struct mer_breaker){.state = MER_BREAKER_CLOSED};
}

bool mer_breaker_allows(struct mer_breaker *b, struct mer_breaker_rule rule, uint64_t now_ms)
{
    if (b->state == MER_BREAKER_CLOSED)
        return true;
    if (now_ms - b->since_ms < rule.probe_ms)
        return false;
    move(b, TIME, now_ms);
    b->since_ms = now_ms; /* of the probe, when there was one before that said nothing */
    return true;
}

void mer_breaker_success(struct mer_breaker *b, uint64_t now_ms)
{
    b->failures = 0;
    move(b, SUCCESS, now_ms);
}

bool mer_breaker_failure(struct mer_breaker *b, struct mer_breaker_rule rule, uint64_t now_ms)
{
    bool closed = b->state == MER_BREAKER_CLOSED;
    if (b->failures < UINT32_MAX)
        b->failures++;
    move(b, b->failures >= rule.failures ? LIMIT : FAILURE, now_ms);
    return closed && b->state == MER_BREAKER_OPEN;
}
