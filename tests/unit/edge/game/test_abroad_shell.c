/* SPDX-License-Identifier: Apache-2.0
 * The record of a game of another region: asked for by an edge of "eu", answered by one of "us". Store and host are the test's. */
#include "tests/unit/edge/bus/far_wire.h"

#include <fcntl.h>
#include <unistd.h>

#include "edge/game/abroad.h"
#include "loop_run.h"

struct edge_store {
    struct mer_loop *loop;
    enum edge_store_result result;
    struct edge_stored stored;
    bool busy;
    unsigned gets, voids;
    char gid[128];
};
struct edge_host {
    struct edge_fence seen;
    char owner[128];
    enum mer_err result;
    unsigned adoptions;
};
struct store_answer {
    struct mer_deferred later;
    struct edge_store *s;
    edge_store_game_cb cb;
    void *ctx;
};

static void give(struct mer_deferred *d)
{
    struct store_answer *a = MER_CONTAINER_OF(d, struct store_answer, later);
    a->cb(a->ctx, a->s->result, &a->s->stored);
    free(a);
}
static enum mer_err call(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    if (s->busy)
        return MER_EBUSY;
    snprintf(s->gid, sizeof s->gid, "%s", gid);
    struct store_answer *a = calloc(1, sizeof *a);
    a->s = s;
    a->cb = cb;
    a->ctx = ctx;
    mer_deferred_init(&a->later, give);
    mer_loop_defer(s->loop, &a->later);
    return MER_OK;
}
enum mer_err edge_store_game_get(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    s->gets++;
    return call(s, gid, cb, ctx);
}
enum mer_err edge_store_game_void(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    s->voids++;
    return call(s, gid, cb, ctx);
}
enum mer_err edge_host_adopt(struct edge_host *h, const char *gid, const struct edge_fence *seen, const char *owner,
                             void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx)
{
    h->adoptions++;
    h->seen = *seen;
    snprintf(h->owner, sizeof h->owner, "%s", owner);
    cb(ctx, gid, h->result);
    return MER_OK;
}

struct end {
    struct edge_routers routers;
    struct edge_far *far;
    struct edge_abroad *abroad;
    struct edge_store store;
    struct edge_host host;
};
struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    uint64_t skipped_us;
    struct end eu, us;
    unsigned told, adopted;
    enum edge_store_result result;
    enum mer_err err;
    struct edge_stored stored;
    char owner[128], record[64];
};

static void on_told(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct fix *f = ctx;
    f->told++;
    f->result = result;
    f->stored = *stored;
    snprintf(f->owner, sizeof f->owner, "%s", stored->owner);
    assert_true(stored->record_len < sizeof f->record);
    memcpy(f->record, stored->record_len ? (const char *)stored->record : "", stored->record_len);
}
static void on_adopted(void *ctx, const char *gid, enum mer_err err)
{
    struct fix *f = ctx;
    assert_string_equal(gid, "us.g-1");
    f->adopted++;
    f->err = err;
}

