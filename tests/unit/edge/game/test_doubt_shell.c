/* SPDX-License-Identifier: Apache-2.0
 * The owner's side between a store, a bus and a clock that are the test's: these functions stand before the product's at link time. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/game/handover.h"
#include "edge/game/host_private.h"
#include "fake_loop.h"
#include "metric_moved.h"
#include "unit.h"

#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x
#define IM(x) Meridian__Internal__V1__##x
#define SM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

enum { SAID = 64, ME = 1, OTHER = 2 };
static const char *const me = "e-1.me", *const other = "e-2.other";

static struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct fake_clock clock;
    struct mer_rng_seeded seed;
    struct edge_host *host;
    struct edge_hosted *game;
    edge_bus_cb bus[32];
    edge_routers_cb create;
    void *ctx, *handover;
    bool held;
    uint32_t lapses;
    /* the one call under way */
    edge_store_game_cb cb;
    void *cb_ctx;
    char call;
    unsigned gets, puts;
    uint64_t put_version;
    struct edge_fence fence;
    struct {
        unsigned kind, body; /* of the bus; of the client's message in it */
        char to[64], owner[64];
        uint64_t version;
    } said[SAID];
    unsigned said_count;
} * f;

/* --- the world ------------------------------------------------------------------------------------------------------------------------ */

static enum mer_err call(char what, edge_store_game_cb cb, void *ctx)
{
    assert_null(f->cb);
    f->call = what;
    f->cb = cb;
    f->cb_ctx = ctx;
    return MER_OK;
}

