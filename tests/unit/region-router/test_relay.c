/* SPDX-License-Identifier: Apache-2.0
 * The relay's memory of what is on its way: every cell of the table, and what becomes of batches when reads fail, links go and answers lie.
 */
#include "unit.h"

#include <meridian/event_limits.h>

#include "region-router/limits.h"
#include "region-router/relay.h"

enum { GENERATION = 1, SETTLED = 100, NONE = UINT32_MAX };

struct fix {
    struct router_relay relay;
    uint32_t read[MER_BUCKETS + 1]; /* asked for, in order */
    unsigned reads;
    uint32_t bytes; /* of each batch */
    uint64_t now;
};

static void read_cb(void *ctx, uint32_t bucket)
{
    struct fix *f = ctx;
    f->read[f->reads++] = bucket;
}

static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    struct router_relay_env env = {read_cb, f};
    router_relay_init(&f->relay, &env);
    f->now = 1000;
    f->bytes = ROUTER_RELAY_BYTES;
    router_relay_link(&f->relay, true, f->now);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void step(struct fix *f)
{
    router_relay_step(&f->relay, f->now);
    router_relay_check(&f->relay);
}

static void mark(struct fix *f, uint32_t bucket)
{
    router_relay_mark(&f->relay, bucket, NONE);
    step(f);
}

static void left(struct fix *f, uint32_t bucket, uint64_t count, uint64_t all)
{
    struct router_relay_batch b = {GENERATION, SETTLED, SETTLED + count, SETTLED + all, f->bytes};
    router_relay_left(&f->relay, bucket, &b, f->now);
    step(f);
}

static bool acked(struct fix *f, uint32_t bucket, uint64_t through)
{
    bool trim = router_relay_acked(&f->relay, bucket, GENERATION, through, f->now);
    step(f);
    return trim;
}

static void trimmed(struct fix *f, uint32_t bucket)
{
    router_relay_trimmed(&f->relay, bucket, f->now);
    step(f);
}

#define assert_bucket(f, b, s) assert_string_equal(router_relay_state_name((f)->relay.bucket[b].state), #s)

/* As the picture says it, written a second time. */
static void every_cell_is_as_drawn(void **state)
{
    (void)state;
    static const struct {
        enum router_relay_state from;
        enum router_relay_event on;
        enum router_relay_state to;
    } arrows[] = {
        {ROUTER_RELAY_CLEAN, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_READY},
        {ROUTER_RELAY_READY, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_READY},
        {ROUTER_RELAY_READY, ROUTER_RELAY_ON_GO, ROUTER_RELAY_READING},
        {ROUTER_RELAY_READING, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_READING},
        {ROUTER_RELAY_READING, ROUTER_RELAY_ON_LEFT, ROUTER_RELAY_SENT},
        {ROUTER_RELAY_READING, ROUTER_RELAY_ON_DONE, ROUTER_RELAY_CLEAN},
        {ROUTER_RELAY_READING, ROUTER_RELAY_ON_MORE, ROUTER_RELAY_READY},
        {ROUTER_RELAY_READING, ROUTER_RELAY_ON_FAIL, ROUTER_RELAY_LATER},
        {ROUTER_RELAY_SENT, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_SENT},
        {ROUTER_RELAY_SENT, ROUTER_RELAY_ON_TAKEN, ROUTER_RELAY_TRIMMING},
        {ROUTER_RELAY_SENT, ROUTER_RELAY_ON_FAIL, ROUTER_RELAY_LATER},
        {ROUTER_RELAY_TRIMMING, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_TRIMMING},
        {ROUTER_RELAY_TRIMMING, ROUTER_RELAY_ON_DONE, ROUTER_RELAY_CLEAN},
        {ROUTER_RELAY_TRIMMING, ROUTER_RELAY_ON_MORE, ROUTER_RELAY_READY},
        {ROUTER_RELAY_TRIMMING, ROUTER_RELAY_ON_FAIL, ROUTER_RELAY_LATER},
        {ROUTER_RELAY_LATER, ROUTER_RELAY_ON_MARK, ROUTER_RELAY_LATER},
        {ROUTER_RELAY_LATER, ROUTER_RELAY_ON_DUE, ROUTER_RELAY_READY},
    };
    unsigned seen = 0;
    for (int s = 0; s < ROUTER_RELAY_NSTATES; s++)
        for (int e = 0; e < ROUTER_RELAY_NEVENTS; e++) {
            enum router_relay_state want = ROUTER_RELAY_NSTATES;
            for (size_t i = 0; i < MER_COUNT(arrows); i++)
                if (arrows[i].from == (enum router_relay_state)s && arrows[i].on == (enum router_relay_event)e) {
                    want = arrows[i].to;
                    seen++;
                }
            assert_int_equal(router_relay_next((enum router_relay_state)s, (enum router_relay_event)e), want);
        }
    assert_int_equal(seen, MER_COUNT(arrows));
    assert_string_equal(router_relay_state_name(ROUTER_RELAY_NSTATES), "?");
}