static uint64_t skipping_us(void *ctx)
{
    struct mer_clock system = mer_clock_system();
    return system.mono_us(system.ctx) + ((struct fix *)ctx)->skipped_us;
}
static void open_end(struct fix *f, struct end *e, const char *region, const char *incarnation, struct end *other)
{
    struct edge_far_conf fc = {&f->log, &f->metrics, &e->routers, region};
    e->store.loop = e->routers.loop = &f->loop;
    e->routers.region = region;
    e->routers.incarnation = incarnation;
    e->routers.other = &other->routers;
    assert_int_equal(edge_far_create(&e->far, &fc), MER_OK);
    struct edge_abroad_conf ac = {&f->loop, &f->log, &f->metrics, e->far, &e->store, &e->host};
    assert_int_equal(edge_abroad_create(&e->abroad, &ac), MER_OK);
}
static int setup(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    struct mer_clock clock = mer_clock_system();
    clock.mono_us = skipping_us;
    clock.ctx = f;
    assert_int_equal(mer_loop_init(&f->loop, clock), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    mer_metrics_init(&f->metrics);
    open_end(f, &f->eu, "eu", "a.1", &f->us);
    open_end(f, &f->us, "us", "b.1", &f->eu);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fix *f = *state;
    loop_run_for(&f->loop, 5);
    edge_abroad_destroy(f->eu.abroad);
    edge_abroad_destroy(f->us.abroad);
    edge_far_destroy(f->eu.far);
    edge_far_destroy(f->us.far);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}

static void a_game_of_ours_is_the_store_s_affair(void **state)
{
    struct fix *f = *state;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "g-1", on_told, f), MER_OK);
    assert_int_equal(edge_abroad_game_void(f->eu.abroad, "eu.g-1", on_told, f), MER_OK);
    WAIT_FOR(f, f->told == 2);
    assert_int_equal(f->eu.store.gets + f->eu.store.voids, 2);
    assert_int_equal(f->eu.routers.sent, 0);
    assert_false(edge_abroad_has(f->eu.abroad, "eu.g-1"));
    assert_true(edge_abroad_has(f->eu.abroad, "us.g-1"));
}

static void what_is_stored_there_is_told_here(void **state)
{
    static const uint8_t record[] = "cards";
    static const enum edge_store_result all[] = {EDGE_STORE_OK,    EDGE_STORE_ABSENT, EDGE_STORE_VOIDED,
                                                 EDGE_STORE_ASIDE, EDGE_STORE_EXISTS, EDGE_STORE_UNKNOWN};
    struct fix *f = *state;
    f->us.store.stored = (struct edge_stored){7, {1, 2, UINT64_MAX}, "b.2", record, sizeof record, 1234567};
    for (size_t i = 0; i < MER_COUNT(all); i++) {
        f->us.store.result = all[i];
        f->told = 0;
        assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
        assert_int_equal(f->told, 0);
        WAIT_FOR(f, f->told == 1);
        assert_int_equal(f->result, all[i]);
        assert_string_equal(f->owner, "us/b.2");
        assert_string_equal(f->record, "cards");
        assert_true(f->stored.version == 7 && f->stored.fence.epoch == 2 && f->stored.fence.nonce == UINT64_MAX);
        assert_true(f->stored.time_ms == 1234567);
    }
    f->us.store.stored.owner = "";
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    WAIT_FOR(f, f->told == 2);
    assert_string_equal(f->owner, ""); /* over: nobody's, also from afar */
}

static void a_game_is_adopted_by_who_is_asked(void **state)
{
    static const struct {
        enum mer_err there, here;
    } row[] = {{MER_OK, MER_OK}, {MER_EFENCED, MER_EFENCED}, {MER_ENOTFOUND, MER_ENOTFOUND}, {MER_EBUSY, MER_EUNKNOWN}};
    const struct edge_fence seen = {.generation = 3, .epoch = 4};
    struct fix *f = *state;
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        f->us.host.result = row[i].there;
        f->adopted = 0;
        assert_int_equal(edge_abroad_adopt(f->eu.abroad, "us.g-1", &seen, "us/b.9", on_adopted, f), MER_OK);
        WAIT_FOR(f, f->adopted == 1);
        assert_int_equal(f->err, row[i].here);
        assert_string_equal(f->us.host.owner, "b.9");
        assert_true(f->us.host.seen.generation == 3 && f->us.host.seen.epoch == 4);
    }
    assert_int_equal(f->eu.host.adoptions, 0);
}

static void who_gets_no_answer_knows_nothing(void **state)
{
    struct fix *f = *state;
    f->eu.routers.way = LOSES;
    f->eu.routers.times = 1;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->told, 0);
    f->skipped_us += 3000 * 1000;
    WAIT_FOR(f, f->told == 1);
    assert_int_equal(f->result, EDGE_STORE_UNKNOWN);
}

