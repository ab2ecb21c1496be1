/* SPDX-License-Identifier: Apache-2.0
 * birth.c - from the router's game_create to a game that runs: dealt, created in the store, told to the router, opened at the edges where
 * its players are.
 *
 *   game_create --ok--> create (nonce) --OK--> game_created true, seat_open to the accepting edges, then to the edges of other devices
 *                            |  ^ again, same nonce, until the outcome is known
 *                            +--+--VOIDED, EXISTS, given up--> game_created false; the players' edges find out by voiding it themselves
 *
 * A seat_open that is lost costs nothing: the ticket's edge asks the store when its wait is over. Next: hosted.c, edge/session/tickets.c.
 */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

static void answer_create(struct edge_host *h, const char *gid, bool created)
{
    Meridian__Internal__V1__GameCreated gc = MERIDIAN__INTERNAL__V1__GAME_CREATED__INIT;
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    gc.match_id = (char *)gid;
    gc.created = created;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_GAME_CREATED;
    m.game_created = &gc;
    if (edge_routers_send(h->c.routers, &m) != MER_OK)
        MER_LOG(h->c.log, MER_DEBUG, "game.created_untold", KV_STR("game", gid)); /* the seats find out by themselves */
}

static enum mer_err init_core(struct edge_hosted *g, const Meridian__Internal__V1__GameCreate *c)
{
    struct edge_host *h = g->host;
    struct edge_game_spec spec = {
        .id = c->match_id, .game = c->game, .region = h->c.region, .rows = (uint8_t)c->rows, .cols = (uint8_t)c->cols};
    if (c->n_seats > EDGE_RULES_SEATS || c->rows > UINT8_MAX || c->cols > UINT8_MAX)
        return MER_EINVALID;
    spec.seat_count = (uint8_t)c->n_seats;
    g->birth = mer_try_calloc(1, sizeof(*g->birth));
    if (!g->birth)
        return MER_ENOMEM;
    g->birth->since_ms = h->c.loop->now_ms;
    for (unsigned i = 0; i < c->n_seats; i++) {
        const Meridian__Internal__V1__CreateSeat *s = c->seats[i];
        spec.seat[i].user = s->user;
        spec.seat[i].name = s->name;
        spec.seat[i].bot = s->kind == MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT;
        if ((s->edge && strlen(s->edge) > EDGE_GAME_SESSION_MAX) || (s->ticket_id && strlen(s->ticket_id) > EDGE_GAME_ID_MAX))
            return MER_EINVALID;
        EDGE__COPY(g->birth->edge[i], s->edge);
        EDGE__COPY(g->birth->ticket[i], s->ticket_id);
    }
    g->fence = (struct edge_fence){.generation = 1, .epoch = 1, .nonce = mer_rng_u64(&h->c.rng)};
    return edge_game_init(&g->core, &spec, &h->env, edge__host_time(h));
}

/* Devices of a player on other edges than the one that accepted for him. */
struct opening {
    struct edge_host *host;
    unsigned seat;
    char gid[EDGE_GAME_ID_MAX + 1], user[EDGE_GAME_USER_MAX + 1], told[EDGE_GAME_SESSION_MAX + 1];
};

static void on_devices(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct opening *o = ctx;
    for (size_t i = 0; result == EDGE_STORE_OK && !o->host->destroying && i < p->device_count; i++) {
        bool told = strcmp(p->devices[i].edge, o->told) == 0;
        for (size_t k = 0; k < i && !told; k++)
            told = strcmp(p->devices[i].edge, p->devices[k].edge) == 0;
        if (!told)
            edge__host_send_open(o->host, p->devices[i].edge, &(struct edge_host_open){o->gid, o->user, o->seat, NULL, NULL});
    }
    mer_free(&o);
}

