/* SPDX-License-Identifier: Apache-2.0
 * tickets_world.h - a ticket at its edge, for tests of what becomes of it. The store, the bus, the links and the sessions are the test's:
 * these functions stand before the product's at link time. */
#pragma once

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

static inline enum mer_err call(const char *what, void *ctx)
{
    assert_null(f->call);
    f->call = what;
    f->ctx = ctx;
    return MER_OK;
}
static inline enum mer_err player_call(const char *what, edge_store_player_cb cb, void *ctx)
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

static inline void keep(const CM(ServerMessage) * m, int *where)
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

static inline void answer(const char *which, enum edge_store_result result)
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

static inline void run_for(uint64_t ms)
{
    fake_loop_run_for(&f->app.loop, &f->clock, ms);
}

static inline void find_traced(const char *traceparent)
{
    CM(FindMatch) m = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    struct edge_invite nobody = {.hosts = false};
    m.game = (char *)"memory";
    edge_tickets_find(&f->session, &m, &nobody, traceparent);
}
static inline void find(void)
{
    find_traced(NULL);
}
static inline void cancel(void)
{
    char id[64];
    memcpy(id, f->id, sizeof(id));
    f->asked = f->told = 0;
    edge_tickets_cancel(&f->session, id);
}
static inline void offer_traced(const char *match, const void *trace, size_t len)
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
static inline void offer(const char *match)
{
    offer_traced(match, NULL, 0);
}
static inline void release(const char *match)
{
    IM(SeatRelease) r = MERIDIAN__INTERNAL__V1__SEAT_RELEASE__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    r.ticket_id = f->id;
    r.match_id = (char *)match;
    m.seat_release = &r;
    f->router[ROUTER(SEAT_RELEASE)](f->router_ctx, &m);
}
static inline void seated(void)
{
    edge_tickets_seated(f->app.tickets, "u", f->id);
}
static inline void waiting(void)
{
    find();
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
    f->told = 0;
}
static inline void sit(const char *match)
{
    offer(match);
    answer("seat", EDGE_STORE_OK);
    assert_true(f->accepted > 0);
}
/* The game was never made: the ticket waits again. */
static inline void reopened(void)
{
    answer("void", EDGE_STORE_OK);
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
}

static inline void find_as(const char *code, bool hosts)
{
    CM(FindMatch) m = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    struct edge_invite invite = {.hosts = hosts};
    m.game = (char *)"memory";
    snprintf(invite.code.text, sizeof(invite.code.text), "%s", code);
    edge_tickets_find(&f->session, &m, &invite, NULL);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
}
static inline void ended(void)
{
    cancel();
    answer("close", EDGE_STORE_OK);
    assert_null(f->user.ticket);
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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