static void a_batch_is_read_sent_acknowledged_and_trimmed(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    assert_int_equal(f->reads, 1);
    assert_int_equal(f->read[0], 7);
    left(f, 7, 3, 3);
    assert_bucket(f, 7, SENT);
    assert_int_equal(f->relay.waiting, 3);
    assert_true(acked(f, 7, SETTLED + 3));
    assert_bucket(f, 7, TRIMMING);
    trimmed(f, 7);
    assert_bucket(f, 7, CLEAN);
    assert_int_equal(f->relay.waiting, 0);
    assert_int_equal(f->relay.counts[ROUTER_R_EVENTS], 3);
}

static void what_did_not_fit_follows_at_once(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    left(f, 7, 3, 5);
    assert_true(acked(f, 7, SETTLED + 3));
    trimmed(f, 7);
    assert_int_equal(f->reads, 2);
    assert_bucket(f, 7, READING);
    assert_int_equal(f->relay.waiting, 2);
}

static void a_mark_while_it_is_busy_is_not_forgotten(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    mark(f, 7); /* after the outbox was asked for: what it says may be older */
    router_relay_empty(&f->relay, 7);
    step(f);
    assert_int_equal(f->reads, 2);
    left(f, 7, 1, 1);
    mark(f, 7);
    assert_true(acked(f, 7, SETTLED + 1));
    trimmed(f, 7);
    assert_int_equal(f->reads, 3);
    router_relay_empty(&f->relay, 7);
    step(f);
    assert_bucket(f, 7, CLEAN);
    assert_int_equal(f->reads, 3);
}

static void a_failed_read_is_tried_again_later_and_holds_up_nobody(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    router_relay_failed(&f->relay, 7, f->now);
    step(f);
    assert_bucket(f, 7, LATER);
    mark(f, 8);
    assert_int_equal(f->read[1], 8);
    f->now += ROUTER_RELAY_RETRY_MS - 1;
    step(f);
    assert_int_equal(f->reads, 2);
    f->now++;
    step(f);
    assert_int_equal(f->read[2], 7);
}

static void a_lost_link_sends_everything_again_and_nothing_meanwhile(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    mark(f, 8);
    left(f, 7, 2, 2);
    router_relay_link(&f->relay, false, f->now);
    assert_int_equal(f->relay.counts[ROUTER_R_LOST], 1);
    assert_false(acked(f, 7, SETTLED + 2)); /* of the life before */
    router_relay_failed(&f->relay, 8, f->now);
    f->now += 60000;
    step(f);
    assert_int_equal(f->reads, 2);
    router_relay_link(&f->relay, true, f->now);
    step(f);
    assert_int_equal(f->reads, 4);
}

