/* SPDX-License-Identifier: Apache-2.0
 * A ticket between its player, the store, the router and the game, in every order that an offer, a cancel, a new leader and the store's
 * answers can come. The store, the bus, the links and the sessions are the test's: these functions stand before the product's at link time.
 */
#include "edge/game/abroad.h"
#include "edge/session/tickets.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/session/deliver.h"
#include "edge/session/ticket.h"
#include "fake_loop.h"
#include "unit.h"

#define IM(x) Meridian__Internal__V1__##x
#define CM(x) Meridian__Client__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x
#define STATE(x) MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

static struct fix {
    struct edge_app app;
    struct fake_clock clock;
    struct mer_rng_seeded seed;
    struct edge_sessions sessions;
    struct edge_user user;
    struct edge_session session;
    edge_routers_cb router[32];
    void *router_ctx;
    edge_bus_cb request;
    void *request_ctx;
    /* the store's call under way, by name */
    const char *call;
    edge_store_player_cb player;
    edge_store_game_cb game;
    edge_store_text_cb text;
    void *ctx;
    /* what was said last, and how often */
    int told, asked; /* ticket states to all devices, to the one that asked; 0: nothing */
    char reason[96];
    int error;
    unsigned opens, briefs, cancels, accepted, declined, forwarded;
    char joined[64];
    const char *seat; /* the game this edge knows the user in */
    char id[64];      /* of the ticket, as told */
    char code[64], opened_code[64];
    bool hosts, opened_hosts, brief;
    uint64_t expires_at_ms;
    uint8_t trace[2 * MER_TRACE_BYTES]; /* that the router was told */
    size_t trace_len;
    struct mer_span found; /* that the seat was given */
} * f;

/* --- the world --------------------------------------------------------------------------------------------------------------------------
 */

static enum mer_err call(const char *what, void *ctx)
{
    assert_null(f->call);
    f->call = what;
    f->ctx = ctx;
    return MER_OK;
}
static enum mer_err player_call(const char *what, edge_store_player_cb cb, void *ctx)
{
    f->player = cb;
    return call(what, ctx);
}

enum mer_err edge_store_ticket_open(struct edge_store *s, const char *user, const char *ticket, uint64_t lifetime_ms,
                                    edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)ticket, (void)lifetime_ms;
    return player_call("open", cb, ctx);
}
enum mer_err edge_store_ticket_close(struct edge_store *s, const char *user, const char *ticket, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)ticket;
    return player_call("close", cb, ctx);
}
enum mer_err edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid, const char *owner,
                                    edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)ticket, (void)gid, (void)owner;
    return player_call("seat", cb, ctx);
}
enum mer_err edge_store_player_unseat(struct edge_store *s, const char *user, const char *gid, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user, (void)gid;
    return player_call("unseat", cb, ctx);
}
enum mer_err edge_store_player_get(struct edge_store *s, const char *user, edge_store_player_cb cb, void *ctx)
{
    (void)s, (void)user;
    return player_call("get", cb, ctx);
}
bool edge_abroad_has(const struct edge_abroad *a, const char *gid)
{
    (void)a;
    return strchr(gid, '.') != NULL;
}
enum mer_err edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    (void)a, (void)gid;
    f->game = cb;
    return call("void", ctx);
}
enum mer_err edge_store_live_get(struct edge_store *s, const char *incarnation, edge_store_text_cb cb, void *ctx)
{
    (void)s, (void)incarnation;
    f->text = cb;
    return call("live", ctx);
}

