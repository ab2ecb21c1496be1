/* SPDX-License-Identifier: Apache-2.0
 * host.c - which games this edge owns: born from the router's game_create, adopted from dead owners, swept every 30 s, dropped when over or
 * fenced.
 *
 * Memory of a game lives until the store has answered its last call (`pending`). Timers: a game's own (host_private.h); `sweeper`, one for
 * all games: every second it takes those that are due, a bounded number a turn. Next: birth.c, adopt.c, hosted.c, host_bus.c, doubt.c,
 * game.h. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

enum { SLAB_CHUNK = 64 }; /* games allocated at once */

#define ENDED(reason) \
    { \
        "meridian_edge_games_ended_total", "games that ended here", MER_COUNTER, "reason=\"" reason "\"" \
    }
#define REFUSED(code) \
    { \
        "meridian_edge_moves_refused_total", "requests of seats answered by an error", MER_COUNTER, "code=\"" code "\"" \
    }
#define PUT(result) \
    { \
        "meridian_edge_game_puts_total", "changes of games handed to the store, by its answer", MER_COUNTER, "result=\"" result "\"" \
    }
#define SEAT(kind, word) \
    [EDGE_HOST_M_SEAT + EDGE_EVENT_##kind - \
        EDGE_EVENT_LEFT] = {"meridian_edge_seat_changes_total", "what became of seats (R20, R21)", MER_COUNTER, "change=\"" word "\""}
