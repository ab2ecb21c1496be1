/* SPDX-License-Identifier: Apache-2.0
 * test_redis_hostile_shell.c - replies that no Redis should give: every row one call, its expected answer, and what must have been seen
 * beside it. Never a crash, never an acknowledgement that was not one. */
#include <signal.h>

#include "redis_fix.h"

#define MOVED_SELF "@moved"
#define ASK_SELF "@ask"
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
        loop_run_for(&f.loop, 1);
    loop_run_for(&f.loop, 5);
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

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as every service does (mer_process_raise_limits) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_replies_are_told_apart),
        cmocka_unit_test(nesting_of_10000_is_refused),
        cmocka_unit_test(a_reply_without_end_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