void edge_routers_on(struct edge_routers *r, IM(RouterMessage__BodyCase) kind, edge_routers_cb cb, void *ctx)
{
    (void)r;
    f->router[kind] = cb;
    f->router_ctx = ctx;
}
enum mer_err edge_routers_send(struct edge_routers *r, const IM(RouterMessage) * m)
{
    (void)r;
    f->opens += m->body_case == ROUTER(TICKET_OPEN);
    if (m->body_case == ROUTER(TICKET_OPEN)) {
        snprintf(f->opened_code, sizeof(f->opened_code), "%s", m->ticket_open->code ? m->ticket_open->code : "");
        f->opened_hosts = m->ticket_open->hosts;
        f->brief = m->ticket_open->brief;
        f->trace_len = m->ticket_open->has_trace ? m->ticket_open->trace.len : 0;
        assert_true(f->trace_len <= sizeof(f->trace));
        if (f->trace_len > 0)
            memcpy(f->trace, m->ticket_open->trace.data, f->trace_len);
    }
    f->briefs += m->body_case == ROUTER(TICKET_OPEN) && m->ticket_open->brief;
    if (m->body_case == ROUTER(SEAT_ANSWER) && m->seat_answer->accepted) { /* whose seat it is */
        assert_string_equal(m->seat_answer->user, "u");
        assert_non_null(m->seat_answer->name);
    }
    f->cancels += m->body_case == ROUTER(TICKET_CANCEL);
    f->accepted += m->body_case == ROUTER(SEAT_ANSWER) && m->seat_answer->accepted;
    f->declined += m->body_case == ROUTER(SEAT_ANSWER) && !m->seat_answer->accepted;
    return MER_OK;
}
void edge_bus_on(struct edge_bus *b, IM(BusMessage__BodyCase) kind, edge_bus_cb cb, void *ctx)
{
    (void)b, (void)kind;
    f->request = cb;
    f->request_ctx = ctx;
}
enum mer_err edge_bus_send(struct edge_bus *b, const char *to, IM(BusMessage) * m)
{
    (void)b, (void)to;
    f->forwarded += m->body_case == MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_TICKET_REQUEST;
    if (m->body_case == MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_USER_MESSAGE)
        f->asked = (int)m->user_message->message->ticket->state;
    return MER_OK;
}

static void keep(const CM(ServerMessage) * m, int *where)
{
    *where = (int)m->ticket->state;
    snprintf(f->reason, sizeof(f->reason), "%s", m->ticket->reason ? m->ticket->reason : "");
    snprintf(f->id, sizeof(f->id), "%s", m->ticket->ticket_id);
    snprintf(f->code, sizeof(f->code), "%s", m->ticket->code ? m->ticket->code : "");
    f->hosts = m->ticket->hosts;
    f->expires_at_ms = m->ticket->expires_at_ms;
}
void edge_deliver(struct edge_app *app, const char *user, const CM(ServerMessage) * m)
{
    (void)app, (void)user;
    keep(m, &f->told);
}
void edge_sessions_to_session(struct edge_sessions *s, const char *session, const CM(ServerMessage) * m)
{
    (void)s, (void)session;
    keep(m, &f->asked);
}
void edge__session_error(struct edge_session *s, CM(ErrorCode) code, const char *text, const char *re, uint32_t retry_after_ms)
{
    (void)s, (void)text, (void)re, (void)retry_after_ms;
    f->error = (int)code;
}
void edge__session_id(const struct edge_session *s, char out[EDGE_SESSION_ID_BYTES])
{
    (void)s;
    snprintf(out, EDGE_SESSION_ID_BYTES, "s-1");
}
struct edge_session *edge__session_find(struct edge_sessions *all, const char *id)
{
    (void)all, (void)id;
    return &f->session;
}
struct edge_user *edge__user_find(struct edge_sessions *all, const char *id)
{
    (void)all, (void)id;
    return &f->user;
}
void edge__user_release(struct edge_sessions *all, struct edge_user *u)
{
    (void)all, (void)u;
}
const char *edge_seats_game(const struct edge_seats *s, const char *user)
{
    (void)s, (void)user;
    return f->seat;
}
void edge_seats_join(struct edge_seats *s, const char *user, const char *session, const char *game_id)
{
    (void)s, (void)user, (void)session;
    snprintf(f->joined, sizeof(f->joined), "%s", game_id);
}

void edge_seats_found(struct edge_seats *s, const char *user, const struct mer_span *span)
{
    (void)s;
    assert_string_equal(user, "u");
    f->found = *span;
}

/* --- steps ------------------------------------------------------------------------------------------------------------------------------
 */

static struct edge_player record;