#define CODE(name) [EDGE_HOST_M_REFUSED + MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name]
static const struct mer_metric_def metrics[EDGE_HOST_M_COUNT] = {
    [EDGE_HOST_M_GAMES] = {"meridian_edge_games", "games owned by this edge, just ended ones included", MER_GAUGE},
    [EDGE_HOST_M_STARTED] = {"meridian_edge_games_started_total", "games created here"},
    [EDGE_HOST_M_REFUSED_CREATE] = {"meridian_edge_games_not_created_total", "creates refused, voided or given up"},
    [EDGE_HOST_M_ADOPTED] = {"meridian_edge_games_adopted_total", "games claimed from dead owners"},
    [EDGE_HOST_M_ADOPT_LOST] = {"meridian_edge_games_adopt_lost_total", "claims that somebody else won, or that found nothing"},
    [EDGE_HOST_M_ENDED + 0] = ENDED("unknown"),
    [EDGE_HOST_M_ENDED + 1] = ENDED("finished"),
    [EDGE_HOST_M_ENDED + 2] = ENDED("resigned"),
    [EDGE_HOST_M_ENDED + 3] = ENDED("abandoned"),
    [EDGE_HOST_M_ENDED + 4] = ENDED("expired"),
    [EDGE_HOST_M_ASIDE] = {"meridian_edge_games_set_aside_total", "claims refused because the game brought down its owners (F4)"},
    [EDGE_HOST_M_LOST] = {"meridian_edge_games_lost_total", "games taken over by another owner"},
    [EDGE_HOST_M_ACCEPTED] = {"meridian_edge_moves_accepted_total", "moves stored and acknowledged, bots' included"},
    [EDGE_HOST_M_REPEATED] = {"meridian_edge_moves_repeated_total", "retries that got their first answer"},
    CODE(UNSPECIFIED) = REFUSED("none"),
    CODE(BAD_JSON) = REFUSED("bad_json"),
    CODE(UNKNOWN_TYPE) = REFUSED("unknown_type"),
    CODE(BAD_FIELD) = REFUSED("bad_field"),
    CODE(NOT_AUTHENTICATED) = REFUSED("not_authenticated"),
    CODE(ALREADY_AUTHENTICATED) = REFUSED("already_authenticated"),
    CODE(TOKEN_EXPIRING) = REFUSED("token_expiring"),
    CODE(NO_SUCH_GAME) = REFUSED("no_such_game"),
    CODE(NOT_YOUR_TURN) = REFUSED("not_your_turn"),
    CODE(ILLEGAL_MOVE) = REFUSED("illegal_move"),
    CODE(GAME_OVER) = REFUSED("game_over"),
    CODE(ALREADY_IN_GAME) = REFUSED("already_in_game"),
    CODE(MOVE_CONFLICT) = REFUSED("move_conflict"),
    CODE(NO_SUCH_TICKET) = REFUSED("no_such_ticket"),
    CODE(RATE_LIMITED) = REFUSED("rate_limited"),
    CODE(TRY_AGAIN) = REFUSED("try_again"),
    CODE(OVERLOADED) = REFUSED("overloaded"),
    CODE(INTERNAL) = REFUSED("internal"),
    [EDGE_HOST_M_PUT + EDGE_STORE_OK] = PUT("ok"),
    [EDGE_HOST_M_PUT + EDGE_STORE_DUP] = PUT("dup"),
    [EDGE_HOST_M_PUT + EDGE_STORE_FENCED] = PUT("fenced"),
    [EDGE_HOST_M_PUT + EDGE_STORE_GAP] = PUT("gap"),
    [EDGE_HOST_M_PUT + EDGE_STORE_ABSENT] = PUT("absent"),
    [EDGE_HOST_M_PUT + EDGE_STORE_EXISTS] = PUT("exists"),
    [EDGE_HOST_M_PUT + EDGE_STORE_VOIDED] = PUT("voided"),
    [EDGE_HOST_M_PUT + EDGE_STORE_LOST] = PUT("lost"),
    [EDGE_HOST_M_PUT + EDGE_STORE_ASIDE] = PUT("aside"),
    [EDGE_HOST_M_PUT + EDGE_STORE_HAS_GAME] = PUT("has_game"),
    [EDGE_HOST_M_PUT + EDGE_STORE_HAS_TICKET] = PUT("has_ticket"),
    [EDGE_HOST_M_PUT + EDGE_STORE_FULL] = PUT("full"),
    [EDGE_HOST_M_PUT + EDGE_STORE_AGAIN] = PUT("again"),
    [EDGE_HOST_M_PUT + EDGE_STORE_UNKNOWN] = PUT("unknown"),
    [EDGE_HOST_M_READ] = {"meridian_edge_game_reads_total", "games read back because an outcome was not known, or to verify them"},
    SEAT(LEFT, "left"),
    SEAT(DROPPED, "dropped"),
    SEAT(RECONNECTED, "reconnected"),
    SEAT(TAKEN_OVER, "taken_over"),
    SEAT(HANDED_BACK, "handed_back"),
    SEAT(PAUSED, "paused"),
    [EDGE_HOST_M_PAUSED] = {"meridian_edge_games_storage_paused_total", "times players were told that the store holds their game"},
    [EDGE_HOST_M_RESUMED] = {"meridian_edge_games_storage_resumed_total", "times such a game went on"},
    [EDGE_HOST_M_RESTORED] = {"meridian_edge_games_restored_total", "confirmed versions that the store had lost and got again"},
    [EDGE_HOST_M_FROZEN] = {"meridian_edge_games_frozen_total", "games whose key was gone"},
    [EDGE_HOST_M_STRAY] = {"meridian_edge_games_stray_total", "answers or bot moves that could not be"},
    [EDGE_HOST_M_BAD_RECORD] = {"meridian_edge_games_bad_records_total", "records that cannot be read"},
    [EDGE_HOST_M_ATTACHES] = {"meridian_edge_seat_attaches_total", "attaches and renewals of leases"},
    [EDGE_HOST_M_SNAPSHOTS] = {"meridian_edge_seat_snapshots_total", "snapshots sent to proxies"},
    [EDGE_HOST_M_TURNED_AWAY] = {"meridian_edge_seat_turned_away_total", "attaches and requests for games or seats that are not here"},
    [EDGE_HOST_M_UNSENT] = {"meridian_edge_seat_unsent_total", "messages to proxies that the bus did not take"},
    [EDGE_HOST_M_UNSEAT_FAILED] = {"meridian_edge_unseats_failed_total", "players' records that could not be cleared at the end of a game"},
    [EDGE_HOST_M_RESULTS] = {"meridian_edge_results_kept_total", "results put into inboxes of players who were not there"},
    [EDGE_HOST_M_SLEEPS] = {"meridian_edge_sleeps_total", "times this process stood still for a second or more"},
    [EDGE_HOST_M_LAPSES] = {"meridian_edge_doubts_total", "times others could have claimed this edge's games: each is asked for"},
    [EDGE_HOST_M_HELD] = {"meridian_edge_seat_messages_held_total", "messages that waited until the store had said whose the game is"},
    [EDGE_HOST_M_SWEEP_ODD] = {"meridian_edge_game_sweep_odd_total", "games whose stored version was not the confirmed one"},
};
static const struct mer_metric_def stored_def = {"meridian_edge_move_stored_seconds",
                                                 "a move: from its arrival at the owner until it is stored"};

static struct mer_key game_key(const void *entry)
{
    const struct edge_hosted *g = entry;
    return (struct mer_key){g->core.id, strlen(g->core.id)};
}

uint64_t edge__host_backoff(struct edge_host *h, unsigned tries)
{
    uint32_t wait = tries < 5 ? (uint32_t)EDGE_HOST_RETRY_MIN_MS << tries : EDGE_HOST_RETRY_MAX_MS;
    return wait / 2 + mer_rng_below(&h->c.rng, wait / 2 + 1);
}