enum mer_err edge_store_game_create(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    (void)s;
    f->fence = w->fence;
    return call('c', cb, ctx);
}
enum mer_err edge_store_game_put(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    (void)s;
    f->puts++;
    f->put_version = w->version;
    return call('p', cb, ctx);
}
enum mer_err edge_store_game_end(struct edge_store *s, const struct edge_store_write *w, edge_store_game_cb cb, void *ctx)
{
    return edge_store_game_put(s, w, cb, ctx);
}
enum mer_err edge_store_game_get(struct edge_store *s, const char *gid, edge_store_game_cb cb, void *ctx)
{
    (void)s, (void)gid;
    f->gets++;
    return call('g', cb, ctx);
}
enum mer_err edge_store_game_touch(struct edge_store *s, const char *gid, const struct edge_fence *fence, uint64_t version,
                                   edge_store_game_cb cb, void *ctx)
{
    (void)s, (void)gid, (void)fence, (void)version, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_game_claim(struct edge_store *s, const char *gid, const struct edge_fence *seen, const char *owner, uint64_t nonce,
                                   edge_store_game_cb cb, void *ctx)
{
    (void)s, (void)gid, (void)seen, (void)owner, (void)nonce;
    return call('k', cb, ctx);
}
enum mer_err edge_store_game_blame(struct edge_store *s, const char *gid, const char *incarnation, edge_store_game_cb cb, void *ctx)
{
    (void)s, (void)gid, (void)incarnation, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_player_unseat(struct edge_store *s, const char *user, const char *gid, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)gid, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_player_settle(struct edge_store *s, const char *user, const char *gid, const struct edge_store_result_event *e,
                                      edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)gid, (void)e, (void)cb, (void)ctx;
    return MER_EBUSY;
}
uint64_t edge_store_now_ms(struct edge_store *s)
{
    (void)s;
    return 50000000 + f->loop.now_ms;
}
uint16_t edge_store_game_slot(const char *gid)
{
    (void)gid;
    return 7;
}
bool edge_store_live_held(const struct edge_store *s)
{
    (void)s;
    return f->held;
}
uint32_t edge_store_live_lapses(const struct edge_store *s)
{
    (void)s;
    return f->lapses;
}
const char *edge_store_result_name(enum edge_store_result r)
{
    (void)r;
    return "?";
}

void edge_bus_on(struct edge_bus *b, Meridian__Internal__V1__BusMessage__BodyCase kind, edge_bus_cb cb, void *ctx)
{
    (void)b;
    f->bus[kind] = cb;
    f->ctx = ctx;
}
const char *edge_bus_incarnation(const struct edge_bus *b)
{
    (void)b;
    return me;
}
enum mer_err edge_bus_send(struct edge_bus *b, const char *to, IM(BusMessage) * m)
{
    (void)b;
    assert_true(f->said_count < SAID);
    unsigned at = f->said_count++;
    f->said[at].kind = m->body_case;
    snprintf(f->said[at].to, sizeof(f->said[at].to), "%s", to);
    if (m->body_case == BUS(SEAT_EVENTS)) {
        f->said[at].version = m->seat_events->version;
        f->said[at].body = m->seat_events->reply ? m->seat_events->reply->message->body_case : m->seat_events->messages[0]->body_case;
    } else if (m->body_case == BUS(SEAT_REFUSED)) {
        snprintf(f->said[at].owner, sizeof(f->said[at].owner), "%s", m->seat_refused->owner ? m->seat_refused->owner : "");
    } else if (m->body_case == BUS(SEAT_SNAPSHOT)) {
        f->said[at].version = m->seat_snapshot->version;
    }
    return MER_OK;
}
void edge_routers_on(struct edge_routers *r, Meridian__Internal__V1__RouterMessage__BodyCase kind, edge_routers_cb cb, void *ctx)
{
    (void)r, (void)ctx;
    if (kind == MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_GAME_CREATE)
        f->create = cb;
}
enum mer_err edge_routers_send(struct edge_routers *r, const IM(RouterMessage) * m)
{
    (void)r, (void)m;
    return MER_OK;
}

/* --- steps ------------------------------------------------------------------------------------------------------------------------------
 */

static void run_for(uint64_t ms)
{
    fake_loop_run_for(&f->loop, &f->clock, ms);
}

/* The process stands still, and its first turn afterwards begins. */
static void sleep_for(uint64_t ms)
{
    f->clock.mono_us += ms * 1000;
    f->loop.now_ms += ms;
}
static void timers(void)
{
    mer_wheel_advance(&f->loop.wheel, f->loop.now_ms, UINT32_MAX);
}

static void answer(enum edge_store_result result, int whose, uint64_t version)
{
    struct edge_stored stored = {.version = version, .fence = f->fence, .owner = whose == ME ? me : other, .time_ms = 1};
    edge_store_game_cb cb = f->cb;
    assert_non_null(cb);
    stored.fence.epoch += whose == OTHER;
    stored.fence.nonce += whose == OTHER;
    f->cb = NULL;
    f->call = 0;
    cb(f->cb_ctx, result, &stored);
}

static void hear(IM(BusMessage) * m, const char *from)
{
    m->from = (char *)from;
    f->bus[m->body_case](f->ctx, m);
}

static void attach(const char *user, const char *from, uint64_t version)
{
    IM(SeatAttach) a = MERIDIAN__INTERNAL__V1__SEAT_ATTACH__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    a.game_id = (char *)"g-1";
    a.user = (char *)user;
    a.version = version;
    m.body_case = BUS(SEAT_ATTACH);
    m.seat_attach = &a;
    hear(&m, from);
}

static void detach(const char *user, const char *from)
{
    IM(SeatDetach) d = MERIDIAN__INTERNAL__V1__SEAT_DETACH__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    d.game_id = (char *)"g-1";
    d.user = (char *)user;
    m.body_case = BUS(SEAT_DETACH);
    m.seat_detach = &d;
    hear(&m, from);
}

/* move_id NULL: get_game */
static void request(const char *user, const char *move_id, uint32_t card)
{
    IM(SeatRequest) r = MERIDIAN__INTERNAL__V1__SEAT_REQUEST__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    Meridian__Client__V1__Move move = MERIDIAN__CLIENT__V1__MOVE__INIT;
    Meridian__Client__V1__Flip flip = MERIDIAN__CLIENT__V1__FLIP__INIT;
    Meridian__Client__V1__GetGame get = MERIDIAN__CLIENT__V1__GET_GAME__INIT;
    r.game_id = move.game_id = get.game_id = (char *)"g-1";
    r.user = (char *)user;
    r.session = (char *)"s-1";
    r.deadline_ms = 10000;
    flip.card = card;
    move.move_id = (char *)move_id;
    move.action_case = MERIDIAN__CLIENT__V1__MOVE__ACTION_FLIP;
    move.flip = &flip;
    r.body_case = move_id ? MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_MOVE : MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_GET_GAME;
    r.move = move_id ? &move : NULL;
    if (!move_id)
        r.get_game = &get;
    m.body_case = BUS(SEAT_REQUEST);
    m.seat_request = &r;
    hear(&m, me);
}

static void claimed_by_other(uint64_t epoch)
{
    IM(GameClaimed) c = MERIDIAN__INTERNAL__V1__GAME_CLAIMED__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    c.game_id = (char *)"g-1";
    c.generation = 1;
    c.epoch = epoch;
    m.body_case = BUS(GAME_CLAIMED);
    m.game_claimed = &c;
    hear(&m, other);
}

static void order_game(const char *id, const ProtobufCBinaryData *trace)
{
    IM(GameCreate) c = MERIDIAN__INTERNAL__V1__GAME_CREATE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    IM(CreateSeat) seat[2] = {MERIDIAN__INTERNAL__V1__CREATE_SEAT__INIT, MERIDIAN__INTERNAL__V1__CREATE_SEAT__INIT};
    IM(CreateSeat) * seats[2] = {&seat[0], &seat[1]};
    static const char *const users[] = {"ann", "bob"};
    for (unsigned i = 0; i < 2; i++) {
        seat[i].user = seat[i].name = (char *)users[i];
        seat[i].kind = MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_HUMAN;
        seat[i].has_trace = trace != NULL;
        if (trace)
            seat[i].trace = trace[i];
    }
    c.match_id = (char *)id;
    c.game = (char *)"memory";
    c.rows = c.cols = 4;
    c.n_seats = 2;
    c.seats = seats;
    m.game_create = &c;
    f->create(f->host, &m);
}

static void create_game(void)
{
    order_game("g-1", NULL);
    answer(EDGE_STORE_OK, ME, 1);
    f->game = edge__host_find(f->host, "g-1");
    assert_non_null(f->game);
    attach("ann", me, 0);
    attach("bob", me, 0);
    assert_int_equal(f->said_count, 2);
    f->said_count = 0;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    struct mer_clock clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->loop, clock), MER_OK);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, clock);
    mer_metrics_init(&f->metrics);
    f->held = true;
    struct edge_host_conf c = {.loop = &f->loop,
                               .log = &f->log,
                               .rng = mer_rng_seed(&f->seed, 1),
                               .metrics = &f->metrics,
                               .region = "us-east",
                               .seats = {EDGE_SEAT_GRACE_MS, EDGE_SEAT_PAUSE_MS, false}};
    assert_int_equal(edge_host_create(&f->host, &c), MER_OK);
    create_game();
    return 0;
}