static void answer(const char *which, enum edge_store_result result)
{
    static const struct edge_stored nothing = {.owner = ""}, other = {.owner = "e-2.other"};
    assert_non_null(f->call);
    assert_string_equal(f->call, which);
    f->call = NULL;
    if (f->game && strcmp(which, "void") == 0)
        f->game(f->ctx, result, result == EDGE_STORE_EXISTS ? &other : &nothing);
    else if (strcmp(which, "live") == 0)
        f->text(f->ctx, result, "");
    else
        f->player(f->ctx, result, &record);
}

static void run_for(uint64_t ms)
{
    fake_loop_run_for(&f->app.loop, &f->clock, ms);
}

static void find_traced(const char *traceparent)
{
    CM(FindMatch) m = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    struct edge_invite nobody = {.hosts = false};
    m.game = (char *)"memory";
    edge_tickets_find(&f->session, &m, &nobody, traceparent);
}
static void find(void)
{
    find_traced(NULL);
}
static void cancel(void)
{
    char id[64];
    memcpy(id, f->id, sizeof(id));
    f->asked = f->told = 0;
    edge_tickets_cancel(&f->session, id);
}
static void offer_traced(const char *match, const void *trace, size_t len)
{
    IM(SeatOffer) o = MERIDIAN__INTERNAL__V1__SEAT_OFFER__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    o.ticket_id = f->id;
    o.match_id = (char *)match;
    o.owner = (char *)"e-2.other";
    o.has_trace = trace != NULL;
    o.trace = (ProtobufCBinaryData){len, (uint8_t *)trace};
    m.seat_offer = &o;
    f->router[ROUTER(SEAT_OFFER)](f->router_ctx, &m);
}
static void offer(const char *match)
{
    offer_traced(match, NULL, 0);
}
static void release(const char *match)
{
    IM(SeatRelease) r = MERIDIAN__INTERNAL__V1__SEAT_RELEASE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    r.ticket_id = f->id;
    r.match_id = (char *)match;
    m.seat_release = &r;
    f->router[ROUTER(SEAT_RELEASE)](f->router_ctx, &m);
}
static void seated(void)
{
    edge_tickets_seated(f->app.tickets, "u", f->id);
}
static void waiting(void)
{
    find();
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
    f->told = 0;
}
static void sit(const char *match)
{
    offer(match);
    answer("seat", EDGE_STORE_OK);
    assert_true(f->accepted > 0);
}
/* The game was never made: the ticket waits again. */
static void reopened(void)
{
    answer("void", EDGE_STORE_OK);
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    record = (struct edge_player){"", "", "", "", 0, "", "", NULL, 0, 0};
    f->app.clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), MER_OK);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    f->app.rng = mer_rng_seed(&f->seed, 7);
    f->app.sessions = &f->sessions;
    f->sessions.app = &f->app;
    f->session.all = &f->sessions;
    f->session.state = EDGE_SESSION_LIVE;
    f->session.user = &f->user;
    f->user.id = f->user.name = (char *)"u";
    snprintf(f->app.incarnation, sizeof(f->app.incarnation), "e-1.me");
    f->app.conf.region = (char *)"eu";
    assert_int_equal(edge_tickets_create(&f->app.tickets, &f->app), MER_OK);
    return 0;
}

