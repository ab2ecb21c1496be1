/* SPDX-License-Identifier: Apache-2.0
 * test_store_shell.c - the store over a Redis that says what a test wants (fake_redis.h): replies of the library in every shape, errors,
 * the clock. What the library itself does is tested on a real cluster (tests/integration/redis). */
#include "unit.h"

#include <signal.h>

#include <meridian/trace.h>

#include "edge/store/store.h"
#include "loop_run.h"
#include "tests/unit/infra/platform/fake_redis.h"

enum { DEADLINE_MS = 150 };

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_rng_seeded seed;
    struct fake_redis fake;
    struct mer_redis *redis;
    struct edge_store *store;
    const char *node;
    unsigned answers;
    enum edge_store_result result;
    uint64_t version, epoch, nonce, time_ms;
    size_t record_len, devices;
    char owner[64], record[64], game[64], ticket[64], session[64];
    bool destroy_in_callback;
};
static struct fix f;

static void begin(void)
{
    memset(&f, 0, sizeof(f));
    assert_int_equal(mer_loop_init(&f.loop, mer_clock_system()), 0);
    mer_log_init(&f.log, -1, MER_ERROR, mer_clock_system());
    f.log.level = (enum mer_level) - 1; /* what goes wrong here goes wrong on purpose */
    mer_metrics_init(&f.metrics);
    fake_start(&f.fake, &f.loop, 0, NULL);
    f.node = mer_listener_address(f.fake.listener);
    struct mer_redis_conf rc = {.loop = &f.loop,
                                .log = &f.log,
                                .rng = mer_rng_seed(&f.seed, 7),
                                .metrics = &f.metrics,
                                .nodes = &f.node,
                                .node_count = 1,
                                .durability = MER_DURABILITY_ALL,
                                .replicas = 2,
                                .wait_ms = 50,
                                .deadline_ms = DEADLINE_MS,
                                .library = "meridian1"};
    assert_int_equal(mer_redis_create(&f.redis, &rc), MER_OK);
    struct edge_store_conf sc = {.loop = &f.loop, .log = &f.log, .metrics = &f.metrics, .redis = f.redis, .incarnation = "e1.a"};
    assert_int_equal(edge_store_create(&f.store, &sc), MER_OK);
}

static void end(void)
{
    mer_redis_destroy(f.redis);
    edge_store_destroy(f.store);
    fake_stop(&f.fake);
    mer_loop_deinit(&f.loop);
}

static void on_game(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    assert_ptr_equal(ctx, &f);
    f.answers++;
    f.result = result;
    f.version = g->version;
    f.epoch = g->fence.epoch;
    f.nonce = g->fence.nonce;
    f.time_ms = g->time_ms;
    f.record_len = g->record_len;
    snprintf(f.owner, sizeof(f.owner), "%s", g->owner);
    snprintf(f.record, sizeof(f.record), "%.*s", (int)g->record_len, (const char *)g->record);
    if (f.destroy_in_callback) {
        f.destroy_in_callback = false;
        mer_redis_destroy(f.redis);
        edge_store_destroy(f.store);
        f.redis = NULL;
        f.store = NULL;
    }
}

static void on_player(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    assert_ptr_equal(ctx, &f);
    f.answers++;
    f.result = result;
    f.devices = p->device_count;
    assert_true(p->game && p->game_owner && p->ticket && p->ticket_edge && p->previous_edge && p->previous_session);
    snprintf(f.game, sizeof(f.game), "%s", p->game);
    snprintf(f.ticket, sizeof(f.ticket), "%s", p->ticket);
    snprintf(f.session, sizeof(f.session), "%s", p->device_count ? p->devices[p->device_count - 1].session : "");
}

static void game_answers(const char *reply)
{
    begin();
    fake_set(&f.fake, FAKE_CALL, reply);
    assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
    assert_int_equal(f.answers, 0);
    WAIT_FOR(&f, f.answers == 1);
}