static int tear_down(void **state)
{
    if (f->cb) {
        f->host->destroying = true;
        answer(EDGE_STORE_UNKNOWN, ME, 0);
    }
    edge_host_destroy(f->host);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(*state);
    return 0;
}

/* Past his lease: somebody may have claimed everything. */
static void oversleep(void)
{
    sleep_for(12000);
    f->held = false;
}
static void renew(void)
{
    f->held = true;
    f->lapses++;
    edge__host_pulse(f->host);
}

/* --- tests ------------------------------------------------------------------------------------------------------------------------------
 */

static void who_holds_his_key_answers_out_of_memory(void **state)
{
    (void)state;
    request("ann", NULL, 0);
    assert_int_equal(f->said_count, 1);
    assert_int_equal(f->said[0].body, SM(GAME_STATE));
    request("bob", "m-1", 0);
    assert_int_equal(f->said[1].body, SM(ERROR)); /* not his turn */
    assert_int_equal(f->gets, 0);
}

static void who_overslept_says_nothing_before_the_store_has(void **state)
{
    (void)state;
    oversleep();
    request("ann", NULL, 0);
    request("bob", "m-1", 0);
    attach("bob", other, 0);
    assert_int_equal(f->said_count, 0);
    assert_int_equal(f->gets, 1); /* one question for all of them */
    answer(EDGE_STORE_OK, OTHER, 9);
    assert_null(edge__host_find(f->host, "g-1"));
    assert_true(f->said_count >= 3);
    for (unsigned i = 0; i < f->said_count; i++)
        assert_int_equal(f->said[i].kind, BUS(SEAT_REFUSED));
    assert_int_equal(metric_value(&f->metrics, "meridian_edge_games_lost_total"), 1);
}