static void open_seats(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    for (unsigned i = 0; i < g->core.seat_count; i++) {
        const struct edge_game_seat *seat = &g->core.seats[i];
        if (seat->bot)
            continue;
        const char *ticket = g->birth->ticket[i][0] ? g->birth->ticket[i] : NULL;
        if (g->birth->edge[i][0])
            edge__host_send_open(h, g->birth->edge[i], &(struct edge_host_open){g->core.id, seat->user, i, ticket, edge__trace_seat(g, i)});
        struct opening *o = mer_try_calloc(1, sizeof(*o));
        if (!o)
            continue; /* the other devices find the game in the record when they come back */
        o->host = h;
        o->seat = i;
        EDGE__COPY(o->gid, g->core.id);
        EDGE__COPY(o->user, seat->user);
        EDGE__COPY(o->told, g->birth->edge[i]);
        if (edge_store_player_get(h->c.store, o->user, on_devices, o) != MER_OK)
            mer_free(&o);
    }
}

static void born(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    bool slow = h->c.loop->now_ms - g->birth->since_ms > EDGE_GAME_HOLD_MS; /* then the first turn starts anew */
    g->mine = g->asked;
    h->values[EDGE_HOST_M_STARTED]++;
    edge__trace_born(g, NULL);
    answer_create(h, g->core.id, true);
    open_seats(g);
    edge__birth_free(g);
    edge__hosted_live(g, slow);
}

static void unborn(struct edge_hosted *g, const char *why)
{
    struct edge_host *h = g->host;
    h->values[EDGE_HOST_M_REFUSED_CREATE]++;
    edge__trace_born(g, why);
    MER_LOG(h->c.log, MER_INFO, "game.not_created", KV_STR("game", g->core.id), KV_STR("why", why));
    answer_create(h, g->core.id, false);
    edge__host_drop(g);
}

static void create(struct edge_hosted *g);

static void create_later(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    if (h->c.loop->now_ms - g->birth->since_ms >= EDGE_HOST_CREATE_MS)
        unborn(g, "given up");
    else
        mer_loop_arm(h->c.loop, &g->timer, edge__host_backoff(h, g->birth->tries++));
}

static void on_created(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_hosted *g = ctx;
    (void)stored;
    edge__trace_created(g, result);
    if (edge__hosted_answered(g))
        return;
    if (result == EDGE_STORE_OK)
        born(g);
    else if (result == EDGE_STORE_AGAIN || result == EDGE_STORE_UNKNOWN)
        create_later(g);
    else
        unborn(g, edge_store_result_name(result));
}

static void on_create_timer(struct mer_timer *t)
{
    create(MER_CONTAINER_OF(t, struct edge_hosted, timer));
}

static void create(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    struct edge_store_write w = {.gid = g->core.id, .fence = g->fence, .version = g->core.now.version};
    MER_TRACE_LINES(h->c.log, edge__trace_birth(g));
    g->asked = ++h->order;
    edge__trace_creating(g);
    if (!edge__hosted_encode(g, true, &w) || edge_store_game_create(h->c.store, &w, on_created, g) != MER_OK)
        create_later(g);
    else
        g->pending++;
}

static void on_create(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_host *h = ctx;
    const Meridian__Internal__V1__GameCreate *c = m->game_create;
    struct edge_hosted *g = edge__host_find(h, c->match_id);
    if (g) { /* repeated: CREATING answers when it knows */
        if (g->phase == EDGE_HOSTED_LIVE)
            answer_create(h, c->match_id, true);
        return;
    }
    g = edge__host_new(h);
    enum mer_err err = g ? init_core(g, c) : MER_EBUSY;
    if (err == MER_OK)
        err = edge__host_add(g);
    if (err == MER_OK) {
        mer_timer_init(&g->timer, on_create_timer);
        edge__trace_create(g, c);
        create(g);
        return;
    }
    MER_LOG(h->c.log, MER_WARN, "game.create_refused", KV_STR("game", c->match_id), KV_STR("why", mer_err_name(err)));
    h->values[EDGE_HOST_M_REFUSED_CREATE]++;
    answer_create(h, c->match_id, false);
    if (g)
        edge__host_free(g);
}

void edge__birth_init(struct edge_host *h)
{
    edge_routers_on(h->c.routers, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_GAME_CREATE, on_create, h);
}
