/* SPDX-License-Identifier: Apache-2.0
 * A user's seat proxy: the owner found, lost and found again, and a seat in another region given up when that region is silent for too
 * long. The bus, the store, the host and what asks other regions are the test's: these functions stand before the product's at link time.
 */
#include "edge/game/seats.h"

#include <fcntl.h>
#include <unistd.h>

#include "fake_loop.h"
#include "unit.h"

#define IM(x) Meridian__Internal__V1__##x
#define CM(x) Meridian__Client__V1__##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define FROM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

#define FAR_GAME "us.g-1"
#define FAR_OWNER "us/e-7.there"
#define HOME_GAME "g-1"
#define HOME_OWNER "e-2.next"
#define SELF "e-1.me"

enum { KINDS = 64, PAUSED_LINK_MS = 2000, SHOWN_VERSION = 3, RENEWED_MS = 5000, STEP_MS = 100 };

static struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct fake_clock clock;
    struct mer_rng_seeded seed;
    struct edge_seats *seats;
    edge_bus_cb bus[KINDS];
    void *bus_ctx;
    void (*peer_down)(void *ctx, const char *incarnation, bool dead);
    /* the record that was asked for */
    edge_store_game_cb asked;
    void *asked_ctx;
    unsigned adoptions;
    /* what went out */
    unsigned attaches, states, ends, link_pauses, cleared, unseated;
    uint64_t version; /* ... of the last attach: what the user has been shown */
    bool unshown;     /* what the session layer says */
    int error;
    char attached_to[64];
    struct mer_tracer tracer;
    struct mer_rng_seeded ids;
    bool with_matched; /* snapshots have it */
} * f;

/* --- the world ------------------------------------------------------------------------------------------------------------------------ */

void edge_bus_on(struct edge_bus *b, IM(BusMessage__BodyCase) kind, edge_bus_cb cb, void *ctx)
{
    (void)b;
    assert_true((unsigned)kind < KINDS);
    f->bus[kind] = cb;
    f->bus_ctx = ctx;
}
void edge_bus_on_peer_down(struct edge_bus *b, void (*cb)(void *ctx, const char *incarnation, bool dead), void *ctx)
{
    (void)b, (void)ctx;
    f->peer_down = cb;
}
const char *edge_bus_incarnation(const struct edge_bus *b)
{
    (void)b;
    return SELF;
}
enum mer_err edge_bus_send(struct edge_bus *b, const char *to, IM(BusMessage) * m)
{
    (void)b;
    if (m->body_case == BUS(SEAT_ATTACH)) {
        f->attaches++;
        f->version = m->seat_attach->version;
    }
    snprintf(f->attached_to, sizeof(f->attached_to), "%s", to);
    return MER_OK;
}

bool edge_abroad_has(const struct edge_abroad *a, const char *gid)
{
    (void)a;
    return strchr(gid, '.') != NULL;
}
enum mer_err edge_abroad_game_get(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    (void)a, (void)gid;
    assert_null(f->asked);
    f->asked = cb;
    f->asked_ctx = ctx;
    return MER_OK;
}
enum mer_err edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    return edge_abroad_game_get(a, gid, cb, ctx);
}
enum mer_err edge_abroad_adopt(struct edge_abroad *a, const char *gid, const struct edge_fence *seen, const char *owner,
                               void (*cb)(void *ctx, const char *game_id, enum mer_err err), void *ctx)
{
    (void)a, (void)seen, (void)owner;
    f->adoptions++;
    cb(ctx, gid, MER_OK);
    return MER_OK;
}

void edge_host_unseat(struct edge_host *h, const char *user, const char *game_id)
{
    (void)h, (void)user, (void)game_id;
    f->cleared++;
}
void edge_host_settle(struct edge_host *h, const char *user, const char *game_id, const struct mer_buf *result)
{
    (void)h, (void)user, (void)game_id, (void)result;
}
uint64_t edge_store_now_ms(struct edge_store *s)
{
    (void)s;
    return 0;
}
enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)cb, (void)ctx;
    return MER_EBUSY;
}

