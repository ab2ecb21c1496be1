/* SPDX-License-Identifier: Apache-2.0
 * test_redis_shell.c - the client against a Redis that says what it likes (fake_redis.h): every row of the hostile replies one call, its
 * expected answer, and what must have been seen beside it. Never a crash, never an acknowledgement that was not one. */
#include "unit.h"

#include <signal.h>

#include <meridian/redis.h>

#include "certs.h"
#include "fake_redis.h"

#define KEY "game:{a}:x" /* slot 15495 */
enum { DEADLINE_MS = 150 };

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_rng_seeded seed;
    struct fake_redis fake;
    struct mer_redis *redis;
    struct mer_timer tick;
    const char *node;
    unsigned answers, by_err[32], ready, changes;
    enum mer_err last;
    char text[256];
    uint64_t destroy_in_callback;
    SSL_CTX *tls;
};

static void on_tick(struct mer_timer *t)
{
    mer_loop_stop(&MER_CONTAINER_OF(t, struct fix, tick)->loop);
}

static void run_for(struct fix *f, unsigned ms)
{
    mer_loop_arm(&f->loop, &f->tick, ms);
    mer_loop_run(&f->loop);
}

#define WAIT_FOR(f, cond) \
    do { \
        for (unsigned i_ = 0; i_ < 4000 && !(cond); i_++) \
            run_for(f, 1); \
        assert_true(cond); \
    } while (0)

static void on_ready(void *ctx)
{
    ((struct fix *)ctx)->ready++;
}

static void on_change(void *ctx, uint16_t first, uint16_t last)
{
    struct fix *f = ctx;
    assert_true(first <= last);
    f->changes++;
}

static void on_answer(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct fix *f = ctx;
    f->answers++;
    f->last = err;
    f->by_err[-err]++;
    f->text[0] = 0;
    if (err == MER_OK || err == MER_EREFUSED)
        assert_non_null(reply);
    else
        assert_null(reply);
    if (reply && reply->str)
        snprintf(f->text, sizeof(f->text), "%s", reply->str);
    if (f->destroy_in_callback) {
        mer_redis_destroy(f->redis);
        f->redis = NULL;
    }
}

static enum mer_err call(struct fix *f, bool durable)
{
    const char *argv[] = {"SET", KEY, "v"};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = 3, .key = KEY, .durable = durable};
    return mer_redis_call(f->redis, &spec, on_answer, f);
}

static void start_fake(struct fix *f)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, -1, MER_ERROR, mer_clock_system());
    f->log.level = (enum mer_level) - 1; /* what goes wrong here goes wrong on purpose */
    mer_metrics_init(&f->metrics);
    mer_timer_init(&f->tick, on_tick);
    fake_start(&f->fake, &f->loop, mer_redis_slot(KEY, strlen(KEY)), NULL);
    f->node = mer_listener_address(f->fake.listener);
}

static void start_client(struct fix *f, enum mer_durability durability, const char *password)
{
    struct mer_redis_conf conf = {.loop = &f->loop,
                                  .log = &f->log,
                                  .rng = mer_rng_seed(&f->seed, 7),
                                  .metrics = &f->metrics,
                                  .nodes = &f->node,
                                  .node_count = 1,
                                  .password = password,
                                  .tls = f->tls,
                                  .durability = durability,
                                  .replicas = 2,
                                  .wait_ms = 50,
                                  .deadline_ms = DEADLINE_MS,
                                  .library = "meridian1"};
    assert_int_equal(mer_redis_create(&f->redis, &conf), MER_OK);
    mer_redis_on_ready(f->redis, on_ready, f);
    mer_redis_on_primary_change(f->redis, on_change, f);
}

static void stop(struct fix *f)
{
    mer_redis_destroy(f->redis);
    fake_stop(&f->fake);
    mer_loop_disarm(&f->loop, &f->tick);
    mer_loop_deinit(&f->loop);
}

static double metric(struct fix *f, const char *name)
{
    struct mer_buf text;
    char line[96];
    mer_buf_init(&text, 0);
    assert_int_equal(mer_metrics_render(&f->metrics, &text), MER_OK);
    assert_int_equal(mer_buf_append(&text, "", 1), MER_OK);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr((char *)text.data, line);
    assert_non_null(at);
    double value = strtod(at + strlen(line), NULL);
    mer_buf_deinit(&text);
    return value;
}

static struct fix f; /* large; every test starts and stops it */

/* --- one call, one hostile reply --- */