static void who_overslept_and_owns_it_still_answers_then_in_order(void **state)
{
    (void)state;
    sleep_for(9000); /* more of the turn is left: no time is given back */
    f->held = false;
    request("bob", "m-1", 0);
    request("ann", NULL, 0);
    attach("bob", other, 0);
    renew();
    answer(EDGE_STORE_OK, ME, 1); /* asked before the key came back: the doubt is newer */
    assert_int_equal(f->said_count, 0);
    assert_int_equal(f->call, 'g');
    answer(EDGE_STORE_OK, ME, 1);
    assert_int_equal(f->said_count, 3);
    assert_int_equal(f->said[0].body, SM(ERROR));
    assert_int_equal(f->said[1].body, SM(GAME_STATE));
    assert_int_equal(f->said[2].kind, BUS(SEAT_SNAPSHOT));
}

static void for_a_minute_every_question_is_asked_then_none(void **state)
{
    (void)state;
    f->lapses++;
    edge__host_pulse(f->host);
    for (int i = 0; i < 3; i++) {
        unsigned gets = f->gets;
        request("ann", NULL, 0);
        if (f->call == 'g' && f->gets == gets)
            answer(EDGE_STORE_OK, ME, f->game->core.now.version); /* of the sweep: asked before this message */
        assert_int_equal(f->gets, gets + 1);
        answer(EDGE_STORE_OK, ME, f->game->core.now.version);
        assert_int_equal(f->said[f->said_count - 1].body, SM(GAME_STATE));
    }
    for (int second = 0; second < 61; second++) {
        attach("ann", me, f->game->core.now.version);
        attach("bob", me, f->game->core.now.version);
        run_for(1000);
        while (f->cb)
            answer(EDGE_STORE_OK, ME, f->call == 'p' ? f->put_version : f->game->core.now.version);
    }
    f->said_count = 0;
    unsigned gets = f->gets;
    request("ann", NULL, 0);
    assert_int_equal(f->gets, gets);
    assert_int_equal(f->said_count, 1);
}

static void who_hears_of_a_claim_asks_at_once(void **state)
{
    (void)state;
    claimed_by_other(1); /* not newer than ours: old news */
    assert_int_equal(f->gets, 0);
    claimed_by_other(2);
    assert_int_equal(f->gets, 1);
    request("ann", NULL, 0);
    assert_int_equal(f->said_count, 0);
    answer(EDGE_STORE_OK, OTHER, 4);
    assert_null(edge__host_find(f->host, "g-1"));
    assert_int_equal(f->said[0].kind, BUS(SEAT_REFUSED));
}

static void on_adopted(void *ctx, const char *game_id, enum mer_err err)
{
    assert_string_equal(game_id, "g-1");
    *(int *)ctx = err;
}

/* We slept, somebody claimed it and is dead by now: ours is the state of before. */
static void what_another_owned_since_is_not_ours_to_be_taken_over(void **state)
{
    const struct edge_fence ours = f->game->fence, seen = {ours.generation, ours.epoch + 1, 9};
    int told = 1;
    (void)state;
    assert_int_equal(edge_host_adopt(f->host, "g-1", &ours, me, on_adopted, &told), MER_OK);
    run_for(1);
    assert_int_equal(told, MER_OK); /* it is ours already */
    assert_int_equal(f->gets, 0);
    assert_int_equal(edge_host_adopt(f->host, "g-1", &seen, other, on_adopted, &told), MER_OK);
    run_for(1);
    assert_int_equal(told, MER_EBUSY);
    assert_int_equal(f->gets, 1);
    answer(EDGE_STORE_OK, OTHER, 5);
    assert_null(edge__host_find(f->host, "g-1"));
    assert_int_equal(edge_host_adopt(f->host, "g-1", &seen, other, on_adopted, &told), MER_OK);
    assert_int_equal(f->call, 'k');
    answer(EDGE_STORE_LOST, OTHER, 5);
    run_for(1);
    assert_int_equal(told, MER_EFENCED);
}

static void a_claim_that_was_none_changes_nothing(void **state)
{
    (void)state;
    claimed_by_other(2);
    answer(EDGE_STORE_OK, ME, 1);
    request("ann", NULL, 0);
    assert_int_equal(f->said[0].body, SM(GAME_STATE));
    assert_int_equal(f->gets, 1);
}