static void a_batch_without_an_answer_is_given_up(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    left(f, 7, 2, 2);
    f->now += ROUTER_RELAY_ANSWER_MS;
    step(f);
    assert_bucket(f, 7, LATER);
    assert_int_equal(f->relay.counts[ROUTER_R_LOST], 1);
}

static void a_part_is_trimmed_and_the_rest_comes_later(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    left(f, 7, 5, 5);
    assert_true(acked(f, 7, SETTLED + 2));
    assert_int_equal(f->relay.bucket[7].acked_to, SETTLED + 2);
    trimmed(f, 7);
    assert_bucket(f, 7, LATER);
    assert_int_equal(f->relay.waiting, 3);
}

static void nothing_taken_is_a_failure(void **state)
{
    struct fix *f = *state;
    mark(f, 7);
    left(f, 7, 5, 5);
    assert_false(acked(f, 7, SETTLED));
    assert_bucket(f, 7, LATER);
}

static void hostile_answers_change_nothing(void **state)
{
    struct fix *f = *state;
    static const struct {
        uint32_t bucket;
        uint64_t generation, through;
    } lies[] = {
        {MER_BUCKETS, GENERATION, SETTLED + 1},
        {UINT32_MAX, GENERATION, SETTLED + 1},
        {8, GENERATION, SETTLED + 1},
        {7, GENERATION + 1, SETTLED + 1},
        {7, 0, SETTLED + 1},
        {7, GENERATION, SETTLED + 3},
        {7, GENERATION, UINT64_MAX},
        {7, GENERATION, SETTLED - 1},
        {7, GENERATION, 0},
    };
    mark(f, 7);
    left(f, 7, 2, 2);
    for (size_t i = 0; i < MER_COUNT(lies); i++) {
        assert_false(router_relay_acked(&f->relay, lies[i].bucket, lies[i].generation, lies[i].through, f->now));
        router_relay_check(&f->relay);
        assert_bucket(f, 7, SENT);
        assert_int_equal(f->relay.counts[ROUTER_R_STRAY], i + 1);
    }
    assert_true(acked(f, 7, SETTLED + 2));
    assert_false(acked(f, 7, SETTLED + 2)); /* twice */
}

static void no_more_than_a_window_is_on_its_way(void **state)
{
    struct fix *f = *state;
    enum { LARGE = ROUTER_RELAY_FLIGHT_BYTES / ROUTER_RELAY_BYTES };
    for (uint32_t b = 0; b < MER_BUCKETS; b++)
        mark(f, b);
    assert_int_equal(f->reads, LARGE);
    left(f, 0, 1, 1);
    assert_int_equal(f->reads, LARGE);
    assert_true(acked(f, 0, SETTLED + 1));
    assert_int_equal(f->reads, LARGE);
    trimmed(f, 0);
    assert_int_equal(f->reads, LARGE + 1);
}

static void small_batches_go_many_at_once(void **state)
{
    struct fix *f = *state;
    f->bytes = 100;
    for (uint32_t b = 0; b < MER_BUCKETS; b++)
        mark(f, b);
    for (unsigned i = 0; i < f->reads && f->relay.busy < ROUTER_RELAY_WINDOW; i++)
        left(f, f->read[i], 1, 1);
    assert_int_equal(f->relay.busy, ROUTER_RELAY_WINDOW);
    step(f);
    assert_int_equal(f->relay.busy, ROUTER_RELAY_WINDOW);
}