#define MOVED_SELF "@moved"
#define ASK_SELF "@ask"
#define LOST "meridian_redis_connections_lost_total"
#define SHORT "meridian_redis_wait_short_total"
#define RETRIES "meridian_redis_retries_total"
#define REDIRECTS "meridian_redis_redirects_total"
#define BAD_MAP "meridian_redis_topology_bad_total"
#define PROTOCOL "meridian_redis_protocol_errors_total"
#define NOLIB "meridian_redis_library_missing_total"

struct row {
    const char *name;
    enum fake_command at;   /* what is answered oddly */
    const char *replies[4]; /* the last repeats */
    enum mer_err expected;
    const char *moved; /* metric that must have moved; NULL: none */
    unsigned sent;     /* how often the call was sent: 0 any, 1.. exactly; NEVER not at all */
};
enum { NEVER = 1000, MANY = 1001 };

static const struct row rows[] = {
    {"a good answer", FAKE_CALL, {"+OK\r\n"}, MER_OK, NULL, 1},
    {"MOVED to itself for ever", FAKE_CALL, {MOVED_SELF}, MER_EAGAIN, REDIRECTS, 6},
    {"MOVED to itself once", FAKE_CALL, {MOVED_SELF, "+OK\r\n"}, MER_OK, REDIRECTS, 2},
    {"MOVED to nowhere", FAKE_CALL, {"-MOVED 15495 127.0.0.1:1\r\n"}, MER_EAGAIN, NULL, 0},
    {"MOVED without anything", FAKE_CALL, {"-MOVED \r\n"}, MER_EAGAIN, NULL, 1},
    {"MOVED without a port", FAKE_CALL, {"-MOVED 15495 127.0.0.1\r\n"}, MER_EAGAIN, NULL, 1},
    {"MOVED with port 0", FAKE_CALL, {"-MOVED 15495 127.0.0.1:0\r\n"}, MER_EAGAIN, NULL, 1},
    {"MOVED of slot 16384", FAKE_CALL, {"-MOVED 16384 127.0.0.1:1\r\n"}, MER_EAGAIN, NULL, 1},
    {"MOVED of another slot", FAKE_CALL, {"-MOVED 1 127.0.0.1:1\r\n"}, MER_EAGAIN, NULL, 1},
    {"MOVED to a host with blanks", FAKE_CALL, {"-MOVED 15495 a b:1\r\n"}, MER_EAGAIN, NULL, 1},
    {"ASK without a migration, for ever", FAKE_CALL, {ASK_SELF}, MER_EAGAIN, REDIRECTS, 6},
    {"ASK once", FAKE_CALL, {ASK_SELF, "+OK\r\n"}, MER_OK, REDIRECTS, 2},
    {"ASK, and ASKING refused", FAKE_ASKING, {"-ERR no\r\n"}, MER_OK, NULL, 1},
    {"TRYAGAIN for ever", FAKE_CALL, {"-TRYAGAIN Multiple keys\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"TRYAGAIN twice", FAKE_CALL, {"-TRYAGAIN x\r\n", "-TRYAGAIN x\r\n", "+OK\r\n"}, MER_OK, RETRIES, 3},
    {"CLUSTERDOWN for ever", FAKE_CALL, {"-CLUSTERDOWN The cluster is down\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"CLUSTERDOWN once", FAKE_CALL, {"-CLUSTERDOWN x\r\n", "+OK\r\n"}, MER_OK, RETRIES, 2},
    {"LOADING", FAKE_CALL, {"-LOADING Redis is loading\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"LOADING once", FAKE_CALL, {"-LOADING x\r\n", "+OK\r\n"}, MER_OK, RETRIES, 2},
    {"MASTERDOWN", FAKE_CALL, {"-MASTERDOWN Link with MASTER is down\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"NOREPLICAS", FAKE_CALL, {"-NOREPLICAS Not enough good replicas\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"BUSY", FAKE_CALL, {"-BUSY Redis is busy running a script\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"READONLY for ever", FAKE_CALL, {"-READONLY You can't write\r\n"}, MER_EAGAIN, RETRIES, MANY},
    {"READONLY once", FAKE_CALL, {"-READONLY x\r\n", "+OK\r\n"}, MER_OK, RETRIES, 2},
    {"MISCONF", FAKE_CALL, {"-MISCONF Redis is configured to save\r\n"}, MER_EAGAIN, NULL, 1},
    {"OOM", FAKE_CALL, {"-OOM command not allowed\r\n"}, MER_EAGAIN, NULL, 1},
    {"NOSCRIPT", FAKE_CALL, {"-NOSCRIPT No matching script\r\n"}, MER_EREFUSED, NULL, 1},
    {"function not found", FAKE_CALL, {"-ERR Function not found\r\n"}, MER_EAGAIN, NULL, 1},
    {"NOPERM", FAKE_CALL, {"-NOPERM this user has no permissions\r\n"}, MER_EREFUSED, NULL, 1},
    {"EXECABORT", FAKE_CALL, {"-EXECABORT Transaction discarded\r\n"}, MER_EREFUSED, NULL, 1},
    {"WRONGTYPE", FAKE_CALL, {"-WRONGTYPE Operation against a key\r\n"}, MER_EREFUSED, NULL, 1},
    {"an unknown error", FAKE_CALL, {"-WHATEVER this is\r\n"}, MER_EREFUSED, NULL, 1},
    {"an empty error", FAKE_CALL, {"-\r\n"}, MER_EREFUSED, NULL, 1},
    {"NOAUTH", FAKE_CALL, {"-NOAUTH Authentication required.\r\n"}, MER_EAGAIN, LOST, 1},
    {"UNBLOCKED", FAKE_CALL, {"-UNBLOCKED force unblock\r\n"}, MER_EUNKNOWN, LOST, 1},
    {"WRONGPASS at AUTH", FAKE_AUTH, {"-WRONGPASS invalid username-password pair\r\n"}, MER_EAGAIN, LOST, NEVER},
    {"AUTH answered by a number", FAKE_AUTH, {":1\r\n"}, MER_EAGAIN, LOST, NEVER},
    {"AUTH never answered", FAKE_AUTH, {FAKE_SILENCE}, MER_EAGAIN, NULL, NEVER},
    {"WAIT confirms more", FAKE_WAIT, {":3\r\n"}, MER_OK, NULL, 1},
    {"WAIT confirms one", FAKE_WAIT, {":1\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT confirms none", FAKE_WAIT, {":0\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT answers -1", FAKE_WAIT, {":-1\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT answers an error", FAKE_WAIT, {"-ERR WAIT cannot be used with replica instances\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT is unblocked", FAKE_WAIT, {"-UNBLOCKED force unblock from blocking operation\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT answers OK", FAKE_WAIT, {"+OK\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT answers nil", FAKE_WAIT, {"$-1\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT answers the text 2", FAKE_WAIT, {"$1\r\n2\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"WAIT never answers", FAKE_WAIT, {FAKE_SILENCE}, MER_EUNKNOWN, NULL, 1},
    {"hanging up instead of WAIT", FAKE_WAIT, {FAKE_CLOSE}, MER_EUNKNOWN, LOST, 1},
    {"a slot map that is empty", FAKE_SLOTS, {"*0\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a slot map with overlaps",
     FAKE_SLOTS,
     {"*2\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:1\r\n*3\r\n:9\r\n:9\r\n*2\r\n$1\r\nh\r\n:2\r\n"},
     MER_EAGAIN,
     BAD_MAP,
     NEVER},
    {"a slot map with gaps", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:0\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n"}, MER_EAGAIN, NULL, NEVER},
    {"slot 16384", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"slot -1", FAKE_SLOTS, {"*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n$1\r\nh\r\n:1\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a range backwards", FAKE_SLOTS, {"*1\r\n*3\r\n:9\r\n:5\r\n*2\r\n$1\r\nh\r\n:1\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"port 0", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:0\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"port 65536", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:65536\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"host ?", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\n?\r\n:1\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a host that is a number", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n:1\r\n:1\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a range without a node", FAKE_SLOTS, {"*1\r\n*2\r\n:0\r\n:16383\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a node that is a text", FAKE_SLOTS, {"*1\r\n*3\r\n:0\r\n:16383\r\n$1\r\nh\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a slot map that is a text", FAKE_SLOTS, {"+OK\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"no cluster", FAKE_SLOTS, {"-ERR This instance has cluster support disabled\r\n"}, MER_EAGAIN, BAD_MAP, NEVER},
    {"a slot map never answered", FAKE_SLOTS, {FAKE_SILENCE}, MER_EAGAIN, NULL, NEVER},
    {"no library", FAKE_LIBRARY, {"*0\r\n"}, MER_EAGAIN, NOLIB, NEVER},
    {"functions not known", FAKE_LIBRARY, {"-ERR unknown command 'FUNCTION'\r\n"}, MER_EAGAIN, NOLIB, NEVER},
    {"the library answered by a text", FAKE_LIBRARY, {"+OK\r\n"}, MER_EAGAIN, LOST, NEVER},
    {"a text of length -2", FAKE_CALL, {"$-2\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"a text of 2^31 bytes", FAKE_CALL, {"$2147483648\r\nx"}, MER_EUNKNOWN, NULL, 1},
    {"a text of 2^63 bytes", FAKE_CALL, {"$9223372036854775808\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"an array of 2^31", FAKE_CALL, {"*2147483648\r\n:1\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"an array of 2^31 - 1", FAKE_CALL, {"*2147483647\r\n:1\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"a number that is none", FAKE_CALL, {":12x\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"no CRLF", FAKE_CALL, {"+OK"}, MER_EUNKNOWN, NULL, 1},
    {"a text longer than it says", FAKE_CALL, {"$2\r\nabc\r\n"}, MER_EUNKNOWN, LOST, 1},
    {"not RESP at all", FAKE_CALL, {"HTTP/1.1 400 Bad Request\r\n\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"a push message", FAKE_CALL, {">2\r\n+message\r\n+x\r\n"}, MER_EUNKNOWN, PROTOCOL, 1},
    {"a reply of another type", FAKE_CALL, {"*2\r\n:1\r\n$-1\r\n"}, MER_OK, NULL, 1},
    {"byte by byte", FAKE_CALL, {FAKE_SLOWLY "$5\r\nhello\r\n"}, MER_OK, NULL, 1},
    {"a reply too many", FAKE_CALL, {"+OK\r\n+OK\r\n"}, MER_EUNKNOWN, SHORT, 1},
    {"hanging up instead of an answer", FAKE_CALL, {FAKE_CLOSE}, MER_EUNKNOWN, LOST, 1},
    {"never an answer", FAKE_CALL, {FAKE_SILENCE}, MER_EUNKNOWN, NULL, 1},
    {"half an answer", FAKE_CALL, {"$100\r\nabc"}, MER_EUNKNOWN, NULL, 1},
};

static const char *resolve(const char *reply)
{
    if (reply && strcmp(reply, MOVED_SELF) == 0)
        return f.fake.moved;
    return reply && strcmp(reply, ASK_SELF) == 0 ? f.fake.ask : reply;
}

static void check_row(const struct row *row)
{
    start_fake(&f);
    for (int i = 0; i < 4; i++)
        f.fake.script[row->at][i] = resolve(row->replies[i]);
    if (row->at == FAKE_ASKING)
        f.fake.script[FAKE_CALL][0] = f.fake.ask, f.fake.script[FAKE_CALL][1] = "+OK\r\n";
    start_client(&f, MER_DURABILITY_ALL, "secret");
    assert_int_equal(call(&f, true), MER_OK);
    assert_int_equal(f.answers, 0);
    for (unsigned i = 0; i < 4000 && f.answers == 0; i++)
        run_for(&f, 1);
    run_for(&f, 5);
    if (f.answers != 1 || f.last != row->expected)
        fail_msg("%s: %u answers, %s instead of %s", row->name, f.answers, mer_err_name(f.last), mer_err_name(row->expected));
    if (row->moved && metric(&f, row->moved) < 1)
        fail_msg("%s: %s did not move", row->name, row->moved);
    unsigned sent = f.fake.seen[FAKE_CALL];
    if (row->at == FAKE_ASKING) {
        assert_int_equal(f.fake.seen[FAKE_ASKING], 1);
    } else if (row->sent == NEVER ? sent != 0 : row->sent == MANY ? sent < 3 : row->sent != 0 && sent != row->sent)
        fail_msg("%s: sent %u times", row->name, sent);
    assert_true(metric(&f, "meridian_redis_calls_waiting") == 0);
    stop(&f);
}

static void hostile_replies_are_told_apart(void **state)
{
    (void)state;
    assert_true(MER_COUNT(rows) >= 40);
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        check_row(&rows[i]);
}

static void nesting_of_10000_is_refused(void **state)
{
    static char deep[10000 * 4 + 8];
    (void)state;
    for (int i = 0; i < 10000; i++)
        memcpy(deep + i * 4, "*1\r\n", 4);
    memcpy(deep + 40000, ":1\r\n", 5);
    const struct row row = {"nesting", FAKE_CALL, {deep}, MER_EUNKNOWN, PROTOCOL, 1};
    check_row(&row);
}

static void a_reply_without_end_is_cut_off(void **state)
{
    static char chunk[1 << 20];
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_CALL, FAKE_SILENCE);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(call(&f, false), MER_OK);
    WAIT_FOR(&f, f.fake.seen[FAKE_CALL] == 1);
    memset(chunk, 'x', sizeof(chunk));
    double lost = metric(&f, LOST);
    for (unsigned i = 0; i < f.fake.accepted; i++) { /* whichever it came on */
        struct fake_conn *c = &f.fake.conn[i];
        if (c->gone || c->calls_since_wait == 0)
            continue;
        assert_int_equal(mer_stream_write(c->stream, "$99999999\r\n", 11), MER_OK);
        for (int n = 0; n < 20; n++)
            assert_int_equal(mer_stream_write(c->stream, chunk, sizeof(chunk)), MER_OK);
    }
    WAIT_FOR(&f, f.answers == 1 && metric(&f, LOST) > lost);
    assert_int_equal(f.last, MER_EUNKNOWN);
    stop(&f);
}

/* --- batches --- */

static void calls_of_a_turn_are_one_batch_with_one_wait(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    for (int i = 0; i < 100; i++)
        assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 100);
    assert_int_equal(f.by_err[0], 100);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 1);
    assert_int_equal(f.fake.largest_batch, 100);
    assert_true(metric(&f, "meridian_redis_batches_total") == 1);
    assert_true(metric(&f, "meridian_redis_durable_seconds_count") == 100);
    stop(&f);
}

static void while_both_connections_wait_calls_gather(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, FAKE_SILENCE);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    run_for(&f, 20); /* the durable connections too */
    for (int turn = 0; turn < 6; turn++) {
        assert_int_equal(call(&f, true), MER_OK);
        run_for(&f, 3);
    }
    assert_int_equal(f.fake.seen[FAKE_WAIT], 2);
    assert_int_equal(f.fake.seen[FAKE_CALL], 2);
    assert_int_equal(f.answers, 0);
    fake_set(&f.fake, FAKE_WAIT, ":2\r\n");
    for (unsigned i = 0; i < f.fake.accepted; i++)
        if (f.fake.conn[i].batches == 1 && !f.fake.conn[i].gone)
            assert_int_equal(mer_stream_write(f.fake.conn[i].stream, ":2\r\n", 4), MER_OK);
    WAIT_FOR(&f, f.answers == 6);
    assert_int_equal(f.by_err[0], 6);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 3);
    stop(&f);
}

static void a_short_wait_makes_the_whole_batch_unknown_and_only_it(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_WAIT][0] = ":1\r\n";
    f.fake.script[FAKE_WAIT][1] = ":2\r\n";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    run_for(&f, 20);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&f, true), MER_OK);
    run_for(&f, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 15);
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 10);
    assert_int_equal(f.by_err[0], 5);
    assert_true(metric(&f, LOST) == 1);
    stop(&f);
}

static void errors_are_confirmed_by_the_same_wait(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_CALL, "-ERR no\r\n");
    fake_set(&f.fake, FAKE_WAIT, ":0\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EUNKNOWN);
    stop(&f);
}

static void soft_calls_need_no_wait_and_no_library(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_LIBRARY, "*0\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, false), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_string_equal(f.text, "OK");
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    assert_false(mer_redis_ready(f.redis));
    fake_set(&f.fake, FAKE_LIBRARY, "*1\r\n+x\r\n"); /* loaded at last */
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(f.ready, 1);
    stop(&f);
}

static void the_setting_primary_sends_no_wait(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_PRIMARY, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    stop(&f);
}

static void the_setting_one_takes_one_replica_for_enough(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ONE, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    stop(&f);
}

#define SAYS(needs) "*3\r\n$2\r\nOK\r\n:1\r\n" needs

static void the_reply_says_how_many_replicas_are_needed(void **state)
{
    static const struct {
        const char *reply, *wait[2];
        enum mer_err result;
        unsigned waits;
    } cases[] = {
        {SAYS("$1\r\n1\r\n"), {":1\r\n"}, MER_OK, 1},                 /* asked for 2, which nobody needs any more */
        {SAYS("$1\r\n1\r\n"), {":0\r\n"}, MER_EUNKNOWN, 1},           /* nobody has it */
        {SAYS("$0\r\n\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},            /* as configured */
        {SAYS("$1\r\n3\r\n"), {":2\r\n", ":3\r\n"}, MER_OK, 2},       /* more than asked for: asked again */
        {SAYS("$1\r\n3\r\n"), {":2\r\n", ":2\r\n"}, MER_EUNKNOWN, 2}, /* and not had */
        {SAYS("$1\r\n0\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},           /* never none */
        {SAYS("$2\r\n1x\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},          /* not a number: says nothing */
        {SAYS(":1\r\n"), {":1\r\n"}, MER_EUNKNOWN, 1},
        {"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\n1\r\n", {":1\r\n"}, MER_EUNKNOWN, 1}, /* not the library's */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(cases); i++) {
        start_fake(&f);
        fake_set(&f.fake, FAKE_CALL, cases[i].reply);
        f.fake.script[FAKE_WAIT][0] = cases[i].wait[0];
        f.fake.script[FAKE_WAIT][1] = cases[i].wait[1];
        start_client(&f, MER_DURABILITY_ALL, NULL);
        assert_int_equal(call(&f, true), MER_OK);
        WAIT_FOR(&f, f.answers == 1);
        if (f.last != cases[i].result || f.fake.seen[FAKE_WAIT] != cases[i].waits)
            fail_msg("case %zu: %s after %u WAITs", i, mer_err_text(f.last), f.fake.seen[FAKE_WAIT]);
        stop(&f);
    }
}

static void a_call_may_be_content_with_fewer_replicas(void **state)
{
    const char *argv[] = {"SET", KEY, "v"};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = 3, .key = KEY, .durable = true, .replicas = 1};
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_CALL, SAYS("$1\r\n2\r\n"));
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    assert_int_equal(mer_redis_call(f.redis, &spec, on_answer, &f), MER_OK);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 2);
    assert_int_equal(f.by_err[0], 1); /* one batch, two outcomes */
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 1);
    stop(&f);
}

static void after_a_short_wait_the_replies_say_what_to_ask_for(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_CALL][0] = SAYS("$1\r\n2\r\n");
    f.fake.script[FAKE_CALL][1] = SAYS("$1\r\n1\r\n");
    fake_set(&f.fake, FAKE_WAIT, ":1\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EUNKNOWN);
    assert_string_equal(f.fake.waited_for, "2");
    for (unsigned n = 2; n <= 3; n++) {
        assert_int_equal(call(&f, true), MER_OK);
        WAIT_FOR(&f, f.answers == n);
        assert_int_equal(f.last, MER_OK);
        assert_string_equal(f.fake.waited_for, "1");
    }
    assert_int_equal(f.fake.seen[FAKE_WAIT], 3);
    stop(&f);
}

static void a_call_to_a_node_gets_whatever_it_says(void **state)
{
    static const char *const argv[] = {"CLIENT", "LIST"};
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_SLOTS, "*0\r\n"); /* it serves nothing */
    fake_set(&f.fake, FAKE_CALL, "-LOADING Redis is loading the dataset in memory\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    assert_int_equal(mer_redis_node_call(f.redis, f.node, argv, 2, on_answer, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_EREFUSED);
    assert_string_equal(f.text, "LOADING Redis is loading the dataset in memory");
    assert_int_equal(f.fake.seen[FAKE_WAIT], 0);
    assert_int_equal(mer_redis_node_call(f.redis, "127.0.0.1:1", argv, 2, on_answer, &f), MER_OK);
    WAIT_FOR(&f, f.answers == 2);
    assert_int_equal(f.last, MER_EAGAIN);
    stop(&f);
}

/* --- bounds, ends, topology --- */

static void a_node_that_is_down_costs_the_deadline_not_more(void **state)
{
    (void)state;
    start_fake(&f);
    f.node = "127.0.0.1:1";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    uint64_t from = mer_clock_mono_ms(&f.loop.clock);
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    uint64_t took = mer_clock_mono_ms(&f.loop.clock) - from;
    assert_int_equal(f.last, MER_EAGAIN);
    assert_true(took >= DEADLINE_MS / 2 && took < DEADLINE_MS * 8);
    stop(&f);
}

/* Time-outs open the breaker; then soft calls end at once, but for one a second; a word of the node ends that. */
static void a_node_that_is_silent_is_not_asked_by_everybody(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    run_for(&f, 20);
    const char *library = f.fake.script[FAKE_LIBRARY][0];
    static const enum fake_command all[] = {FAKE_CALL, FAKE_LIBRARY, FAKE_INFO, FAKE_SLOTS};
    for (size_t i = 0; i < MER_COUNT(all); i++)
        fake_set(&f.fake, all[i], FAKE_SILENCE);
    for (int i = 0; i < 8; i++)
        assert_int_equal(call(&f, false), MER_OK);
    WAIT_FOR(&f, f.answers == 8);
    assert_int_equal(metric(&f, "meridian_redis_breaker_opened_total"), 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(call(&f, false), MER_OK);
    assert_int_equal(call(&f, true), MER_OK); /* durable: it waits */
    assert_int_equal(f.answers, 8);           /* never inside the call */
    run_for(&f, DEADLINE_MS / 3);
    assert_int_equal(f.answers, 108);
    assert_int_equal(f.by_err[-MER_EAGAIN] + f.by_err[-MER_EUNKNOWN], 108);
    assert_int_equal(metric(&f, "meridian_redis_breaker_refused_total"), 100);
    fake_set(&f.fake, FAKE_LIBRARY, library);
    fake_set(&f.fake, FAKE_CALL, "+OK\r\n");
    WAIT_FOR(&f, call(&f, false) == MER_OK && f.last == MER_OK);
    assert_int_equal(metric(&f, "meridian_redis_breaker_opened_total"), 1);
    stop(&f);
}

static void more_than_64_ki_waiting_calls_are_refused(void **state)
{
    (void)state;
    start_fake(&f);
    f.node = "127.0.0.1:1";
    start_client(&f, MER_DURABILITY_ALL, NULL);
    for (int i = 0; i < 64 * 1024; i++)
        assert_int_equal(call(&f, i % 2), MER_OK);
    assert_int_equal(call(&f, true), MER_EBUSY);
    assert_int_equal(f.answers, 0);
    mer_redis_destroy(f.redis);
    f.redis = NULL;
    assert_int_equal(f.answers, 64 * 1024);
    assert_int_equal(f.by_err[-MER_EAGAIN], 64 * 1024);
    stop(&f);
}

static void destroy_answers_everything_in_the_same_turn(void **state)
{
    (void)state;
    start_fake(&f);
    fake_set(&f.fake, FAKE_WAIT, FAKE_SILENCE);
    fake_set(&f.fake, FAKE_CALL, FAKE_SILENCE);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    run_for(&f, 20);
    for (int turn = 0; turn < 3; turn++) { /* two batches on their way, one waiting */
        for (int i = 0; i < 4; i++)
            assert_int_equal(call(&f, true), MER_OK);
        run_for(&f, 2);
    }
    assert_int_equal(call(&f, false), MER_OK);
    run_for(&f, 2);
    mer_redis_destroy(f.redis);
    f.redis = NULL;
    assert_int_equal(f.answers, 13);
    assert_int_equal(f.by_err[-MER_EUNKNOWN], 9);
    assert_int_equal(f.by_err[-MER_EAGAIN], 4);
    run_for(&f, 5);
    assert_int_equal(f.answers, 13);
    stop(&f);
}

static void destroying_inside_a_callback_is_allowed(void **state)
{
    static const char *const waits[] = {":2\r\n", ":0\r\n", FAKE_CLOSE, FAKE_SILENCE};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(waits); i++) {
        start_fake(&f);
        fake_set(&f.fake, FAKE_WAIT, waits[i]);
        start_client(&f, MER_DURABILITY_ALL, NULL);
        for (int n = 0; n < 5; n++)
            assert_int_equal(call(&f, true), MER_OK);
        f.destroy_in_callback = 1;
        WAIT_FOR(&f, f.answers == 5);
        run_for(&f, 5);
        stop(&f);
    }
}

static void a_lost_connection_comes_back(void **state)
{
    (void)state;
    start_fake(&f);
    start_client(&f, MER_DURABILITY_ALL, NULL);
    for (int round = 0; round < 5; round++) {
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        assert_int_equal(f.ready, round + 1);
        for (unsigned i = 0; i < f.fake.accepted; i++)
            if (!f.fake.conn[i].gone)
                mer_stream_close(f.fake.conn[i].stream);
        WAIT_FOR(&f, !mer_redis_ready(f.redis));
    }
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    stop(&f);
}

static void the_owner_hears_of_a_new_primary_and_waiting_calls_go_there(void **state)
{
    static struct fake_redis other;
    (void)state;
    start_fake(&f);
    fake_start(&other, &f.loop, 0, NULL);
    fake_set(&other, FAKE_CALL, "$5\r\nother\r\n");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    fake_set(&f.fake, FAKE_SLOTS, other.slots);
    fake_set(&f.fake, FAKE_CALL, "-READONLY You can't write against a read only replica.\r\n");
    assert_int_equal(call(&f, true), MER_OK);
    WAIT_FOR(&f, f.answers == 1);
    assert_int_equal(f.last, MER_OK);
    assert_string_equal(f.text, "other");
    assert_int_equal(f.changes, 1);
    WAIT_FOR(&f, f.fake.open == 0); /* the old one is not needed any more */
    fake_stop(&other);
    stop(&f);
}

#define INFO(id) "$62\r\n# Server\r\nrun_id:" id id id id "\r\nx:1\r\n"

static void a_primary_that_was_started_again_counts_as_changed(void **state)
{
    (void)state;
    start_fake(&f);
    f.fake.script[FAKE_INFO][0] = INFO("0123456789");
    f.fake.script[FAKE_INFO][1] = INFO("0123456789");
    f.fake.script[FAKE_INFO][2] = INFO("abcdef0123");
    start_client(&f, MER_DURABILITY_ALL, NULL);
    WAIT_FOR(&f, mer_redis_ready(f.redis));
    WAIT_FOR(&f, f.fake.seen[FAKE_INFO] == 1);
    run_for(&f, 20);
    uint64_t since = mer_redis_up_since_ms(f.redis, KEY);
    assert_true(since <= f.loop.now_ms);
    for (unsigned n = 2; n <= 3; n++) {
        for (unsigned i = 0; i < f.fake.accepted; i++)
            if (!f.fake.conn[i].gone && !f.fake.conn[i].hung_up)
                mer_stream_close(f.fake.conn[i].stream), f.fake.conn[i].hung_up = true;
        WAIT_FOR(&f, f.fake.seen[FAKE_INFO] == n);
        run_for(&f, 20);
        assert_int_equal(f.changes, n == 3); /* the same process first, then another one */
    }
    assert_true(mer_redis_up_since_ms(f.redis, KEY) > since);
    stop(&f);
}

static void a_map_with_an_unknown_host_means_the_one_that_answered(void **state)
{
    static const char *const hosts[] = {"$-1\r\n", "$0\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hosts); i++) {
        char map[128];
        start_fake(&f);
        snprintf(map, sizeof(map), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%s:%s\r\n", hosts[i], strrchr(f.node, ':') + 1);
        fake_set(&f.fake, FAKE_SLOTS, map);
        start_client(&f, MER_DURABILITY_ALL, NULL);
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        stop(&f);
    }
}

static void everything_goes_over_tls_too(void **state)
{
    (void)state;
    start_fake(&f);
    fake_stop(&f.fake);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = certs_make("ca", "critical,CA:TRUE", NULL, key), *cert = certs_make("redis", "IP:127.0.0.1", ca, key);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
    f.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(f.tls, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(f.tls), ca);
    run_for(&f, 2);
    fake_start(&f.fake, &f.loop, 0, server);
    f.node = mer_listener_address(f.fake.listener);
    start_client(&f, MER_DURABILITY_ALL, "secret");
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&f, i % 2), MER_OK);
    WAIT_FOR(&f, f.answers == 10);
    assert_int_equal(f.by_err[0], 10);
    WAIT_FOR(&f, f.fake.seen[FAKE_AUTH] == 3); /* soft, durable, durable */
    stop(&f);
    SSL_CTX_free(server);
    SSL_CTX_free(f.tls);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
}

static void out_of_memory_is_an_answer(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        start_fake(&f);
        start_client(&f, MER_DURABILITY_ALL, "secret");
        WAIT_FOR(&f, mer_redis_ready(f.redis));
        mer_mem_fail_at(n);
        unsigned taken = 0;
        for (int i = 0; i < 3; i++)
            taken += call(&f, i % 2) == MER_OK;
        WAIT_FOR(&f, f.answers == taken);
        mer_mem_fail_at(0);
        stop(&f);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as every service does (mer_process_raise_limits) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_replies_are_told_apart),
        cmocka_unit_test(nesting_of_10000_is_refused),
        cmocka_unit_test(a_reply_without_end_is_cut_off),
        cmocka_unit_test(calls_of_a_turn_are_one_batch_with_one_wait),
        cmocka_unit_test(while_both_connections_wait_calls_gather),
        cmocka_unit_test(a_short_wait_makes_the_whole_batch_unknown_and_only_it),
        cmocka_unit_test(errors_are_confirmed_by_the_same_wait),
        cmocka_unit_test(soft_calls_need_no_wait_and_no_library),
        cmocka_unit_test(the_setting_primary_sends_no_wait),
        cmocka_unit_test(the_setting_one_takes_one_replica_for_enough),
        cmocka_unit_test(the_reply_says_how_many_replicas_are_needed),
        cmocka_unit_test(a_call_may_be_content_with_fewer_replicas),
        cmocka_unit_test(after_a_short_wait_the_replies_say_what_to_ask_for),
        cmocka_unit_test(a_call_to_a_node_gets_whatever_it_says),
        cmocka_unit_test(a_node_that_is_down_costs_the_deadline_not_more),
        cmocka_unit_test(a_node_that_is_silent_is_not_asked_by_everybody),
        cmocka_unit_test(more_than_64_ki_waiting_calls_are_refused),
        cmocka_unit_test(destroy_answers_everything_in_the_same_turn),
        cmocka_unit_test(destroying_inside_a_callback_is_allowed),
        cmocka_unit_test(a_lost_connection_comes_back),
        cmocka_unit_test(the_owner_hears_of_a_new_primary_and_waiting_calls_go_there),
        cmocka_unit_test(a_primary_that_was_started_again_counts_as_changed),
        cmocka_unit_test(a_map_with_an_unknown_host_means_the_one_that_answered),
        cmocka_unit_test(everything_goes_over_tls_too),
        cmocka_unit_test(out_of_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