static void to_user(void *ctx, const char *user, const CM(ServerMessage) * m)
{
    (void)ctx, (void)user;
    f->states += m->body_case == FROM(GAME_STATE);
    f->ends += m->body_case == FROM(GAME_OVER);
    if (m->body_case == FROM(ERROR))
        f->error = (int)m->error->code;
    if (m->body_case == FROM(GAME_PAUSED)) {
        assert_int_equal(m->game_paused->reason, MERIDIAN__CLIENT__V1__PAUSE_REASON__PAUSE_REASON_LINK);
        f->link_pauses++;
    }
}
static void to_session(void *ctx, const char *session, const CM(ServerMessage) * m)
{
    (void)session;
    to_user(ctx, "", m);
}
static bool is_there(void *ctx, const char *user)
{
    (void)ctx, (void)user;
    return true;
}
static bool is_unshown(void *ctx, const char *user)
{
    (void)ctx, (void)user;
    return f->unshown;
}
static void seated(void *ctx, const char *user, const char *ticket_id, const char *game_id)
{
    (void)ctx, (void)user, (void)ticket_id, (void)game_id;
}
static void unseated(void *ctx, const char *user, const char *game_id)
{
    (void)ctx, (void)user, (void)game_id;
    f->unseated++;
}

/* --- steps ---------------------------------------------------------------------------------------------------------------------------- */

static void answer(enum edge_store_result result, const char *owner)
{
    struct edge_stored s = {.owner = owner};
    edge_store_game_cb cb = f->asked;
    assert_non_null(cb);
    f->asked = NULL;
    cb(f->asked_ctx, result, &s);
}

static void run_for(uint64_t ms)
{
    fake_loop_run_for(&f->loop, &f->clock, ms);
}

/* Whatever is asked meanwhile gets no answer that means anything. */
static void silence(uint64_t ms)
{
    for (; ms > 0; ms -= STEP_MS) {
        if (f->asked)
            answer(EDGE_STORE_UNKNOWN, "");
        run_for(STEP_MS);
    }
}

/* Until it asks for the record. */
static void wait_for_ask(void)
{
    for (unsigned ms = 0; !f->asked && ms < 5000; ms++)
        run_for(1);
    assert_non_null(f->asked);
}

static void snapshot_of(const char *game, const char *owner, CM(GameStatus) status, uint64_t version)
{
    CM(GameState) g = MERIDIAN__CLIENT__V1__GAME_STATE__INIT;
    CM(ServerMessage) state = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    CM(Matched) who = MERIDIAN__CLIENT__V1__MATCHED__INIT;
    CM(ServerMessage) matched = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    IM(SeatSnapshot) s = MERIDIAN__INTERNAL__V1__SEAT_SNAPSHOT__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    g.game_id = (char *)game;
    g.status = status;
    state.body_case = FROM(GAME_STATE);
    state.game_state = &g;
    who.game_id = (char *)game;
    matched.body_case = FROM(MATCHED);
    matched.matched = &who;
    s.game_id = (char *)game;
    s.user = (char *)"u";
    s.version = version;
    s.game_state = &state;
    s.matched = f->with_matched ? &matched : NULL;
    m.from = (char *)owner;
    m.body_case = BUS(SEAT_SNAPSHOT);
    m.seat_snapshot = &s;
    f->bus[BUS(SEAT_SNAPSHOT)](f->bus_ctx, &m);
}

static void snapshot(const char *game, const char *owner)
{
    snapshot_of(game, owner, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PLAYING, SHOWN_VERSION);
}