/* What the store took before the claim is true and told; what waited behind it is not judged by it. */
static void an_answer_of_before_the_sleep_proves_nothing_about_now(void **state)
{
    (void)state;
    request("ann", "m-1", 0);
    request("bob", "m-2", 1); /* behind the put */
    assert_int_equal(f->call, 'p');
    oversleep();
    answer(EDGE_STORE_OK, ME, 2);
    for (unsigned i = 0; i < f->said_count; i++)
        assert_true(f->said[i].body == SM(MOVE_OK) || f->said[i].body == SM(CARD_FLIPPED));
    assert_int_equal(f->call, 'g');
    answer(EDGE_STORE_OK, OTHER, 5);
    assert_int_equal(f->said[f->said_count - 1].kind, BUS(SEAT_REFUSED));
}

static void our_own_sleep_drops_nobody(void **state)
{
    (void)state;
    run_for(1000);
    sleep_for(6000); /* longer than a proxy's lease, shorter than ours */
    timers();
    run_for(1000);
    attach("ann", me, 1);
    attach("bob", me, 1);
    run_for(3000);
    assert_int_equal(f->puts, 0);
    assert_int_equal(f->game->core.now.seat[0].state, EDGE_SEAT_SEATED);
    assert_int_equal(f->game->core.now.seat[1].state, EDGE_SEAT_SEATED);
    run_for(3000); /* now nobody renews any more: that is an absence */
    assert_int_equal(f->puts, 1);
}

static void a_word_of_one_who_goes_does_not_tell_that_the_others_went(void **state)
{
    (void)state;
    attach("ann", other, 1);
    run_for(1000);
    sleep_for(6000); /* and what was sent meanwhile comes before any timer */
    detach("ann", other);
    assert_int_equal(f->puts, 0);
    attach("ann", me, 1);
    attach("bob", me, 1);
    run_for(1000);
    assert_int_equal(f->puts, 0);
}

/* His edge slept, too: it goes on with what it showed before, and we have forgotten it. */
static void who_came_back_while_nobody_was_sure_is_told_what_he_missed(void **state)
{
    (void)state;
    request("ann", "m-1", 0);
    answer(EDGE_STORE_OK, ME, 2);
    f->held = false;
    edge__host_pulse(f->host);
    f->said_count = 0;
    attach("bob", other, 1);
    renew();
    while (f->call == 'g')
        answer(EDGE_STORE_OK, ME, 2);
    assert_int_equal(f->said_count, 1);
    assert_int_equal(f->said[0].kind, BUS(SEAT_SNAPSHOT));
    assert_string_equal(f->said[0].to, other);
    assert_int_equal(f->said[0].version, 2);
}

static void a_turn_that_ran_out_while_we_slept_is_given_its_time(void **state)
{
    (void)state;
    run_for(2000);
    uint64_t deadline = f->game->core.now.deadline_ms;
    sleep_for(30000);
    f->held = false;
    timers();
    while (f->call == 'g')
        answer(EDGE_STORE_OK, ME, 1);
    assert_int_equal(f->call, 'p');
    answer(EDGE_STORE_OK, ME, 2);
    assert_int_equal(f->said[0].body, SM(GAME_RESUMED));
    assert_true(f->game->core.now.deadline_ms >= deadline + 30000);
    assert_int_equal(f->game->core.now.turns_lost[0], 0);
}

static void who_goes_while_his_coming_waits_is_gone(void **state)
{
    (void)state;
    oversleep();
    attach("ann", other, 0);
    detach("ann", other);
    detach("ann", me);
    answer(EDGE_STORE_OK, ME, 1);
    while (f->call)
        answer(EDGE_STORE_OK, ME, f->call == 'p' ? f->put_version : f->game->core.now.version);
    for (unsigned i = 0; i < f->game->attach_count; i++)
        assert_int_not_equal(f->game->attach[i].seat, 0);
}