static int tear_down(void **state)
{
    edge_tickets_drop(f->app.tickets, &f->user);
    if (f->call && (f->game || f->player) && strcmp(f->call, "get") != 0)
        answer(f->call, EDGE_STORE_UNKNOWN);
    edge_tickets_destroy(f->app.tickets);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

/* --- a cancel and a match ---------------------------------------------------------------------------------------------------------------
 */

/* ---- friends ------------------------------------------------------------------------------------------------------------------------- */

static void find_as(const char *code, bool hosts)
{
    CM(FindMatch) m = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    struct edge_invite invite = {.hosts = hosts};
    m.game = (char *)"memory";
    snprintf(invite.code.text, sizeof(invite.code.text), "%s", code);
    edge_tickets_find(&f->session, &m, &invite, NULL);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
}
static void ended(void)
{
    cancel();
    answer("close", EDGE_STORE_OK);
    assert_null(f->user.ticket);
}

static void an_invitation_tells_its_code_to_player_and_router(void **state)
{
    (void)state;
    find_as("eu-7KQM3-XPVTB", true);
    assert_string_equal(f->code, "eu-7KQM3-XPVTB");
    assert_string_equal(f->opened_code, f->code);
    assert_true(f->hosts && f->opened_hosts && !f->brief);
    assert_true(f->expires_at_ms - mer_clock_wall_ms(&f->app.clock) == EDGE_INVITE_MS);
    run_for(EDGE_INVITE_MS / 2);
    edge_tickets_explain(&f->session, f->id);
    assert_true(f->expires_at_ms - mer_clock_wall_ms(&f->app.clock) == EDGE_INVITE_MS / 2);
    ended();
}

static void a_friend_s_code_is_told_on_and_the_table_is_not_his(void **state)
{
    (void)state;
    find_as("us-east-7KQM3-XPVTB", false);
    assert_string_equal(f->code, "us-east-7KQM3-XPVTB");
    assert_string_equal(f->opened_code, f->code);
    assert_false(f->hosts || f->opened_hosts || f->brief);
    ended();
}

static void a_ticket_without_a_code_has_none(void **state)
{
    (void)state;
    waiting();
    assert_string_equal(f->code, "");
    assert_true(f->brief && !f->hosts && f->expires_at_ms == 0);
    ended();
}

static void a_ticket_outlives_the_last_device_by_half_a_minute_and_an_invitation_by_two(void **state)
{
    (void)state;
    for (int invites = 0; invites < 2; invites++) {
        invites ? find_as("eu-7KQM3-XPVTB", true) : waiting();
        edge_tickets_user_gone(f->app.tickets, &f->user);
        run_for((invites ? EDGE_INVITE_LINGER_MS : EDGE_TICKET_LINGER_MS) - 10);
        edge_tickets_user_back(f->app.tickets, &f->user);
        run_for(EDGE_INVITE_LINGER_MS);
        assert_null(f->call);
        edge_tickets_user_gone(f->app.tickets, &f->user);
        run_for((invites ? EDGE_INVITE_LINGER_MS : EDGE_TICKET_LINGER_MS) + 10);
        answer("close", EDGE_STORE_OK);
        assert_null(f->user.ticket);
    }
}

/* ---- cancelling ---------------------------------------------------------------------------------------------------------------------- */

static void cancel_before_the_offer_is_cancelled_and_the_offer_declined(void **state)
{
    (void)state;
    waiting();
    cancel();
    assert_int_equal(f->cancels, 1);
    offer("g-1");
    assert_int_equal(f->declined, 1);
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
}

static void cancel_while_the_seat_is_being_written_is_too_late(void **state)
{
    (void)state;
    waiting();
    offer("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    answer("seat", EDGE_STORE_OK);
    seated();
    assert_null(f->user.ticket);
    assert_int_equal(f->error, 0);
}

static void cancel_of_a_seat_that_is_released_after_all_is_cancelled(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    release("g-1");
    reopened();
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_int_equal(f->opens, 1); /* the router was not asked again */
}

static void cancel_while_it_is_found_out_whether_the_game_was_made_is_answered_by_it(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-1");
    assert_null(f->user.ticket);
}

static void cancel_while_the_ticket_is_opened_again_is_cancelled(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    answer("void", EDGE_STORE_OK);
    cancel();
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
}

static void cancel_that_crosses_matched_gets_matched_again(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    seated();
    f->seat = "g-1";
    record.game = "g-1";
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_string_equal(f->joined, "g-1");
    assert_int_equal(f->error, 0);
}

static void cancel_of_a_game_that_nobody_here_knows_yet_is_to_be_asked_again(void **state)
{
    (void)state;
    static const struct edge_device devices[] = {{"phone", "e-2.other", "s-2"}};
    record.game = "g-1"; /* the ticket was opened at another edge, and is SEATED there */
    record.devices = devices;
    record.device_count = 1;
    snprintf(f->id, sizeof(f->id), "t-elsewhere");
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->forwarded, 1); /* the wish, should it come to nothing */
    assert_string_equal(f->joined, "g-1");
    assert_int_equal(f->error, CODE(TRY_AGAIN));
}

static void cancel_of_what_is_no_ticket_is_told_so(void **state)
{
    (void)state;
    snprintf(f->id, sizeof(f->id), "t-nothing");
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->error, CODE(NO_SUCH_TICKET));
    waiting();
    cancel();
    answer("close", EDGE_STORE_OK);
    f->error = 0;
    cancel(); /* twice */
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->error, CODE(NO_SUCH_TICKET));
}

