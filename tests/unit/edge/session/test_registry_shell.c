/* SPDX-License-Identifier: Apache-2.0
 * Who is connected where, as one edge keeps it: entered, looked at once more, entered again when it is gone or a dead edge's. The store is
 * the test's: these functions stand before the product's at link time. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/room/messages.h"
#include "edge/session/session.h"
#include "edge/session/tickets.h"
#include "unit.h"

static struct fix {
    struct edge_app app;
    uint64_t values[64];
    struct edge_sessions sessions;
    struct edge_user user;
    struct edge_session session;
    edge_store_player_cb on_connected, on_looked; /* NULL: nothing is asked */
    edge_store_text_cb on_live;
    void *ctx;
    char asked_of[64]; /* whose liveness */
    unsigned connects, looks, lives, disconnects, replaces, registered, closed;
    enum mer_err refuse; /* what the store says to the next question */
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

static enum mer_err asked(void *ctx, unsigned *count)
{
    enum mer_err err = f->refuse;
    f->refuse = MER_OK;
    if (err != MER_OK)
        return err;
    assert_true(f->on_connected == NULL && f->on_looked == NULL && f->on_live == NULL); /* one question at a time */
    f->ctx = ctx;
    ++*count;
    return MER_OK;
}
enum mer_err edge_store_player_connect(struct edge_store *s, const char *user, const char *device, const char *session,
                                       edge_store_player_cb cb, void *ctx)
{
    (void)s;
    assert_string_equal(user, "ana");
    assert_string_equal(device, "phone");
    assert_string_equal(session, "eu-1.a.0000000000000007");
    enum mer_err err = asked(ctx, &f->connects);
    if (err == MER_OK)
        f->on_connected = cb;
    return err;
}
enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx)
{
    (void)s;
    assert_string_equal(user, "ana");
    enum mer_err err = asked(ctx, &f->looks);
    if (err == MER_OK)
        f->on_looked = cb;
    return err;
}
enum mer_err edge_store_live_get(struct edge_store *s, const char *incarnation, edge_store_text_cb cb, void *ctx)
{
    (void)s;
    enum mer_err err = asked(ctx, &f->lives);
    snprintf(f->asked_of, sizeof(f->asked_of), "%s", incarnation);
    if (err == MER_OK)
        f->on_live = cb;
    return err;
}
enum mer_err edge_store_player_disconnect(struct edge_store *s, const char *user, const char *device, const char *session,
                                          edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)cb, (void)ctx;
    assert_string_equal(user, "ana");
    assert_string_equal(device, "phone");
    assert_string_equal(session, "eu-1.a.0000000000000007");
    f->disconnects++;
    return f->refuse;
}
enum mer_err edge_bus_send(struct edge_bus *b, const char *to, Meridian__Internal__V1__BusMessage *m)
{
    (void)b;
    assert_int_equal(m->body_case, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE);
    assert_string_equal(to, "eu-2.b");
    assert_string_equal(m->session_replace->session, "eu-2.b.09");
    assert_int_equal(m->session_replace->entered_ms, 0x80000001); /* as the registry said */
    f->replaces++;
    return f->refuse;
}
void edge__take_registered(struct edge_session *s, const struct edge_player *p)
{
    assert_ptr_equal(s, &f->session);
    f->registered += p != NULL;
}
void edge__session_id(const struct edge_session *s, char out[EDGE_SESSION_ID_BYTES])
{
    snprintf(out, EDGE_SESSION_ID_BYTES, "eu-1.a.%016llx", (unsigned long long)s->serial);
}
const char *edge_seats_game(const struct edge_seats *s, const char *user)
{
    (void)s, (void)user;
    return NULL;
}
void edge_seats_join(struct edge_seats *s, const char *user, const char *session, const char *game)
{
    (void)s, (void)user, (void)session, (void)game;
    fail();
}
void edge_tickets_tell(struct edge_session *s, const char *ticket, const char *edge)
{
    (void)s, (void)ticket, (void)edge;
    fail();
}
void edge_messages_sync(struct edge_messages *ms, const char *user, const char *session)
{
    (void)ms, (void)user, (void)session;
    fail();
}
void edge_conn_close(struct edge_conn *c, uint16_t code, const char *reason)
{
    (void)c, (void)reason;
    assert_int_equal(code, EDGE_CLOSE_INTERNAL);
    f->closed++;
}