/* The next thing that happens in the game is its end. */
static void game_over(const char *game, const char *owner)
{
    CM(GameOver) over = MERIDIAN__CLIENT__V1__GAME_OVER__INIT;
    CM(ServerMessage) said = MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT, *messages[] = {&said};
    IM(SeatEvents) e = MERIDIAN__INTERNAL__V1__SEAT_EVENTS__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    char *users[] = {(char *)"u"};
    over.game_id = (char *)game;
    said.body_case = FROM(GAME_OVER);
    said.game_over = &over;
    e.game_id = (char *)game;
    e.version = SHOWN_VERSION + 1;
    e.n_messages = e.n_users = 1;
    e.messages = messages;
    e.users = users;
    m.from = (char *)owner;
    m.body_case = BUS(SEAT_EVENTS);
    m.seat_events = &e;
    f->bus[BUS(SEAT_EVENTS)](f->bus_ctx, &m);
}

static void refused(const char *game, const char *owner, IM(Refusal) why)
{
    IM(SeatRefused) r = MERIDIAN__INTERNAL__V1__SEAT_REFUSED__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    r.game_id = (char *)game;
    r.user = (char *)"u";
    r.refusal = why;
    m.from = (char *)owner;
    m.body_case = BUS(SEAT_REFUSED);
    m.seat_refused = &r;
    f->bus[BUS(SEAT_REFUSED)](f->bus_ctx, &m);
}

static void play(const char *game, const char *owner)
{
    edge_seats_join(f->seats, "u", NULL, game);
    answer(EDGE_STORE_OK, owner);
    assert_string_equal(f->attached_to, owner);
    snapshot(game, owner);
    assert_int_equal(f->states, 1);
}

#define assert_seat_is(game) \
    do { \
        const char *has = edge_seats_game(f->seats, "u"); \
        assert_non_null(has); \
        assert_string_equal(has, game); \
        assert_int_equal(f->unseated, 0); \
    } while (0)
#define assert_given_up() \
    do { \
        assert_null(edge_seats_game(f->seats, "u")); \
        assert_int_equal(f->error, CODE(NO_SUCH_GAME)); \
        assert_int_equal(f->cleared, 1); \
        assert_int_equal(f->unseated, 1); \
    } while (0)

static int set_up(void **state)
{
    static const struct edge_seats_cbs cbs = {to_user, to_session, is_there, is_there, is_unshown, seated, unseated};
    f = calloc(1, sizeof(*f));
    *state = f;
    struct mer_clock clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->loop, clock), MER_OK);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, clock);
    mer_metrics_init(&f->metrics);
    struct edge_seats_conf conf = {.loop = &f->loop,
                                   .log = &f->log,
                                   .rng = mer_rng_seed(&f->seed, 7),
                                   .metrics = &f->metrics,
                                   .cbs = &cbs,
                                   .ctx = f,
                                   .tracer = &f->tracer};
    mer_tracer_init(&f->tracer, clock, mer_rng_seed(&f->ids, 8), 0);
    assert_int_equal(edge_seats_create(&f->seats, &conf), MER_OK);
    return 0;
}

static int tear_down(void **state)
{
    edge_seats_leave(f->seats, "u");
    if (f->asked)
        answer(EDGE_STORE_UNKNOWN, "");
    edge_seats_destroy(f->seats);
    mer_tracer_deinit(&f->tracer);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(*state);
    return 0;
}

/* --- a region out of reach ------------------------------------------------------------------------------------------------------------ */

static void a_far_seat_is_kept_until_its_owner_has_seen_to_it_and_then_given_up(void **state)
{
    (void)state;
    assert_true(EDGE_ABROAD_GIVE_UP_MS > EDGE_SEAT_GRACE_MS + EDGE_SEAT_PAUSE_MS + 5 * 1000); /* his lease there */
    play(FAR_GAME, FAR_OWNER);
    f->peer_down(f->bus_ctx, FAR_OWNER, false);
    silence(EDGE_ABROAD_GIVE_UP_MS - 1000);
    assert_seat_is(FAR_GAME);
    silence(4000); /* its next step */
    assert_given_up();
}

static void a_far_seat_that_was_never_reached_is_given_up_too(void **state)
{
    (void)state;
    edge_seats_join(f->seats, "u", NULL, FAR_GAME);
    silence(EDGE_ABROAD_GIVE_UP_MS - 1000);
    assert_seat_is(FAR_GAME);
    silence(4000);
    assert_given_up();
}