/* --- the table ----------------------------------------------------------------------------------------------------------------------- */

struct edge_hosted *edge__host_new(struct edge_host *h)
{
    if (h->games.count >= EDGE_HOST_GAMES)
        return NULL;
    struct edge_hosted *g = mer_slab_try_alloc(&h->slab);
    if (!g)
        return NULL;
    g->host = h;
    mer_list_init(&g->by_sweep);
    mer_list_init(&g->core.queue);
    mer_list_init(&g->held);
    mer_timer_init(&g->timer, NULL); /* birth.c and hosted.c say what it does */
    return g;
}

void edge__host_free(struct edge_hosted *g)
{
    edge_game_deinit(&g->core);
    edge__held_drop(g);
    edge__birth_free(g);
    mer_free(&g->attach);
    mer_slab_free(&g->host->slab, g);
}

enum mer_err edge__host_add(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    enum mer_err err = mer_map_put(&h->games, g);
    if (err != MER_OK)
        return err;
    h->values[EDGE_HOST_M_GAMES] = h->games.count;
    return MER_OK;
}

void edge__host_drop(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    mer_loop_disarm(h->c.loop, &g->timer);
    mer_list_remove(&g->by_sweep);
    if (mer_map_gets(&h->games, g->core.id) == g)
        mer_map_removes(&h->games, g->core.id);
    h->values[EDGE_HOST_M_GAMES] = h->games.count;
    g->phase = EDGE_HOSTED_GONE;
    if (g->pending == 0)
        edge__host_free(g);
}

struct edge_hosted *edge__host_find(const struct edge_host *h, const char *gid)
{
    return mer_map_gets(&h->games, gid);
}

uint32_t edge_host_games(const struct edge_host *h)
{
    return h->games.count;
}

bool edge_host_owns(const struct edge_host *h, const char *game_id)
{
    const struct edge_hosted *g = edge__host_find(h, game_id);
    return g && g->phase == EDGE_HOSTED_LIVE;
}

/* --- players' records ---------------------------------------------------------------------------------------------------------------- */

struct unseat {
    struct edge_host *host;
    struct mer_list node;
    struct mer_timer timer; /* again */
    unsigned tries;
    char user[EDGE_GAME_USER_MAX + 1], gid[EDGE_GAME_ID_MAX + 1];
    struct mer_buf result; /* for his inbox; empty: none */
};

static void free_unseat(struct unseat *u)
{
    mer_loop_disarm(u->host->c.loop, &u->timer);
    mer_list_remove(&u->node);
    mer_buf_deinit(&u->result);
    mer_free(&u);
}

static void unseat_later(struct unseat *u)
{
    struct edge_host *h = u->host;
    if (++u->tries < EDGE_HOST_UNSEAT_TRIES && !h->destroying) {
        mer_loop_arm(h->c.loop, &u->timer, edge__host_backoff(h, u->tries));
        return;
    }
    h->values[EDGE_HOST_M_UNSEAT_FAILED]++; /* his next find_match looks at the game and clears it */
    free_unseat(u);
}

static void on_unseated(void *ctx, enum edge_store_result result, const struct edge_player *player)
{
    struct unseat *u = ctx;
    struct edge_host *h = u->host;
    if (result != EDGE_STORE_OK && result != EDGE_STORE_LOST) {
        unseat_later(u);
        return;
    }
    h->values[EDGE_HOST_M_RESULTS] += result == EDGE_STORE_OK && u->result.len > 0 && player->waiting_events > 0;
    if (player->waiting_events > 0 && h->c.inbox && !h->destroying)
        h->c.inbox(h->c.inbox_ctx, u->user);
    free_unseat(u);
}

static void unseat(struct mer_timer *t)
{
    struct unseat *u = MER_CONTAINER_OF(t, struct unseat, timer);
    struct edge_store *s = u->host->c.store;
    struct edge_store_result_event e = {u->result.data, u->result.len};
    enum mer_err err = u->result.len > 0 ? edge_store_player_settle(s, u->user, u->gid, &e, on_unseated, u)
                                         : edge_store_player_unseat(s, u->user, u->gid, on_unseated, u);
    if (err != MER_OK)
        unseat_later(u);
}

void edge_host_unseat(struct edge_host *h, const char *user, const char *gid)
{
    static const struct mer_buf none;
    edge_host_settle(h, user, gid, &none);
}