static void what_waits_for_a_game_that_ends_is_answered_by_its_end(void **state)
{
    (void)state;
    IM(SeatRequest) r = MERIDIAN__INTERNAL__V1__SEAT_REQUEST__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    Meridian__Client__V1__LeaveGame leave = MERIDIAN__CLIENT__V1__LEAVE_GAME__INIT;
    r.game_id = leave.game_id = (char *)"g-1";
    r.user = (char *)"ann";
    r.session = (char *)"s-1";
    r.body_case = MERIDIAN__INTERNAL__V1__SEAT_REQUEST__BODY_LEAVE_GAME;
    r.leave_game = &leave;
    m.body_case = BUS(SEAT_REQUEST);
    m.seat_request = &r;
    hear(&m, me);
    assert_int_equal(f->call, 'p'); /* the end */
    f->held = false;
    request("bob", NULL, 0);
    f->said_count = 0;
    answer(EDGE_STORE_OK, ME, 2);
    assert_int_equal(f->said[f->said_count - 1].body, SM(GAME_STATE));
    assert_int_equal(f->game->held_count, 0);
}

static void more_than_a_game_may_hold_is_lost_not_kept(void **state)
{
    (void)state;
    oversleep();
    for (unsigned i = 0; i < EDGE_HOST_HELD + 10; i++)
        request("ann", NULL, 0);
    assert_int_equal(f->game->held_count, EDGE_HOST_HELD);
    f->said_count = 0;
}

/* --- a game that is being given to another edge ----------------------------------------------------------------------------------------
 */

static struct edge_handover *giving(void)
{
    struct edge_handover *h;
    assert_int_equal(edge_handover_create(&h, &f->host->c, f->host), MER_OK);
    f->handover = f->ctx;
    f->ctx = f->host;
    edge_handover_start(h, &other, 1, 1000);
    run_for(100);
    assert_int_equal(f->said[f->said_count - 1].kind, BUS(GAME_HAND_OVER));
    edge_handover_stop(h);
    f->said_count = 0;
    return h;
}
static void handed(bool taken)
{
    IM(GameHandedOver) o = MERIDIAN__INTERNAL__V1__GAME_HANDED_OVER__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    o.game_id = (char *)"g-1";
    o.taken = taken;
    m.body_case = BUS(GAME_HANDED_OVER);
    m.game_handed_over = &o;
    m.from = (char *)other;
    f->bus[m.body_case](f->handover, &m);
}

static void what_is_asked_while_a_game_is_given_in_vain_is_answered(void **state)
{
    struct edge_handover *h = giving();
    (void)state;
    request("ann", "m-1", 0);
    request("bob", "m-2", 1);
    assert_int_equal(f->said_count, 0);
    assert_int_equal(f->puts, 0);
    handed(false);
    assert_int_equal(f->call, 'g');
    answer(EDGE_STORE_OK, ME, 1);
    assert_int_equal(f->call, 'p');
    answer(EDGE_STORE_OK, ME, 2);
    assert_int_equal(f->said[0].body, SM(MOVE_OK));
    assert_int_equal(f->said[1].body, SM(ERROR)); /* not his turn */
    edge_handover_destroy(h);
}

static void who_asked_a_game_that_was_given_is_sent_after_it_first(void **state)
{
    struct edge_handover *h = giving();
    (void)state;
    request("ann", "m-1", 0);
    handed(true);
    assert_null(edge__host_find(f->host, "g-1"));
    assert_int_equal(f->said[0].kind, BUS(SEAT_REFUSED));
    assert_string_equal(f->said[0].owner, other);
    edge_handover_destroy(h);
}

/* --- a game that is created for tickets that are traced --------------------------------------------------------------------------------
 */

static struct mer_tracer *traced(void)
{
    static struct mer_tracer t;
    static struct mer_rng_seeded ids;
    mer_tracer_init(&t, f->loop.clock, mer_rng_seed(&ids, 3), 0);
    f->host->c.tracer = &t;
    return &t;
}
static unsigned count_of(const struct mer_tracer *t, const char *text)
{
    unsigned n = 0;
    const uint8_t *at = t->pending.data, *end = at + t->pending.len;
    for (; t->pending.len > 0 && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL; at++)
        n++;
    return n;
}
#define BYTES(n, text) ((ProtobufCBinaryData){(n), (uint8_t *)(text)})
#define MATCH BYTES(25, "trace-of-a-find!matching\1")