static void a_far_seat_whose_region_comes_back_in_time_is_shown_again(void **state)
{
    (void)state;
    play(FAR_GAME, FAR_OWNER);
    for (unsigned cut = 0; cut < 3; cut++) { /* each by itself too short */
        f->peer_down(f->bus_ctx, FAR_OWNER, false);
        silence(EDGE_ABROAD_GIVE_UP_MS - 10 * 1000);
        wait_for_ask();
        answer(EDGE_STORE_OK, FAR_OWNER);
        snapshot(FAR_GAME, FAR_OWNER);
        assert_int_equal(f->states, cut + 2);
        assert_seat_is(FAR_GAME);
    }
    assert_int_equal(f->cleared, 0);
}

static void a_seat_at_home_is_never_given_up(void **state)
{
    (void)state;
    play(HOME_GAME, HOME_OWNER);
    f->peer_down(f->bus_ctx, HOME_OWNER, false);
    silence(3 * (uint64_t)EDGE_ABROAD_GIVE_UP_MS);
    assert_seat_is(HOME_GAME);
    assert_int_equal(f->cleared, 0);
}

/* --- an owner that is lost ------------------------------------------------------------------------------------------------------------ */

static void who_watches_is_told_once_that_the_owner_is_lost(void **state)
{
    (void)state;
    play(HOME_GAME, HOME_OWNER);
    f->peer_down(f->bus_ctx, HOME_OWNER, false);
    silence(PAUSED_LINK_MS - STEP_MS);
    assert_int_equal(f->link_pauses, 0);
    silence(2 * STEP_MS);
    assert_int_equal(f->link_pauses, 1);
    silence(10 * 1000);
    assert_int_equal(f->link_pauses, 1);
}

static void a_game_whose_owner_is_dead_is_adopted_here(void **state)
{
    (void)state;
    play(HOME_GAME, HOME_OWNER);
    f->peer_down(f->bus_ctx, HOME_OWNER, true);
    wait_for_ask();
    answer(EDGE_STORE_OK, HOME_OWNER);
    assert_int_equal(f->adoptions, 1);
    run_for(STEP_MS);
    assert_string_equal(f->attached_to, SELF);
}

static void a_game_whose_owner_is_another_meanwhile_is_followed_there(void **state)
{
    (void)state;
    play(HOME_GAME, HOME_OWNER);
    f->peer_down(f->bus_ctx, HOME_OWNER, true);
    wait_for_ask();
    answer(EDGE_STORE_OK, "e-3.other");
    assert_int_equal(f->adoptions, 0);
    assert_string_equal(f->attached_to, "e-3.other");
}

static void a_seat_that_the_owner_does_not_know_is_cleared_at_once(void **state)
{
    (void)state;
    edge_seats_join(f->seats, "u", NULL, FAR_GAME);
    answer(EDGE_STORE_OK, FAR_OWNER);
    refused(FAR_GAME, FAR_OWNER, MERIDIAN__INTERNAL__V1__REFUSAL__REFUSAL_NOT_YOURS);
    assert_null(edge_seats_game(f->seats, "u"));
    assert_int_equal(f->cleared, 1);
    assert_int_equal(f->unseated, 1);
}

/* --- who comes in the very moment ----------------------------------------------------------------------------------------------------- */

static void who_watches_sees_the_end(void **state)
{
    (void)state;
    play(FAR_GAME, FAR_OWNER);
    game_over(FAR_GAME, FAR_OWNER);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->unseated, 1);
}