static void what_cannot_be_sent_is_known_at_once(void **state)
{
    struct fix *f = *state;
    f->eu.routers.way = REGION_UNSENT;
    f->eu.routers.times = 1;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    WAIT_FOR(f, f->told == 1);
    assert_int_equal(f->result, EDGE_STORE_UNKNOWN);
    f->eu.routers.way = NO_LEADER;
    f->eu.routers.times = 1;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_EBUSY);
    f->eu.routers.way = LOSES;
    f->eu.routers.times = 1;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    post_unsent(&f->eu.routers, "us", NULL, true);
    WAIT_FOR(f, f->told == 2);
    assert_int_equal(f->result, EDGE_STORE_ABSENT); /* no such region: no such game */
}

static void an_answer_counts_once_and_only_from_where_it_was_asked(void **state)
{
    struct fix *f = *state;
    f->eu.routers.way = LOSES;
    f->eu.routers.times = 1;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    IM(FarBody) m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
    IM(GameTold) t = MERIDIAN__INTERNAL__V1__GAME_TOLD__INIT;
    uint8_t bytes[64];
    t.ask = 1;
    t.result = MERIDIAN__INTERNAL__V1__GAME_RESULT__GAME_RESULT_OK;
    m.body_case = MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_GAME_TOLD;
    m.game_told = &t;
    size_t len = meridian__internal__v1__far_body__pack(&m, bytes);
    post_far(&f->eu.routers, "asia", "c.1", bytes, len);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->told, 0);
    for (int i = 0; i < 3; i++)
        post_far(&f->eu.routers, "us", "b.1", bytes, len);
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->told, 1);
    assert_string_equal(f->owner, "");
}

static void only_games_of_ours_are_answered_for(void **state)
{
    static const char *const others[] = {"g-1", "asia.g-1", "", "eu"};
    struct fix *f = *state;
    for (size_t i = 0; i < MER_COUNT(others); i++) {
        IM(FarBody) m = MERIDIAN__INTERNAL__V1__FAR_BODY__INIT;
        IM(GameAsk) g = MERIDIAN__INTERNAL__V1__GAME_ASK__INIT;
        uint8_t bytes[64];
        g.game_id = (char *)others[i];
        g.kind = MERIDIAN__INTERNAL__V1__GAME_ASK_KIND__GAME_ASK_VOID;
        m.body_case = MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_GAME_ASK;
        m.game_ask = &g;
        size_t len = meridian__internal__v1__far_body__pack(&m, bytes);
        post_far(&f->us.routers, "eu", "a.1", bytes, len);
    }
    loop_run_for(&f->loop, 20);
    assert_int_equal(f->us.store.voids, 0);
    assert_int_equal(f->us.routers.sent, MER_COUNT(others)); /* told so */
    f->us.store.busy = true;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    WAIT_FOR(f, f->told == 1);
    assert_int_equal(f->result, EDGE_STORE_UNKNOWN);
}

static void at_the_end_everybody_gets_his_callback(void **state)
{
    struct fix *f = *state;
    const struct edge_fence seen = {0};
    f->eu.routers.way = LOSES;
    f->eu.routers.times = 10;
    assert_int_equal(edge_abroad_game_get(f->eu.abroad, "us.g-1", on_told, f), MER_OK);
    assert_int_equal(edge_abroad_game_void(f->eu.abroad, "us.g-2", on_told, f), MER_OK);
    assert_int_equal(edge_abroad_adopt(f->eu.abroad, "us.g-1", &seen, "us/b.9", on_adopted, f), MER_OK);
    edge_abroad_destroy(f->eu.abroad);
    f->eu.abroad = NULL;
    assert_int_equal(f->told, 2);
    assert_int_equal(f->adopted, 1);
    assert_int_equal(f->err, MER_EUNKNOWN);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_game_of_ours_is_the_store_s_affair), T(what_is_stored_there_is_told_here),
        T(a_game_is_adopted_by_who_is_asked),    T(who_gets_no_answer_knows_nothing),
        T(what_cannot_be_sent_is_known_at_once), T(an_answer_counts_once_and_only_from_where_it_was_asked),
        T(only_games_of_ours_are_answered_for),  T(at_the_end_everybody_gets_his_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