/* Random marks, failures, cuts and answers: what was marked is read in the end, and the sums hold after every step. */
static void whatever_happens_every_mark_is_read_in_the_end(void **state)
{
    struct fix *f = *state;
    uint32_t seed = 1;
    static bool owed[MER_BUCKETS];
    memset(owed, 0, sizeof owed);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t b = (seed >> 8) % 64;
        struct router_relay_bucket *k = &f->relay.bucket[b];
        f->now += (seed >> 20) % 50;
        f->reads = 0;
        if (k->state == ROUTER_RELAY_READING && (seed >> 28) < 12)
            left(f, b, 2, 2 + (seed >> 30));
        else if (k->state == ROUTER_RELAY_READING)
            router_relay_failed(&f->relay, b, f->now);
        else if (k->state == ROUTER_RELAY_SENT)
            (void)acked(f, b, SETTLED + (seed >> 27) % 3);
        else if (k->state == ROUTER_RELAY_TRIMMING)
            trimmed(f, b);
        else if ((seed >> 27) == 0)
            router_relay_link(&f->relay, !f->relay.up, f->now);
        else
            router_relay_mark(&f->relay, b, NONE), owed[b] = true;
        router_relay_check(&f->relay);
    }
    if (!f->relay.up)
        router_relay_link(&f->relay, true, f->now);
    for (int i = 0; i < 2000; i++) {
        f->now += 100;
        f->reads = 0;
        step(f);
        for (uint32_t b = 0; b < MER_BUCKETS; b++)
            if (f->relay.bucket[b].state == ROUTER_RELAY_READING) {
                router_relay_empty(&f->relay, b);
                owed[b] = false;
            } else if (f->relay.bucket[b].state == ROUTER_RELAY_TRIMMING) {
                trimmed(f, b);
            }
    }
    for (uint32_t b = 0; b < MER_BUCKETS; b++) {
        assert_false(owed[b]);
        assert_bucket(f, b, CLEAN);
    }
}

/* ---- what comes from other regions -------------------------------------------------------------------------------------------------- */

static void batches_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static uint8_t large[MER_EVENT_MAX];
    ProtobufCBinaryData events[ROUTER_RELAY_EVENTS_MAX + 1] = {{1, large}};
    Meridian__Region__V1__RelayBatch good = MERIDIAN__REGION__V1__RELAY_BATCH__INIT;
    good.bucket = MER_BUCKETS - 1;
    good.generation = 1;
    good.settled = 0;
    good.n_events = 1;
    good.events = events;
    assert_null(router_relay_batch_fault(&good));
#define REFUSED(field, value) \
    do { \
        Meridian__Region__V1__RelayBatch b = good; \
        b.field = (value); \
        assert_non_null(router_relay_batch_fault(&b)); \
    } while (0)
    REFUSED(bucket, MER_BUCKETS);
    REFUSED(bucket, UINT32_MAX);
    REFUSED(generation, 0);
    REFUSED(generation, (uint64_t)1 << 53);
    REFUSED(generation, UINT64_MAX);
    REFUSED(settled, (uint64_t)1 << 53);
    REFUSED(settled, UINT64_MAX);
    REFUSED(n_events, 0);
    REFUSED(n_events, ROUTER_RELAY_EVENTS_MAX + 1);
    good.n_events = ROUTER_RELAY_EVENTS_MAX;
    assert_null(router_relay_batch_fault(&good));
    for (size_t i = 0; i < ROUTER_RELAY_EVENTS_MAX; i++)
        events[i] = (ProtobufCBinaryData){(ROUTER_RELAY_BYTES + MER_EVENT_MAX) / ROUTER_RELAY_EVENTS_MAX, large};
    assert_null(router_relay_batch_fault(&good));
    events[0].len++;
    assert_non_null(router_relay_batch_fault(&good));
}

/* An event to `to`, with or without a body. */
static ProtobufCBinaryData event(const char *to, bool body, uint8_t out[MER_EVENT_MAX * 2])
{
    Meridian__State__V1__TextEvent t = MERIDIAN__STATE__V1__TEXT_EVENT__INIT;
    Meridian__State__V1__Event e = MERIDIAN__STATE__V1__EVENT__INIT;
    t.from = t.from_name = t.from_region = t.message_id = t.text = (char *)"x";
    e.to = (char *)to;
    if (body) {
        e.body_case = MERIDIAN__STATE__V1__EVENT__BODY_TEXT;
        e.text = &t;
    }
    return (ProtobufCBinaryData){meridian__state__v1__event__pack(&e, out), out};
}