static struct mer_key serial_key(const void *entry)
{
    const struct edge_session *s = entry;
    return (struct mer_key){&s->serial, sizeof(s->serial)};
}

static int set_up(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(mer_loop_init(&f->app.loop, mer_clock_system()), 0);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, mer_clock_system());
    f->app.rng = mer_rng_system();
    snprintf(f->app.incarnation, sizeof(f->app.incarnation), "eu-1.a");
    f->sessions.app = &f->app;
    f->sessions.values = f->values;
    mer_list_init(&f->sessions.registrations);
    mer_map_init(&f->sessions.by_serial, serial_key, seed);
    f->user.id = (char *)"ana";
    f->session =
        (struct edge_session){.all = &f->sessions, .user = &f->user, .serial = 7, .device = (char *)"phone", .state = EDGE_SESSION_LIVE};
    assert_int_equal(mer_map_put(&f->sessions.by_serial, &f->session), MER_OK);
    return 0;
}
static int tear_down(void **state)
{
    edge__registry_drop(&f->sessions);
    mer_map_deinit(&f->sessions.by_serial);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

static struct edge_player nobody(void)
{
    return (struct edge_player){.game = "", .game_owner = "", .ticket = "", .ticket_edge = "", .previous_edge = "", .previous_session = ""};
}

static void connected(enum edge_store_result result)
{
    struct edge_player p = nobody();
    edge_store_player_cb cb = f->on_connected;
    assert_non_null(cb);
    f->on_connected = NULL;
    cb(f->ctx, result, &p);
}

/* The store's answer to a look: what stands there for the phone; session NULL: nothing. */
static void looked(const char *edge, const char *session)
{
    struct edge_device d[] = {{"desk", "eu-3.c", "eu-3.c.01"}, {"phone", edge, session}};
    struct edge_player p = nobody();
    edge_store_player_cb cb = f->on_looked;
    p.devices = d;
    p.device_count = session != NULL ? 2 : 1;
    assert_non_null(cb);
    f->on_looked = NULL;
    cb(f->ctx, EDGE_STORE_OK, &p);
}

static void lives(enum edge_store_result result)
{
    edge_store_text_cb cb = f->on_live;
    assert_non_null(cb);
    f->on_live = NULL;
    cb(f->ctx, result, "");
}

static bool waits(void)
{
    return !mer_list_empty(&f->sessions.registrations);
}

/* The only registration's time has come. */
static void later(void)
{
    struct mer_loop *loop = &f->app.loop;
    loop->now_ms += 31 * 1000; /* more than any wait of registry.c */
    (void)mer_wheel_advance(&loop->wheel, loop->now_ms, 16);
}

static void entered(void)
{
    edge__registry_connect(&f->session, false);
    connected(EDGE_STORE_OK);
    assert_int_equal(f->registered, 1);
    later();
    assert_int_equal(f->looks, 1);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void an_entry_that_stands_is_looked_at_once(void **state)
{
    (void)state;
    entered();
    looked("eu-1.a", "eu-1.a.0000000000000007");
    assert_false(waits());
    assert_int_equal(f->connects, 1);
}

static void what_failed_is_repeated_and_what_was_lost_is_made_again(void **state)
{
    (void)state;
    edge__registry_connect(&f->session, false);
    connected(EDGE_STORE_AGAIN);
    later();
    connected(EDGE_STORE_OK);
    assert_int_equal(f->connects, 2);
    later();
    looked("", NULL); /* a failover took it */
    connected(EDGE_STORE_OK);
    assert_int_equal(f->connects, 3);
    later();
    looked("eu-1.a", "eu-1.a.0000000000000007");
    assert_false(waits());
}

static void a_living_edge_s_entry_is_left_alone_and_looked_at_again(void **state)
{
    (void)state;
    entered();
    for (unsigned i = 0; i < 3; i++) {
        looked("eu-2.b", "eu-2.b.09");
        assert_string_equal(f->asked_of, "eu-2.b");
        lives(i == 0 ? EDGE_STORE_OK : i == 1 ? EDGE_STORE_AGAIN : EDGE_STORE_UNKNOWN);
        assert_int_equal(f->connects, 1);
        later();
    }
    f->refuse = MER_EBUSY; /* nobody can be asked whether it lives */
    looked("eu-2.b", "eu-2.b.09");
    later();
    looked("", NULL); /* it took its own out */
    assert_int_equal(f->connects, 2);
}

static void a_dead_edge_s_entry_is_made_ours_again(void **state)
{
    (void)state;
    entered();
    looked("eu-2.b", "eu-2.b.09"); /* it woke up, found an old connection, entered it, and died */
    lives(EDGE_STORE_ABSENT);
    assert_int_equal(f->connects, 2);
    connected(EDGE_STORE_OK);
    later();
    looked("eu-1.a", "eu-1.a.0000000000000007");
    assert_false(waits());
}

static void of_a_session_that_ended_nothing_is_made(void **state)
{
    (void)state;
    entered();
    looked("eu-2.b", "eu-2.b.09");
    f->session.state = EDGE_SESSION_DETACHED;
    lives(EDGE_STORE_ABSENT);
    assert_false(waits());
    assert_int_equal(f->connects, 1);
}

static void an_older_connection_elsewhere_is_told_to_go(void **state)
{
    static const struct {
        const char *edge, *session;
        unsigned replaces;
        enum mer_err refuse;
    } rows[] = {
        {"eu-2.b", "eu-2.b.09", 1, MER_OK},
        {"eu-2.b", "eu-2.b.09", 1, MER_ENOTFOUND}, /* a dead edge has none left */
        {"eu-1.a", "eu-1.a.03", 0, MER_OK},        /* our own knows */
        {"", "", 0, MER_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct edge_player p = nobody();
        edge_store_player_cb cb;
        p.previous_edge = rows[i].edge;
        p.previous_session = rows[i].session;
        p.time_ms = 0x1980000001;
        f->replaces = f->registered = 0;
        edge__registry_connect(&f->session, false);
        cb = f->on_connected;
        f->on_connected = NULL;
        f->refuse = rows[i].refuse;
        cb(f->ctx, EDGE_STORE_OK, &p);
        f->refuse = MER_OK;
        assert_int_equal(f->replaces, rows[i].replaces);
        assert_int_equal(f->registered, 1);
        edge__registry_drop(&f->sessions);
    }
}

static void who_cannot_be_entered_for_want_of_memory_does_not_stay(void **state)
{
    (void)state;
    mer_mem_fail_at(1);
    edge__registry_connect(&f->session, false);
    mer_mem_fail_at(0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->connects, 0);
    assert_false(waits());
}

static void who_goes_is_taken_out_unless_the_whole_edge_goes(void **state)
{
    (void)state;
    edge__registry_disconnect(&f->session);
    f->refuse = MER_EBUSY; /* nobody repeats it: the entry names a session that is gone */
    edge__registry_disconnect(&f->session);
    assert_int_equal(f->disconnects, 2);
    f->sessions.stopping = true;
    edge__registry_disconnect(&f->session);
    assert_int_equal(f->disconnects, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_that_stands_is_looked_at_once),
        TEST(what_failed_is_repeated_and_what_was_lost_is_made_again),
        TEST(a_living_edge_s_entry_is_left_alone_and_looked_at_again),
        TEST(a_dead_edge_s_entry_is_made_ours_again),
        TEST(of_a_session_that_ended_nothing_is_made),
        TEST(an_older_connection_elsewhere_is_told_to_go),
        TEST(who_cannot_be_entered_for_want_of_memory_does_not_stay),
        TEST(who_goes_is_taken_out_unless_the_whole_edge_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