static void a_game_is_created_in_the_trace_of_each_seat(void **state)
{
    const ProtobufCBinaryData both[] = {MATCH, BYTES(25, "trace-of-anothe!matched-\1")};
    struct mer_tracer *t = traced();
    (void)state;
    order_game("g-2", both);
    answer(EDGE_STORE_AGAIN, ME, 0);
    assert_int_equal(t->spans, 2);
    run_for(EDGE_HOST_RETRY_MAX_MS);
    answer(EDGE_STORE_OK, ME, 1);
    assert_int_equal(t->spans, 6);
    assert_int_equal(count_of(t, "\"name\":\"redis mer1_create\""), 4);
    assert_int_equal(count_of(t, "\"name\":\"create game\""), 2);
    assert_int_equal(count_of(t, "\"parentSpanId\":\"6d61746368696e67\""), 1);
    assert_int_equal(count_of(t, "\"parentSpanId\":\"6d6174636865642d\""), 1);
    assert_int_equal(count_of(t, "\"traceId\":\"74726163652d6f662d612d66696e6421\""), 3);
    assert_int_equal(count_of(t, "\"status\""), 2); /* the tries that the store did not take */
    assert_null(edge__host_find(f->host, "g-2")->birth);
    mer_tracer_deinit(t);
}

static void a_game_that_is_refused_says_so_in_its_trace(void **state)
{
    const ProtobufCBinaryData one[] = {MATCH, BYTES(0, "")};
    struct mer_tracer *t = traced();
    (void)state;
    order_game("g-2", one);
    answer(EDGE_STORE_VOIDED, ME, 0);
    assert_int_equal(t->spans, 2);
    assert_int_equal(count_of(t, "\"status\""), 2);
    assert_null(edge__host_find(f->host, "g-2"));
    mer_tracer_deinit(t);
}

static void what_comes_with_a_seat_and_is_no_trace_is_none(void **state)
{
    const ProtobufCBinaryData hostile[] = {BYTES(0, ""),
                                           BYTES(1, "\1"),
                                           BYTES(24, "trace-of-a-find!matching"),
                                           BYTES(26, "trace-of-a-find!matching\1\1"),
                                           BYTES(25, "trace-of-a-find!matching\0"),
                                           BYTES(25, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0matching\1"),
                                           BYTES(25, "trace-of-a-find!\0\0\0\0\0\0\0\0\1"),
                                           BYTES(40, "trace-of-a-find!matching\1.and-what-comes-behind")};
    struct mer_tracer *t = traced();
    char id[] = "g-20";
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hostile); i++, id[3]++) {
        order_game(id, (const ProtobufCBinaryData[]){hostile[i], hostile[i]});
        assert_null(edge__host_find(f->host, id)->birth->trace);
        answer(EDGE_STORE_OK, ME, 1);
    }
    assert_int_equal(t->spans, 0);
    mer_tracer_deinit(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(who_holds_his_key_answers_out_of_memory),
        TEST(who_overslept_says_nothing_before_the_store_has),
        TEST(who_overslept_and_owns_it_still_answers_then_in_order),
        TEST(for_a_minute_every_question_is_asked_then_none),
        TEST(who_hears_of_a_claim_asks_at_once),
        TEST(what_another_owned_since_is_not_ours_to_be_taken_over),
        TEST(a_claim_that_was_none_changes_nothing),
        TEST(an_answer_of_before_the_sleep_proves_nothing_about_now),
        TEST(our_own_sleep_drops_nobody),
        TEST(a_word_of_one_who_goes_does_not_tell_that_the_others_went),
        TEST(who_came_back_while_nobody_was_sure_is_told_what_he_missed),
        TEST(a_turn_that_ran_out_while_we_slept_is_given_its_time),
        TEST(who_goes_while_his_coming_waits_is_gone),
        TEST(what_waits_for_a_game_that_ends_is_answered_by_its_end),
        TEST(more_than_a_game_may_hold_is_lost_not_kept),
        TEST(what_is_asked_while_a_game_is_given_in_vain_is_answered),
        TEST(who_asked_a_game_that_was_given_is_sent_after_it_first),
        TEST(a_game_is_created_in_the_trace_of_each_seat),
        TEST(a_game_that_is_refused_says_so_in_its_trace),
        TEST(what_comes_with_a_seat_and_is_no_trace_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