static void cancel_of_a_ticket_that_another_game_takes_the_place_of_is_cancelled(void **state)
{
    (void)state;
    find();
    find(); /* which tells its id */
    cancel();
    record.game = "g-other";
    answer("open", EDGE_STORE_HAS_GAME);
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-other");
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_null(f->user.ticket);
}

static void cancel_while_it_expires_is_expired(void **state)
{
    (void)state;
    IM(TicketStatus) st = MERIDIAN__INTERNAL__V1__TICKET_STATUS__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    waiting();
    st.ticket_id = f->id;
    st.state = STATE(EXPIRED);
    st.reason = (char *)"no match was found in time";
    m.ticket_status = &st;
    f->router[ROUTER(TICKET_STATUS)](f->router_ctx, &m);
    cancel();
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(EXPIRED));
    assert_string_equal(f->reason, "no match was found in time");
}

static void the_router_is_told_everything_when_it_asks(void **state)
{
    IM(TicketAsk) a = MERIDIAN__INTERNAL__V1__TICKET_ASK__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    (void)state;
    waiting();
    assert_int_equal(f->briefs, 1);
    m.ticket_ask = &a;
    a.ticket_id = f->id;
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m);
    assert_int_equal(f->opens, 2);
    assert_int_equal(f->briefs, 1);
    sit("g-1");
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m); /* not now */
    a.ticket_id = (char *)"t-unknown";
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m);
    assert_int_equal(f->opens, 2);
}

/* --- leaders ----------------------------------------------------------------------------------------------------------------------------
 */

static void a_new_leader_frees_a_seat_whose_game_nobody_will_make(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    reopened(); /* at once, not after six seconds */
    assert_int_equal(f->told, STATE(WAITING));
    assert_int_equal(f->opens, 2);
    sit("g-2");
}

static void a_game_that_was_made_wins_over_a_new_leader(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-1");
    assert_null(f->user.ticket);
}

static void a_seat_that_opens_while_it_is_voided_is_taken(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    seated();
    answer("void", EDGE_STORE_EXISTS);
    assert_null(f->user.ticket);
    assert_int_equal(f->opens, 1);
}

static void a_new_leader_during_the_writing_of_a_seat_frees_it_behind(void **state)
{
    (void)state;
    waiting();
    offer("g-1");
    edge_tickets_hand_in(f->app.tickets);
    answer("seat", EDGE_STORE_OK);
    assert_int_equal(f->accepted, 0);
    reopened();
    assert_int_equal(f->opens, 2);
}

static void a_new_leader_gets_what_waits(void **state)
{
    (void)state;
    waiting();
    edge_tickets_hand_in(f->app.tickets);
    assert_int_equal(f->opens, 2);
    assert_null(f->call);
}

/* --- games that are never made ----------------------------------------------------------------------------------------------------------
 */

static void a_game_that_is_never_made_ends_the_ticket_at_the_third(void **state)
{
    (void)state;
    waiting();
    for (int i = 0; i < 3; i++) {
        sit("g-1");
        run_for(EDGE_SEAT_OPEN_WAIT_MS);
        reopened();
    }
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(EXPIRED));
    assert_string_equal(f->reason, "no server could start the game");
    assert_null(f->user.ticket);
    assert_int_equal(f->opens, 3);
}