static void who_has_just_come_gets_the_state_instead_of_the_end(void **state)
{
    (void)state;
    play(FAR_GAME, FAR_OWNER);
    unsigned attaches = f->attaches;
    f->unshown = true;
    game_over(FAR_GAME, FAR_OWNER);
    assert_int_equal(f->ends, 0);
    assert_seat_is(FAR_GAME);
    assert_int_equal(f->attaches, attaches + 1);
    snapshot_of(FAR_GAME, FAR_OWNER, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER, SHOWN_VERSION + 1);
    assert_int_equal(f->states, 2);
    assert_int_equal(f->cleared, 1);
    assert_int_equal(f->unseated, 1);
}

/* --- traces --------------------------------------------------------------------------------------------------------------------------- */

static const struct mer_span found = {.me = {"trace-of-a-find", "its-own"}, .start_us = 1};

static bool told_of(const char *text)
{
    return f->tracer.pending.len > 0 && memmem(f->tracer.pending.data, f->tracer.pending.len, text, strlen(text)) != NULL;
}

static void a_ticket_s_span_ends_when_its_player_is_told(void **state)
{
    (void)state;
    edge_seats_join(f->seats, "u", NULL, FAR_GAME);
    edge_seats_found(f->seats, "u", &found);
    answer(EDGE_STORE_OK, FAR_OWNER);
    snapshot(FAR_GAME, FAR_OWNER);
    assert_int_equal(f->tracer.spans, 0); /* without `matched` */
    f->with_matched = true;
    snapshot_of(FAR_GAME, FAR_OWNER, MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_PLAYING, SHOWN_VERSION + 1);
    assert_int_equal(f->tracer.spans, 1);
    assert_true(told_of("\"name\":\"find_match\"") && told_of(FAR_GAME) && told_of("{\"stringValue\":\"matched\"}") && !told_of("status"));
    edge_seats_found(f->seats, "u", &found); /* told already */
    assert_int_equal(f->tracer.spans, 2);
    edge_seats_leave(f->seats, "u");
    assert_int_equal(f->tracer.spans, 2);
}

static void a_seat_that_goes_before_takes_the_span_along(void **state)
{
    (void)state;
    edge_seats_join(f->seats, "u", NULL, FAR_GAME);
    edge_seats_found(f->seats, "u", &found);
    edge_seats_leave(f->seats, "u");
    assert_int_equal(f->tracer.spans, 1);
    assert_true(told_of("\"status\""));
    edge_seats_found(f->seats, "u", &found); /* nobody sits here */
    assert_int_equal(f->tracer.spans, 2);
}

static void who_is_owed_the_state_gets_it_with_the_next_renewal(void **state)
{
    (void)state;
    play(FAR_GAME, FAR_OWNER);
    f->version = UINT64_MAX;
    f->unshown = true;
    for (unsigned ms = 0; f->version == UINT64_MAX && ms < RENEWED_MS; ms++)
        run_for(1);
    assert_int_equal(f->version, 0); /* else the owner has nothing to say */
    snapshot(FAR_GAME, FAR_OWNER);
    assert_int_equal(f->states, 2);
    f->unshown = false;
    run_for(RENEWED_MS);
    assert_int_equal(f->version, SHOWN_VERSION);
    snapshot(FAR_GAME, FAR_OWNER);
    assert_int_equal(f->states, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_far_seat_is_kept_until_its_owner_has_seen_to_it_and_then_given_up),
        TEST(a_far_seat_that_was_never_reached_is_given_up_too),
        TEST(a_far_seat_whose_region_comes_back_in_time_is_shown_again),
        TEST(a_seat_at_home_is_never_given_up),
        TEST(who_watches_is_told_once_that_the_owner_is_lost),
        TEST(a_game_whose_owner_is_dead_is_adopted_here),
        TEST(a_game_whose_owner_is_another_meanwhile_is_followed_there),
        TEST(a_seat_that_the_owner_does_not_know_is_cleared_at_once),
        TEST(who_watches_sees_the_end),
        TEST(who_has_just_come_gets_the_state_instead_of_the_end),
        TEST(who_is_owed_the_state_gets_it_with_the_next_renewal),
        TEST(a_ticket_s_span_ends_when_its_player_is_told),
        TEST(a_seat_that_goes_before_takes_the_span_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