static void player_answers(const char *reply)
{
    begin();
    fake_set(&f.fake, FAKE_CALL, reply);
    assert_int_equal(edge_store_player_get(f.store, "u1", on_player, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
}

#define B(len, text) "$" #len "\r\n" text "\r\n"
#define GAME(status, version, generation, epoch, nonce, owner, record) \
    "*9\r\n" status ":1767225600123\r\n" B(0, "") version generation epoch nonce owner record
#define GOOD_TAIL B(0, "") B(1, "7") B(1, "1") B(1, "2") B(16, "00000000000000ff") B(4, "e1.a") B(3, "abc")

static void a_game_is_read(void **state)
{
    (void)state;
    game_answers("*9\r\n" B(2, "OK") ":1767225600123\r\n" GOOD_TAIL);
    assert_int_equal(f.result, EDGE_STORE_OK);
    assert_int_equal(f.version, 7);
    assert_int_equal(f.epoch, 2);
    assert_int_equal(f.nonce, 255);
    assert_int_equal(f.time_ms, 1767225600123);
    assert_string_equal(f.owner, "e1.a");
    assert_string_equal(f.record, "abc");
    end();
}

static void every_status_has_its_result(void **state)
{
    static const struct {
        const char *status;
        enum edge_store_result result;
    } rows[] = {
        {B(3, "DUP"), EDGE_STORE_DUP},       {B(6, "FENCED"), EDGE_STORE_FENCED}, {B(3, "GAP"), EDGE_STORE_GAP},
        {B(6, "ABSENT"), EDGE_STORE_ABSENT}, {B(6, "EXISTS"), EDGE_STORE_EXISTS}, {B(4, "VOID"), EDGE_STORE_VOIDED},
        {B(4, "LOST"), EDGE_STORE_LOST},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        char reply[256];
        snprintf(reply, sizeof(reply), "*9\r\n%s:1767225600123\r\n%s", rows[i].status, GOOD_TAIL);
        game_answers(reply);
        assert_int_equal(f.result, rows[i].result);
        end();
    }
}

static void a_game_of_another_shape_is_unknown(void **state)
{
    static const char *const rows[] = {
        "+OK\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*8\r\n" B(2, "OK") ":1\r\n" B(0, "") B(1, "7") B(1, "1") B(1, "2") B(2, "ff") B(4, "e1.a"),
        "*10\r\n" B(2, "OK") ":1\r\n" GOOD_TAIL "+x\r\n",
        "*9\r\n" B(3, "WHO") ":1\r\n" GOOD_TAIL,
        "*9\r\n:1\r\n:1\r\n" GOOD_TAIL,
        "*9\r\n" B(2, "OK") ":0\r\n" GOOD_TAIL,
        "*9\r\n" B(2, "OK") ":-5\r\n" GOOD_TAIL,
        "*9\r\n" B(2, "OK") B(1, "5") GOOD_TAIL,
        GAME(B(2, "OK"), B(2, "-7"), B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(2, " 7"), B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(20, "18446744073709551616"), B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(3, "1e3"), B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(1, "7"), B(1, "1"), B(1, "2"), B(2, "FG"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(1, "7"), B(1, "1"), B(1, "2"), B(17, "10000000000000000"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), B(1, "7"), B(1, "1"), B(1, "2"), B(2, "ff"), ":1\r\n", B(1, "r")),
        GAME(B(2, "OK"), B(1, "7"), B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), "$-1\r\n"),
        GAME(B(2, "OK"), "$-1\r\n", B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
        GAME(B(2, "OK"), "*0\r\n", B(1, "1"), B(1, "2"), B(2, "ff"), B(1, "o"), B(1, "r")),
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        game_answers(rows[i]);
        if (f.result != EDGE_STORE_UNKNOWN || f.version || f.record_len || f.owner[0])
            fail_msg("row %zu: %s", i, edge_store_result_name(f.result));
        end();
    }
}

#define PLAYER(devices) \
    "*11\r\n" B(2, "OK") ":1767225600123\r\n" B(0, "") B(2, "g1") B(2, "e2") B(2, "t1") B(2, "e1") B(3, "999") B(0, "") B(0, "") devices

static void a_player_is_read(void **state)
{
    (void)state;
    player_answers(PLAYER("*6\r\n" B(1, "a") B(2, "e1") B(2, "s1") B(1, "b") B(2, "e2") B(2, "s2")));
    assert_int_equal(f.result, EDGE_STORE_OK);
    assert_string_equal(f.game, "g1");
    assert_string_equal(f.ticket, "t1");
    assert_int_equal(f.devices, 2);
    assert_string_equal(f.session, "s2");
    end();
}

static void a_player_of_another_shape_is_unknown_and_nobody(void **state)
{
    static char many[65 * 24 + 64] =
        "*11\r\n" B(2, "OK") ":1\r\n" B(0, "") B(0, "") B(0, "") B(0, "") B(0, "") B(0, "") B(0, "") B(0, "") "*195\r\n";
    static const char *const rows[] = {
        "*0\r\n",
        PLAYER("*1\r\n" B(1, "a")),
        PLAYER("*-1\r\n"),
        PLAYER("+x\r\n"),
        PLAYER("*3\r\n" B(1, "a") ":1\r\n" B(1, "b")),
        PLAYER("*0\r\n") "+x\r\n" /* then out of step: WAIT is answered by a text */,
        "*11\r\n" B(2, "OK") ":1\r\n" B(0, "") B(2, "g1") B(2, "e2") B(2, "t1") B(2, "e1") B(2, "9x") B(0, "") B(0, "") "*0\r\n",
        many,
    };
    (void)state;
    for (int i = 0; i < 195; i++)
        strcat(many, "+x\r\n");
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        player_answers(rows[i]);
        if (i == 5) { /* soft: the answer itself was good */
            assert_int_equal(f.result, EDGE_STORE_OK);
        } else if (f.result != EDGE_STORE_UNKNOWN || f.game[0] || f.devices)
            fail_msg("row %zu: %s", i, edge_store_result_name(f.result));
        end();
    }
}

static void errors_are_again_or_unknown(void **state)
{
    static const struct {
        enum fake_command at;
        const char *reply;
        enum edge_store_result result;
    } rows[] = {
        {FAKE_CALL, "-ERR Function not found\r\n", EDGE_STORE_AGAIN},
        {FAKE_CALL, "-WRONGTYPE x\r\n", EDGE_STORE_AGAIN},
        {FAKE_CALL, "-OOM x\r\n", EDGE_STORE_AGAIN},
        {FAKE_CALL, FAKE_CLOSE, EDGE_STORE_UNKNOWN},
        {FAKE_CALL, FAKE_SILENCE, EDGE_STORE_UNKNOWN},
        {FAKE_WAIT, ":1\r\n", EDGE_STORE_UNKNOWN},
        {FAKE_LIBRARY, "*0\r\n", EDGE_STORE_AGAIN},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        begin();
        fake_set(&f.fake, FAKE_CALL, "*9\r\n" B(2, "OK") ":1767225600123\r\n" GOOD_TAIL);
        fake_set(&f.fake, rows[i].at, rows[i].reply);
        assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
        WAIT_FOR(&f, f.answers == 1);
        assert_int_equal(f.result, rows[i].result);
        assert_int_equal(f.time_ms, 0);
        end();
    }
}

static void the_clock_follows_redis_and_never_goes_back(void **state)
{
    (void)state;
    begin();
    uint64_t wall = mer_clock_wall_ms(&f.loop.clock), first = edge_store_now_ms(f.store);
    assert_true(first >= wall && first < wall + 1000); /* nothing heard yet */
    char reply[256];
    snprintf(reply, sizeof(reply), "*9\r\n%s:%llu\r\n%s", B(2, "OK"), (unsigned long long)wall + 60000, GOOD_TAIL);
    fake_set(&f.fake, FAKE_CALL, reply);
    assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    uint64_t ahead = edge_store_now_ms(f.store);
    assert_true(ahead >= wall + 60000 && ahead < wall + 61000);
    snprintf(reply, sizeof(reply), "*9\r\n%s:%llu\r\n%s", B(2, "OK"), (unsigned long long)wall, GOOD_TAIL);
    fake_set(&f.fake, FAKE_CALL, reply);
    assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 2);
    assert_true(edge_store_now_ms(f.store) >= ahead);
    end();
}

static void on_traced_game(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    assert_non_null(f.log.trace);
    assert_int_equal(f.log.trace->trace[15], 7);
    assert_int_equal(f.log.trace->span[7], 9);
    on_game(ctx, result, g);
}

static void on_untraced_game(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    assert_null(f.log.trace);
    on_game(ctx, result, g);
}

static void what_an_answer_causes_is_of_who_asked(void **state)
{
    struct mer_trace_context c = {.trace = {[15] = 7}, .span = {[7] = 9}};
    (void)state;
    begin();
    fake_set(&f.fake, FAKE_CALL, "*9\r\n" B(2, "OK") ":1767225600123\r\n" GOOD_TAIL);
    assert_int_equal(edge_store_game_get(f.store, "g1", on_untraced_game, &f), MER_OK);
    {
        MER_TRACE_LINES(&f.log, &c);
        memset(&c, 0, sizeof(c));
        assert_int_equal(edge_store_game_get(f.store, "g1", on_traced_game, &f), MER_OK);
    }
    assert_int_equal(edge_store_game_get(f.store, "g1", on_untraced_game, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 3);
    assert_null(f.log.trace);
    end();
}

static void what_cannot_be_a_key_is_refused_without_a_callback(void **state)
{
    static char big[EDGE_STORE_RECORD_MAX + 1], long_id[EDGE_KEY_ID_MAX + 2];
    (void)state;
    begin();
    memset(long_id, 'x', sizeof(long_id) - 1);
    struct edge_fence fence = {1, 1, 1};
    struct edge_store_write w = {.gid = "g", .fence = fence, .record = big, .record_len = sizeof(big)};
    assert_int_equal(edge_store_game_put(f.store, &w, on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_game_create(f.store, &w, on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_game_end(f.store, &w, on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_game_get(f.store, "", on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_game_get(f.store, long_id, on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_game_claim(f.store, "g", &fence, "", 1, on_game, &f), MER_EINVALID);
    assert_int_equal(edge_store_player_connect(f.store, "u", "two words", "s", on_player, &f), MER_EINVALID);
    assert_int_equal(edge_store_player_seat(f.store, "u", "", "g", "e", on_player, &f), MER_EINVALID);
    assert_int_equal(edge_store_owned(f.store, EDGE_BUCKETS, "e", NULL, &f), MER_EINVALID);
    loop_run_for(&f.loop, DEADLINE_MS * 2);
    assert_int_equal(f.answers, 0);
    end();
}

static void a_store_may_be_destroyed_in_a_callback(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++)
        assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
    f.destroy_in_callback = true;
    WAIT_FOR(&f, f.answers == 3);
    loop_run_for(&f.loop, 5);
    end();
}

static void calls_under_way_are_answered_by_destroying_redis(void **state)
{
    (void)state;
    begin();
    fake_set(&f.fake, FAKE_CALL, FAKE_SILENCE);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(edge_store_game_get(f.store, "g1", on_game, &f), MER_OK);
    assert_int_equal(edge_store_player_get(f.store, "u1", on_player, &f), MER_OK);
    edge_store_live_start(f.store, "unix:/x");
    loop_run_for(&f.loop, 5);
    end();
    assert_int_equal(f.answers, 2);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as every service does (mer_process_raise_limits) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_game_is_read),
        cmocka_unit_test(every_status_has_its_result),
        cmocka_unit_test(a_game_of_another_shape_is_unknown),
        cmocka_unit_test(a_player_is_read),
        cmocka_unit_test(a_player_of_another_shape_is_unknown_and_nobody),
        cmocka_unit_test(errors_are_again_or_unknown),
        cmocka_unit_test(the_clock_follows_redis_and_never_goes_back),
        cmocka_unit_test(what_an_answer_causes_is_of_who_asked),
        cmocka_unit_test(what_cannot_be_a_key_is_refused_without_a_callback),
        cmocka_unit_test(a_store_may_be_destroyed_in_a_callback),
        cmocka_unit_test(calls_under_way_are_answered_by_destroying_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