static void seats_that_somebody_took_back_do_not_count(void **state)
{
    (void)state;
    waiting();
    for (int i = 0; i < 5; i++) {
        sit("g-1");
        if (i % 2)
            release("g-1");
        else
            edge_tickets_hand_in(f->app.tickets);
        reopened();
    }
    assert_int_equal(f->told, STATE(WAITING));
}

/* What runs while it cannot be found out whether the game was made. */
static void void_in_vain(uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms; waited += 10 * 1000) {
        answer("void", EDGE_STORE_UNKNOWN);
        run_for(10 * 1000);
    }
}

static void a_seat_in_a_region_that_cannot_be_reached_is_given_up(void **state)
{
    (void)state;
    waiting();
    sit("asia.g-1");
    release("asia.g-1");
    void_in_vain(EDGE_ABROAD_GIVE_UP_MS - 10 * 1000);
    assert_string_equal(f->call, "void");
    void_in_vain(10 * 1000);
    answer("void", EDGE_STORE_UNKNOWN);
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
}

static void a_seat_at_home_is_never_given_up_before_its_store_has_spoken(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    void_in_vain(3 * EDGE_ABROAD_GIVE_UP_MS);
    assert_string_equal(f->call, "void");
    reopened();
}

/* ---- traces -------------------------------------------------------------------------------------------------------------------------- */

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
static const uint8_t match_span[MER_TRACE_BYTES] = "trace-of-a-find!matching\x01";

static struct mer_tracer *traced(uint32_t per_million)
{
    struct mer_trace_export_conf conf = {&f->app.loop,         &f->app.log,     &f->app.metrics, f->app.rng,
                                         "http://127.0.0.1:1", "meridian-edge", per_million};
    assert_int_equal(mer_trace_open(&f->app.trace, &conf), MER_OK);
    f->app.loop.turn_started_us = 1;
    return mer_trace_tracer(f->app.trace);
}
static void untraced(void)
{
    mer_trace_close(f->app.trace);
    f->app.trace = NULL;
}
static bool told_of(const struct mer_tracer *t, const char *text)
{
    return t->pending.len > 0 && memmem(t->pending.data, t->pending.len, text, strlen(text)) != NULL;
}

static void a_ticket_is_a_span_until_its_seat_takes_it_over(void **state)
{
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    find_traced(TRACEPARENT);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->trace_len, MER_TRACE_BYTES);
    assert_int_equal(f->trace[0], 0x4b);
    assert_int_equal(t->spans, 0);
    offer_traced("g-1", match_span, sizeof(match_span));
    assert_int_equal(t->spans, 0);
    answer("seat", EDGE_STORE_OK);
    assert_int_equal(t->spans, 1);
    assert_true(told_of(t, "\"name\":\"seat_offer\"") && told_of(t, "\"parentSpanId\":\"6d61746368696e67\"") && told_of(t, "\"g-1\""));
    assert_false(told_of(t, "\"status\""));
    seated();
    assert_null(f->user.ticket);
    assert_int_equal(t->spans, 1);
    assert_memory_equal(f->found.me.trace, f->trace, 16);
    assert_memory_equal(f->found.me.span, f->trace + 16, 8);
    assert_int_equal(f->found.parent[1], 0xf0);
    untraced();
}

static void a_ticket_that_is_not_traced_has_nothing_of_it(void **state)
{
    (void)state;
    assert_int_equal(traced(0)->spans, 0);
    find_traced(TRACEPARENT);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->trace_len, 0);
    assert_null(f->user.ticket->trace);
    untraced();
    offer_traced("g-1", match_span, sizeof(match_span));
    answer("seat", EDGE_STORE_OK);
    seated();
    assert_false(mer_span_on(&f->found));
}

