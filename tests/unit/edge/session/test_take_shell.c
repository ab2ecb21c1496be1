/* SPDX-License-Identifier: Apache-2.0
 * A session that comes from another edge: asked for, given, and joined with what was told here meanwhile. The other edge is the test's, as
 * are the registry, the seats and the connections: these functions stand before the product's at link time. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/session/session.h"
#include "edge/session/sessions.h"
#include "edge/session/tickets.h"
#include "fake_loop.h"
#include "unit.h"

#define CM(x) Meridian__Client__V1__##x
#define IM(x) Meridian__Internal__V1__##x
#define SAYS(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define OUTCOME(x) MERIDIAN__CLIENT__V1__RESUME_OUTCOME__RESUME_OUTCOME_##x

#define THERE "eu-1.a"
#define OLD THERE ".0000000000000007"

enum { CONNS = 4, HEARD = 64, SEEN = 3 /* the client's last offset */ };

static struct fix {
    struct edge_app app;
    struct fake_clock clock;
    struct mer_rng_seeded seed;
    struct edge_conn conn[CONNS];
    unsigned conns;
    edge_bus_cb on[64];
    unsigned takes, givens;
    bool given_found, given_whole;
    enum mer_err refuse; /* what the bus says */
    char asked_by[EDGE_SESSION_ID_BYTES];
    /* what the client was told */
    int outcome;
    char id[EDGE_SESSION_ID_BYTES];
    uint64_t epoch, base;
    struct {
        int kind;
        uint64_t offset, version;
    } heard[HEARD];
    unsigned count;
    unsigned entered, quiet, left_out, dispatched, gone;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

void edge_bus_on(struct edge_bus *b, IM(BusMessage__BodyCase) kind, edge_bus_cb cb, void *ctx)
{
    (void)b;
    assert_ptr_equal(ctx, &f->app);
    f->on[kind] = cb;
}
void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx)
{
    (void)b, (void)cb, (void)ctx;
}
enum mer_err edge_bus_send(struct edge_bus *b, const char *to, IM(BusMessage) * m)
{
    (void)b;
    if (f->refuse != MER_OK)
        return f->refuse;
    if (m->body_case == BUS(SESSION_TAKE)) {
        assert_string_equal(to, THERE);
        assert_string_equal(m->session_take->session, OLD);
        assert_int_equal(m->session_take->entered_ms, 77);
        snprintf(f->asked_by, sizeof(f->asked_by), "%s", m->session_take->asked_by);
        f->takes++;
    } else {
        assert_int_equal(m->body_case, BUS(SESSION_TAKEN));
        f->given_found = m->session_taken->found;
        f->given_whole = m->session_taken->whole;
        f->givens++;
    }
    return MER_OK;
}