void edge_host_settle(struct edge_host *h, const char *user, const char *gid, const struct mer_buf *result)
{
    struct unseat *u = mer_try_calloc(1, sizeof(*u));
    if (u)
        mer_buf_init(&u->result, 0);
    if (!u || mer_buf_append(&u->result, result->data, result->len) != MER_OK) {
        h->values[EDGE_HOST_M_UNSEAT_FAILED]++;
        mer_free(&u);
        return;
    }
    u->host = h;
    mer_list_init(&u->node);
    mer_list_push_back(&h->unseats, &u->node);
    mer_timer_init(&u->timer, unseat);
    EDGE__COPY(u->user, user);
    EDGE__COPY(u->gid, gid);
    unseat(&u->timer);
}

/* --- the sweep ----------------------------------------------------------------------------------------------------------------------- */

static void on_sweep(struct mer_timer *t)
{
    struct edge_host *h = MER_CONTAINER_OF(t, struct edge_host, sweeper);
    unsigned done = 0;
    edge__host_pulse(h);
    while (done < EDGE_HOST_SWEEP_BATCH && !mer_list_empty(&h->sweep)) {
        struct edge_hosted *g = MER_LIST_ENTRY(h->sweep.next, struct edge_hosted, by_sweep);
        if (g->sweep_at_ms > h->c.loop->now_ms)
            break;
        edge__hosted_sweep(g);
        done++;
    }
    mer_loop_arm(h->c.loop, t, done == EDGE_HOST_SWEEP_BATCH ? EDGE_HOST_SWEEP_BUSY_MS : EDGE_HOST_SWEEP_TICK_MS);
}

void edge__host_sweep_later(struct edge_hosted *g)
{
    g->sweep_at_ms = g->host->c.loop->now_ms + EDGE_STORE_SWEEP_MS;
    mer_list_remove(&g->by_sweep);
    mer_list_push_back(&g->host->sweep, &g->by_sweep);
}

void edge_host_verify(struct edge_host *h, uint16_t slot_first, uint16_t slot_last)
{
    uint32_t pos = 0;
    for (struct edge_hosted *g; (g = mer_map_next(&h->games, &pos)) != NULL;) {
        uint16_t slot = edge_store_game_slot(g->core.id);
        if (g->phase != EDGE_HOSTED_LIVE || g->core.now.over || slot < slot_first || slot > slot_last)
            continue;
        g->verify = true;
        g->sweep_at_ms = 0;
        mer_list_remove(&g->by_sweep);
        mer_list_push_front(&h->sweep, &g->by_sweep);
    }
    mer_loop_arm(h->c.loop, &h->sweeper, EDGE_HOST_SWEEP_BUSY_MS);
}

/* --- life ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err edge_host_create(struct edge_host **out, const struct edge_host_conf *conf)
{
    struct edge_host *h = mer_try_calloc(1, sizeof(*h));
    if (!h)
        return MER_ENOMEM;
    uint64_t seed[2] = {mer_rng_u64(&conf->rng), mer_rng_u64(&conf->rng)};
    h->c = *conf;
    edge__hosted_env(&h->env);
    h->env.rng = conf->rng;
    h->env.seats = conf->seats;
    mer_slab_init(&h->slab, sizeof(struct edge_hosted), SLAB_CHUNK);
    mer_map_init(&h->games, game_key, seed);
    mer_list_init(&h->sweep);
    mer_list_init(&h->adoptions);
    mer_list_init(&h->unseats);
    mer_buf_init(&h->record, EDGE_STORE_RECORD_MAX);
    mer_timer_init(&h->sweeper, on_sweep);
    mer_loop_arm(conf->loop, &h->sweeper, EDGE_HOST_SWEEP_TICK_MS);
    mer_metrics_add(conf->metrics, &h->set, metrics, EDGE_HOST_M_COUNT, h->values);
    mer_metrics_add_hist(conf->metrics, &h->hist_set, &stored_def, &h->stored);
    edge__host_bus_init(h);
    edge__birth_init(h);
    edge__doubt_init(h);
    *out = h;
    return MER_OK;
}

void edge_host_destroy(struct edge_host *h)
{
    if (!h)
        return;
    h->destroying = true;
    uint32_t pos = 0;
    for (struct edge_hosted *g; (g = mer_map_next(&h->games, &pos)) != NULL; pos = 0)
        edge__host_drop(g);
    edge__adopt_deinit(h);
    MER_LIST_EACH_SAFE (it, &h->unseats)
        free_unseat(MER_LIST_ENTRY(it, struct unseat, node));
    mer_loop_disarm(h->c.loop, &h->sweeper);
    mer_loop_disarm(h->c.loop, &h->pulse);
    mer_metrics_remove(&h->set);
    mer_metrics_remove(&h->hist_set);
    mer_map_deinit(&h->games);
    mer_buf_deinit(&h->record);
    mer_slab_deinit(&h->slab);
    mer_free(&h);
}