static void what_comes_with_an_offer_and_is_no_trace_is_none(void **state)
{
    static const struct {
        size_t len;
        uint8_t bytes[64];
    } hostile[] = {
        {0, {0}},
        {1, {1}},
        {24, "trace-of-a-find!matching"},
        {26, "trace-of-a-find!matching\x01\x01"},
        {64, "trace-of-a-find!matching\x01"},
        {25, "trace-of-a-find!matching\0"},                 /* not sampled */
        {25, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0matching\1"}, /* nobody's */
        {25, "trace-of-a-find!\0\0\0\0\0\0\0\0\1"},
    };
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    waiting();
    for (size_t i = 0; i < MER_COUNT(hostile); i++) {
        offer_traced("g-1", hostile[i].bytes, hostile[i].len);
        answer("seat", EDGE_STORE_OK);
        release("g-1");
        reopened();
        offer_traced("g-2", hostile[i].bytes, hostile[i].len);
        release("g-2");
        answer("seat", EDGE_STORE_OK);
        reopened();
    }
    assert_int_equal(t->spans, 0);
    ended();
    assert_int_equal(t->spans, 1);
    untraced();
}

static void how_a_ticket_and_an_offer_end_is_told(void **state)
{
    struct mer_tracer *t = traced(MER_TRACE_MILLION);
    (void)state;
    waiting();
    offer_traced("g-1", match_span, sizeof(match_span));
    release("g-1");
    assert_true(told_of(t, "\"message\":\"taken back\""));
    answer("seat", EDGE_STORE_OK);
    reopened();
    assert_int_equal(t->spans, 1);
    ended();
    assert_true(told_of(t, "\"name\":\"find_match\"") && told_of(t, "\"stringValue\":\"cancelled\""));
    offer_traced("g-2", match_span, sizeof(match_span)); /* nobody's any more */
    assert_true(told_of(t, "\"message\":\"declined\""));
    assert_int_equal(t->spans, 3);
    find();
    answer("open", EDGE_STORE_HAS_GAME);
    answer("void", EDGE_STORE_EXISTS);
    assert_null(f->user.ticket);
    assert_true(told_of(t, "\"stringValue\":\"vanished\""));
    assert_int_equal(t->spans, 4);
    waiting();
    edge_tickets_drop(f->app.tickets, &f->user); /* the process ends */
    assert_int_equal(t->spans, 4);
    untraced();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(an_invitation_tells_its_code_to_player_and_router),
        TEST(a_friend_s_code_is_told_on_and_the_table_is_not_his),
        TEST(a_ticket_without_a_code_has_none),
        TEST(a_ticket_outlives_the_last_device_by_half_a_minute_and_an_invitation_by_two),
        TEST(cancel_before_the_offer_is_cancelled_and_the_offer_declined),
        TEST(cancel_while_the_seat_is_being_written_is_too_late),
        TEST(cancel_of_a_seat_that_is_released_after_all_is_cancelled),
        TEST(cancel_while_it_is_found_out_whether_the_game_was_made_is_answered_by_it),
        TEST(cancel_while_the_ticket_is_opened_again_is_cancelled),
        TEST(cancel_that_crosses_matched_gets_matched_again),
        TEST(cancel_of_a_game_that_nobody_here_knows_yet_is_to_be_asked_again),
        TEST(cancel_of_what_is_no_ticket_is_told_so),
        TEST(cancel_of_a_ticket_that_another_game_takes_the_place_of_is_cancelled),
        TEST(cancel_while_it_expires_is_expired),
        TEST(the_router_is_told_everything_when_it_asks),
        TEST(a_new_leader_frees_a_seat_whose_game_nobody_will_make),
        TEST(a_game_that_was_made_wins_over_a_new_leader),
        TEST(a_seat_that_opens_while_it_is_voided_is_taken),
        TEST(a_new_leader_during_the_writing_of_a_seat_frees_it_behind),
        TEST(a_new_leader_gets_what_waits),
        TEST(a_game_that_is_never_made_ends_the_ticket_at_the_third),
        TEST(seats_that_somebody_took_back_do_not_count),
        TEST(a_seat_in_a_region_that_cannot_be_reached_is_given_up),
        TEST(a_seat_at_home_is_never_given_up_before_its_store_has_spoken),
        TEST(a_ticket_is_a_span_until_its_seat_takes_it_over),
        TEST(a_ticket_that_is_not_traced_has_nothing_of_it),
        TEST(what_comes_with_an_offer_and_is_no_trace_is_none),
        TEST(how_a_ticket_and_an_offer_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