void edge__registry_connect(struct edge_session *s, bool quiet)
{
    (void)s;
    f->entered++;
    f->quiet += quiet;
}
void edge__registry_disconnect(struct edge_session *s)
{
    (void)s;
    f->left_out++;
}
void edge__registry_drop(struct edge_sessions *all)
{
    (void)all;
}
void edge__auth_connected(struct edge_session *s, int outcome, const char *reason)
{
    (void)reason;
    f->outcome = outcome;
    edge__session_id(s, f->id);
    f->epoch = s->epoch;
    f->base = s->offset;
}
void edge__auth_arm(struct edge_session *s)
{
    (void)s;
}
void edge__dispatch(struct edge_session *s, enum edge_opcode op, uint8_t *data, size_t len)
{
    if (!edge__take_later(s, op, data, len))
        f->dispatched++;
}
void edge__invites_init(struct edge_user *u, uint64_t now_ms)
{
    (void)u, (void)now_ms;
}
void edge_tickets_user_gone(struct edge_tickets *t, struct edge_user *u)
{
    (void)t;
    assert_int_equal(u->live, 0);
    f->gone++;
}
void edge_tickets_user_back(struct edge_tickets *t, struct edge_user *u)
{
    (void)t, (void)u;
}
void edge_tickets_drop(struct edge_tickets *t, struct edge_user *u)
{
    (void)t, (void)u;
}
void edge_seats_present(struct edge_seats *s, const char *user)
{
    (void)s, (void)user;
}
void edge_seats_leave(struct edge_seats *s, const char *user)
{
    (void)s, (void)user;
}
void edge_conn_close(struct edge_conn *c, uint16_t code, const char *reason)
{
    (void)c, (void)code, (void)reason;
}
bool edge_conn_is_open(const struct edge_conn *c)
{
    (void)c;
    return true;
}
void edge_conn_send(struct edge_conn *c, enum edge_opcode op, const void *data, size_t len)
{
    (void)c;
    CM(ServerMessage) *m = meridian__client__v1__server_message__unpack(NULL, len, data);
    assert_int_equal(op, EDGE_BINARY);
    assert_non_null(m);
    assert_true(f->count < HEARD);
    f->heard[f->count].kind = (int)m->body_case;
    f->heard[f->count].offset = m->offset;
    f->heard[f->count++].version = m->body_case == SAYS(CARD_FLIPPED) ? m->card_flipped->version
                                   : m->body_case == SAYS(GAME_STATE) ? m->game_state->version
                                                                      : 0;
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    f->app.clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), MER_OK);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    f->app.rng = mer_rng_seed(&f->seed, 7);
    f->app.conf.ring_pool_bytes = 1 << 20;
    snprintf(f->app.incarnation, sizeof(f->app.incarnation), "eu-2.b");
    assert_int_equal(edge_sessions_create(&f->app.sessions, &f->app), MER_OK);
    edge__take_init(&f->app);
    return 0;
}
static int tear_down(void **state)
{
    edge_sessions_destroy(f->app.sessions);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

/* ---- steps --------------------------------------------------------------------------------------------------------------------------- */

/* Ana's phone has a connection here. */
static struct edge_session *comes(void)
{
    struct mer_claims claims = {.sub = "ana", .name = "Ana"};
    struct edge_conn *c = &f->conn[f->conns++];
    struct edge_session *s = edge__session_create(f->app.sessions, c, EDGE_PROTO);
    assert_non_null(s);
    c->user = s;
    assert_int_equal(edge__session_admit(s, &claims, "phone"), MER_OK);
    return s;
}

/* ... and asks for what it had there: the registry says so, too. */
static struct edge_session *asks(void)
{
    struct edge_player p = {.game = "g-1", .ticket = "", .previous_edge = THERE, .previous_session = OLD};
    CM(Resume) r = MERIDIAN__CLIENT__V1__RESUME__INIT;
    struct edge_session *s = comes();
    edge__take_registered(s, &p);
    s->entered_ms = 77;
    r.session = (char *)OLD;
    r.epoch = 1;
    r.offset = SEEN;
    edge__take_begin(s, &r);
    assert_int_equal(f->takes, 1);
    assert_true(s->holding);
    return s;
}

enum kind { STATE, FLIP, TEXT };

/* text: what makes it long. */
static CM(ServerMessage) * message(enum kind kind, uint64_t version, const char *text)
{
    static CM(ServerMessage) m;
    static CM(GameState) game;
    static CM(CardFlipped) flip;
    static CM(DirectMessage) direct;
    m = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    game = (CM(GameState))MERIDIAN__CLIENT__V1__GAME_STATE__INIT;
    flip = (CM(CardFlipped))MERIDIAN__CLIENT__V1__CARD_FLIPPED__INIT;
    direct = (CM(DirectMessage))MERIDIAN__CLIENT__V1__DIRECT_MESSAGE__INIT;
    game.game_id = flip.game_id = (char *)"g-1";
    game.game = (char *)"memory";
    game.version = flip.version = version;
    direct.from = direct.message_id = (char *)"";
    direct.text = (char *)text;
    m.body_case = kind == STATE ? SAYS(GAME_STATE) : kind == FLIP ? SAYS(CARD_FLIPPED) : SAYS(MESSAGE);
    if (kind == STATE)
        m.game_state = &game;
    else if (kind == FLIP)
        m.card_flipped = &flip;
    else
        m.message = &direct;
    return &m;
}
static void tell(enum kind kind, uint64_t version)
{
    edge_sessions_to_user(f->app.sessions, "ana", message(kind, version, "hello"));
}

/* The other edge gives it up: flips of these versions behind what the client has seen; 0 ends. */
static void given(const uint64_t *versions, bool whole)
{
    IM(SessionTaken) t = MERIDIAN__INTERNAL__V1__SESSION_TAKEN__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    IM(RingMessage) row[8], *rows[8];
    uint8_t packed[8][128];
    size_t n = 0;
    for (; versions[n] != 0; n++) {
        row[n] = (IM(RingMessage))MERIDIAN__INTERNAL__V1__RING_MESSAGE__INIT;
        row[n].offset = SEEN + 1 + n;
        row[n].message.len = meridian__client__v1__server_message__pack(message(FLIP, versions[n], ""), packed[n]);
        row[n].message.data = packed[n];
        rows[n] = &row[n];
    }
    t.session = (char *)OLD;
    t.asked_by = f->asked_by;
    t.found = true;
    t.whole = whole;
    t.has_offset = true;
    t.offset = SEEN + n;
    t.missed = rows;
    t.n_missed = whole ? n : 0;
    m.body_case = BUS(SESSION_TAKEN);
    m.session_taken = &t;
    m.from = (char *)THERE;
    f->count = 0;
    f->on[BUS(SESSION_TAKEN)](&f->app, &m);
}

static const uint64_t to_seven[] = {6, 7, 0};

static void heard(unsigned i, int kind, uint64_t offset, uint64_t version)
{
    assert_true(i < f->count);
    assert_int_equal(f->heard[i].kind, kind);
    assert_int_equal(f->heard[i].offset, offset);
    assert_int_equal(f->heard[i].version, version);
}

/* The old session, newly numbered; its state follows. */
static void became_a_snapshot(const struct edge_session *s)
{
    assert_int_equal(f->outcome, OUTCOME(SNAPSHOT));
    assert_string_equal(f->id, OLD);
    assert_int_equal(f->epoch, 2);
    assert_int_equal(f->entered, 1);
    assert_int_equal(f->quiet, 0); /* game and ticket are told again */
    assert_int_equal(f->count, 0);
    assert_int_equal(s->ring.count, 0);
    assert_true(s->unshown && !s->holding);
    assert_int_equal(f->app.sessions->values[M_RESUME_SNAPSHOT], 1);
    assert_int_equal(f->app.sessions->values[M_RESUME_REPLAYED], 0);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void what_was_missed_is_told_first_and_then_what_came_here(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    tell(STATE, 7); /* as there: not again */
    tell(FLIP, 8);
    tell(TEXT, 0);
    assert_int_equal(f->count, 0);
    given(to_seven, true);
    assert_int_equal(f->outcome, OUTCOME(REPLAYED));
    assert_string_equal(f->id, OLD);
    assert_int_equal(f->epoch, 1);
    assert_int_equal(f->count, 4);
    heard(0, SAYS(CARD_FLIPPED), 4, 6);
    heard(1, SAYS(CARD_FLIPPED), 5, 7);
    heard(2, SAYS(CARD_FLIPPED), 6, 8);
    heard(3, SAYS(MESSAGE), 7, 0);
    tell(FLIP, 9);
    heard(4, SAYS(CARD_FLIPPED), 8, 9);
    assert_false(s->unshown || s->holding);
    assert_int_equal(f->quiet, 1);
}

static void with_a_hole_it_gets_the_state_instead(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    tell(FLIP, 8); /* before its state: left out, and the old one may not have been told either */
    assert_true(s->missed);
    given(to_seven, true);
    became_a_snapshot(s);
    tell(STATE, 8);
    assert_false(s->missed || s->unshown);
    tell(FLIP, 9);
    heard(0, SAYS(GAME_STATE), 1, 8);
    heard(1, SAYS(CARD_FLIPPED), 2, 9);
}

static void not_all_there_any_more_it_gets_the_state(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    given(to_seven, false);
    became_a_snapshot(s);
}

/* Another device's seat here may be ahead of what was told there: the state is still owed. */
static void a_replay_is_no_state_of_what_happened_here(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    given(to_seven, true);
    assert_int_equal(f->outcome, OUTCOME(REPLAYED));
    assert_int_equal(f->count, 2);
    assert_true(s->unshown);
    tell(FLIP, 9); /* 8 was told here before it came */
    assert_int_equal(f->count, 2);
    tell(STATE, 9);
    tell(FLIP, 10);
    assert_int_equal(f->count, 4);
    heard(2, SAYS(GAME_STATE), 6, 9);
    heard(3, SAYS(CARD_FLIPPED), 7, 10);
}

static void a_state_that_was_told_there_is_owed_no_more(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    given(to_seven, true);
    tell(STATE, 7);
    assert_int_equal(f->count, 2);
    assert_false(s->unshown);
    tell(FLIP, 8);
    heard(2, SAYS(CARD_FLIPPED), 6, 8);
}

/* More than a ring holds while it was asked for. */
static void what_came_here_and_is_not_kept_any_more_is_a_hole(void **state)
{
    struct edge_session *s = asks();
    char text[1000] = "";
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    tell(STATE, 7);
    for (int i = 0; i < 6; i++)
        edge_sessions_to_user(f->app.sessions, "ana", message(TEXT, 0, text));
    assert_true(s->ring.count < s->offset);
    given(to_seven, true);
    became_a_snapshot(s);
}

/* Under memory pressure the pool is small, and joining makes room by dropping the oldest: what is being joined. */
static void a_pool_that_is_full_loses_history_and_nothing_else(void **state)
{
    struct edge_session *s = asks();
    (void)state;
    tell(STATE, 7);
    for (int i = 0; i < 6; i++)
        tell(TEXT, 0);
    edge_ring_pool_resize(&f->app.sessions->pool, f->app.sessions->pool.bytes);
    given(to_seven, true);
    became_a_snapshot(s);
}

/* The connection that asked was lost before the answer, and the next one goes on with the session it had meanwhile. */
static void who_resumes_what_was_waiting_waits_no_more(void **state)
{
    struct edge_session *waiting = asks();
    uint8_t text[] = "{}";
    (void)state;
    tell(STATE, 7);
    edge__session_detach(waiting);
    struct edge_session *s = comes();
    f->count = 0;
    edge__session_adopt(waiting, s);
    edge__session_replay(waiting, 0);
    heard(0, SAYS(GAME_STATE), 1, 7);
    edge__dispatch(waiting, EDGE_BINARY, text, sizeof(text));
    assert_int_equal(f->dispatched, 1);
    given(to_seven, true); /* too late */
    assert_int_equal(f->outcome, 0);
    tell(FLIP, 8);
    assert_int_equal(f->count, 1);
    heard(0, SAYS(CARD_FLIPPED), 2, 8);
}

static void take(const char *session, uint64_t offset, uint32_t entered_ms)
{
    IM(SessionTake) t = MERIDIAN__INTERNAL__V1__SESSION_TAKE__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    t.session = (char *)session;
    t.user = (char *)"ana";
    t.epoch = 1;
    t.offset = offset;
    t.has_entered_ms = entered_ms != 0;
    t.entered_ms = entered_ms;
    t.asked_by = (char *)THERE ".0000000000000009";
    m.body_case = BUS(SESSION_TAKE);
    m.session_take = &t;
    m.from = (char *)THERE;
    f->on[BUS(SESSION_TAKE)](&f->app, &m);
}

/* To this edge he is gone, however his connection looked: his ticket has to know. */
static void a_session_that_is_given_up_takes_its_player_along(void **state)
{
    struct edge_session *s = comes();
    char id[EDGE_SESSION_ID_BYTES];
    (void)state;
    edge__session_id(s, id);
    tell(STATE, 7);
    f->refuse = MER_EBUSY; /* the answer cannot be sent: it waits here for another try */
    take(id, 0, 0);
    f->refuse = MER_OK;
    assert_int_equal(f->gone, 0);
    assert_int_equal(edge_sessions_count(f->app.sessions), 1);
    take(id, 0, 0);
    assert_true(f->given_found && f->given_whole);
    assert_int_equal(f->gone, 1);
    assert_int_equal(edge_sessions_count(f->app.sessions), 0);
    assert_int_equal(f->left_out, 0); /* the registry's entry is the other's */
    take(id, 0, 0);
    assert_false(f->given_found);
    assert_int_equal(f->gone, 1);
}

/* He was there for a moment, came back, and that edge wakes up and asks for him. */
static void who_has_come_back_since_stays(void **state)
{
    static const struct {
        uint32_t here_ms, there_ms;
        bool live, given;
    } rows[] = {
        {1001, 999, true, false},     {1001, 1001, true, true},    {1001, 1003, true, true}, {1001, 999, false, true}, /* he is not here */
        {1001, 0, true, true}, /* its registry did not answer */
        {0, 999, true, true},  /* ours has not yet */
        {3, UINT32_MAX, true, false}, {UINT32_MAX, 3, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct edge_session *s = comes();
        char id[EDGE_SESSION_ID_BYTES];
        f->conns = 0;
        edge__session_id(s, id);
        s->entered_ms = rows[i].here_ms;
        if (!rows[i].live)
            edge__session_detach(s);
        take(id, 0, rows[i].there_ms);
        assert_int_equal(f->given_found, rows[i].given);
        assert_int_equal(edge_sessions_count(f->app.sessions), rows[i].given ? 0 : 1);
        if (!rows[i].given)
            edge__session_destroy(s);
    }
}

static void who_is_back_is_as_new_as_his_connection(void **state)
{
    struct edge_session *old = comes(), *s;
    (void)state;
    old->entered_ms = 1001;
    edge__session_detach(old);
    s = comes();
    edge__session_adopt(old, s); /* the registry has not answered yet */
    assert_int_equal(old->entered_ms, 1001);
    edge__session_detach(old);
    s = comes();
    s->entered_ms = 2001;
    edge__session_adopt(old, s);
    assert_int_equal(old->entered_ms, 2001);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_missed_is_told_first_and_then_what_came_here),
        TEST(with_a_hole_it_gets_the_state_instead),
        TEST(not_all_there_any_more_it_gets_the_state),
        TEST(a_replay_is_no_state_of_what_happened_here),
        TEST(a_state_that_was_told_there_is_owed_no_more),
        TEST(what_came_here_and_is_not_kept_any_more_is_a_hole),
        TEST(a_pool_that_is_full_loses_history_and_nothing_else),
        TEST(who_resumes_what_was_waiting_waits_no_more),
        TEST(a_session_that_is_given_up_takes_its_player_along),
        TEST(who_has_come_back_since_stays),
        TEST(who_is_back_is_as_new_as_his_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