static void hostile_events_are_none(void **state)
{
    (void)state;
    static uint8_t bytes[MER_EVENT_MAX * 2];
    static char name[MER_KEY_ID_MAX + 2];
    memset(name, 'n', MER_KEY_ID_MAX + 1);
    uint32_t bob = mer_key_bucket("bob");
    ProtobufCBinaryData good = event("bob", true, bytes);
    Meridian__State__V1__Event *e = router_relay_event(bob, good);
    assert_non_null(e);
    assert_string_equal(e->to, "bob");
    meridian__state__v1__event__free_unpacked(e, NULL);
    assert_null(router_relay_event((bob + 1) % MER_BUCKETS, good)); /* another bucket's: its mark would be the wrong one */
    for (size_t len = 0; len < good.len; len++)
        assert_null(router_relay_event(bob, (ProtobufCBinaryData){len, bytes})); /* cut short anywhere */
    assert_null(router_relay_event(bob, event("bob", false, bytes)));            /* a newer version's kind */
    assert_null(router_relay_event(mer_key_bucket(""), event("", true, bytes)));
    assert_null(router_relay_event(mer_key_bucket("b b"), event("b b", true, bytes)));
    assert_null(router_relay_event(mer_key_bucket(name), event(name, true, bytes)));
    good = event("bob", true, bytes);
    memset(bytes + good.len, 0, MER_EVENT_MAX);
    assert_null(router_relay_event(bob, (ProtobufCBinaryData){MER_EVENT_MAX + 1, bytes}));
    memset(bytes, 0xff, sizeof bytes);
    for (size_t len = 1; len < 64; len++)
        assert_null(router_relay_event(bob, (ProtobufCBinaryData){len, bytes}));
}

static void its_memory_does_not_grow(void **state)
{
    (void)state;
    assert_true(sizeof(struct router_relay) <= 80 * 1024); /* a region, whatever waits for it */
}

static void the_fullest_buckets_are_told(void **state)
{
    struct fix *f = *state;
    struct router_relay_view v;
    router_relay_look(&f->relay, &v);
    assert_int_equal(v.buckets, 0);
    for (uint32_t i = 0; i < 40; i++) {
        router_relay_mark(&f->relay, i * 5, 1 + i * 7 % 40);
        router_relay_stored(&f->relay, i * 5, 100 * (1 + i * 7 % 40));
    }
    router_relay_look(&f->relay, &v);
    assert_int_equal(v.buckets, 40);
    assert_int_equal(v.waiting, 820);
    assert_int_equal(v.bytes, 82000);
    assert_int_equal(v.fullest_count, 16);
    for (size_t i = 0; i < v.fullest_count; i++)
        assert_int_equal(f->relay.bucket[v.fullest[i]].waiting, 40 - i);
    router_relay_mark(&f->relay, v.fullest[0], 0); /* looked at again: empty */
    assert_int_equal(f->relay.bucket[v.fullest[0]].stored, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_cell_is_as_drawn),
        T(a_batch_is_read_sent_acknowledged_and_trimmed),
        T(what_did_not_fit_follows_at_once),
        T(a_mark_while_it_is_busy_is_not_forgotten),
        T(a_failed_read_is_tried_again_later_and_holds_up_nobody),
        T(a_lost_link_sends_everything_again_and_nothing_meanwhile),
        T(a_batch_without_an_answer_is_given_up),
        T(a_part_is_trimmed_and_the_rest_comes_later),
        T(nothing_taken_is_a_failure),
        T(hostile_answers_change_nothing),
        T(no_more_than_a_window_is_on_its_way),
        T(small_batches_go_many_at_once),
        T(whatever_happens_every_mark_is_read_in_the_end),
        T(batches_out_of_bounds_are_refused),
        T(hostile_events_are_none),
        T(its_memory_does_not_grow),
        T(the_fullest_buckets_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
