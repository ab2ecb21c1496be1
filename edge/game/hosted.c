/* SPDX-License-Identifier: Apache-2.0
 * hosted.c - one game between its pure core and the world: the core's wishes become calls to the store and messages, the store's answers
 * become steps.
 *
 * Every entry (a bus message, an answer, a timer) makes one step and then calls edge__hosted_after, which does what may not be done inside
 * a step: arms the timer, clears players' records, lets the game go. Next: game.h (the core), host_bus.c. */
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"
#include "edge/game/result.h"

bool edge__hosted_answered(struct edge_hosted *g)
{
    g->pending--;
    if (g->phase != EDGE_HOSTED_GONE)
        return g->host->destroying;
    if (g->pending == 0)
        edge__host_free(g);
    return true;
}

bool edge__hosted_encode(struct edge_hosted *g, bool restore, struct edge_store_write *w)
{
    struct mer_buf *b = &g->host->record;
    mer_buf_clear(b);
    if (edge_game_encode(&g->core, restore, b) != MER_OK)
        return false;
    w->record = b->data;
    w->record_len = b->len;
    return true;
}

/* --- the core's wishes --------------------------------------------------------------------------------------------------------------- */

static enum edge_game_event put_event(enum edge_store_result r)
{
    switch (r) {
    case EDGE_STORE_OK:
    case EDGE_STORE_DUP:
        return EDGE_GAME_ON_STORED;
    case EDGE_STORE_FENCED:
    case EDGE_STORE_ASIDE:
        return EDGE_GAME_ON_FENCED;
    case EDGE_STORE_ABSENT:
    case EDGE_STORE_VOIDED:
        return EDGE_GAME_ON_ABSENT;
    case EDGE_STORE_AGAIN:
        return EDGE_GAME_ON_NOT_NOW;
    default: /* UNKNOWN, GAP: the read back tells what stands there */
        return EDGE_GAME_ON_UNSURE;
    }
}

static void note_owner(struct edge_hosted *g, const struct edge_stored *stored)
{
    if (strlen(stored->owner) <= EDGE_GAME_SESSION_MAX)
        EDGE__COPY(g->taken_by, stored->owner);
}

static void on_put(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_hosted *g = ctx;
    struct edge_host *h = g->host;
    h->values[EDGE_HOST_M_PUT + result]++;
    edge__trace_stored(g, result);
    if (edge__hosted_answered(g))
        return;
    edge__host_pulse(h);
    if (result == EDGE_STORE_FENCED)
        note_owner(g, stored);
    if (put_event(result) == EDGE_GAME_ON_STORED) {
        g->mine = g->asked;
        edge__host_sweep_later(g); /* a put renews and compares as the sweep does */
    }
    edge__hosted_blame(g);
    edge_game_put_done(&g->core, edge__host_time(h), put_event(result));
    edge__hosted_after(g);
}

static bool env_put(struct edge_game *core, const struct edge_game_put *p)
{
    struct edge_hosted *g = edge__hosted(core);
    struct edge_store *s = g->host->c.store;
    struct edge_store_write w = {.gid = core->id, .fence = g->fence, .expected_version = p->expected, .version = p->version};
    MER_TRACE_LINES(g->host->c.log, edge__trace_asker(g, p));
    w.owed = p->end && (core->present | core->bots | g->unseated) != (1u << core->seat_count) - 1;
    if (!edge__hosted_encode(g, p->restore, &w) ||
        (p->end ? edge_store_game_end(s, &w, on_put, g) : edge_store_game_put(s, &w, on_put, g)) != MER_OK)
        return false;
    edge__trace_put(g, p);
    g->asked = ++g->host->order;
    g->pending++;
    return true;
}

static void on_read(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_hosted *g = ctx;
    struct edge_host *h = g->host;
    if (edge__hosted_answered(g))
        return;
    edge__host_pulse(h);
    bool mine = edge_fence_equal(&stored->fence, &g->fence);
    enum edge_game_event e = put_event(result);
    if (e == EDGE_GAME_ON_STORED && mine)
        g->mine = g->asked;
    else if (e == EDGE_GAME_ON_STORED)
        note_owner(g, stored);
    edge__hosted_blame(g);
    edge_game_read_done(&g->core, edge__host_time(h), e, mine, stored->version);
    edge__hosted_after(g);
}

static bool env_read(struct edge_game *core)
{
    struct edge_hosted *g = edge__hosted(core);
    g->host->values[EDGE_HOST_M_READ]++;
    if (edge_store_game_get(g->host->c.store, core->id, on_read, g) != MER_OK)
        return false;
    g->asked = ++g->host->order;
    g->pending++;
    return true;
}

static void env_reply(struct edge_game *core, const struct edge_game_ask *to, const Meridian__Client__V1__ServerMessage *m)
{
    edge__trace_answered(edge__hosted(core), to, m);
    edge__host_publish(edge__hosted(core), to, m, NULL, 0);
}

static void env_publish(struct edge_game *core, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                        const Meridian__Client__V1__ServerMessage *const *messages, size_t count)
{
    struct edge_hosted *g = edge__hosted(core);
    struct mer_clock *clock = &g->host->c.loop->clock;
    if (core->asker.kind != EDGE_GAME_ASK_NONE && !core->has_next && !core->asker.told)
        edge__trace_answered(g, &core->asker, NULL); /* not by a notice while the store still holds it */
    if (from)
        mer_hist_add_us(&g->host->stored, clock->mono_us(clock->ctx) - from->stamp_us);
    edge__host_publish(g, from, reply, messages, count);
}

static void env_lost(struct edge_game *core)
{
    edge__hosted(core)->lost = true;
}

static void alarm_game(struct edge_hosted *g, const char *event)
{
    MER_LOG(g->host->c.log, MER_ERROR, event, KV_STR("game", g->core.id), KV_U64("confirmed", g->core.now.version),
            KV_U64("stored", g->core.read_version));
}

static void env_note(struct edge_game *core, enum edge_game_note note, uint32_t arg)
{
    struct edge_hosted *g = edge__hosted(core);
    uint64_t *v = g->host->values;
    switch (note) {
    case EDGE_GAME_NOTE_ACCEPTED:
        v[EDGE_HOST_M_ACCEPTED]++;
        break;
    case EDGE_GAME_NOTE_REFUSED:
        v[EDGE_HOST_M_REFUSED + arg]++;
        break;
    case EDGE_GAME_NOTE_REPEATED:
        v[EDGE_HOST_M_REPEATED]++;
        break;
    case EDGE_GAME_NOTE_PAUSED:
        v[EDGE_HOST_M_PAUSED]++;
        MER_LOG_RATE(g->host->c.log, MER_WARN, "game.storage_pause", KV_STR("game", core->id),
                     KV_STR("state", edge_game_store_name((enum edge_game_store)core->store)));
        break;
    case EDGE_GAME_NOTE_RESUMED:
        v[EDGE_HOST_M_RESUMED]++;
        break;
    case EDGE_GAME_NOTE_RESTORED:
        v[EDGE_HOST_M_RESTORED]++;
        alarm_game(g, "game.restore");
        break;
    case EDGE_GAME_NOTE_FROZEN:
        v[EDGE_HOST_M_FROZEN]++;
        alarm_game(g, "game.freeze");
        break;
    case EDGE_GAME_NOTE_ENDED:
        v[EDGE_HOST_M_ENDED + arg]++;
        MER_LOG(g->host->c.log, MER_DEBUG, "game.end", KV_STR("game", core->id), KV_U64("version", core->now.version));
        break;
    case EDGE_GAME_NOTE_SEAT:
        v[EDGE_HOST_M_SEAT + arg - EDGE_EVENT_LEFT]++;
        break;
    case EDGE_GAME_NOTE_STRAY:
        v[EDGE_HOST_M_STRAY]++;
        break;
    }
}

void edge__hosted_env(struct edge_game_env *env)
{
    *env = (struct edge_game_env){
        .put = env_put, .read = env_read, .reply = env_reply, .publish = env_publish, .lost = env_lost, .note = env_note};
}

/* --- between steps ------------------------------------------------------------------------------------------------------------------- */

/* Who is not there to see the end hears of it by his inbox: here, if this is his region; else his edge there sees to it when it reads the
 * record (seats_find.c), because his record there goes on naming the game. */
static void unseat_player(struct edge_hosted *g, unsigned seat)
{
    struct edge_host *h = g->host;
    bool missed = g->core.now.over && !(g->core.present >> seat & 1);
    if (missed && edge_game_result(&g->core, seat, edge_store_now_ms(h->c.store), &h->record) == MER_OK)
        edge_host_settle(h, g->core.seats[seat].user, g->core.id, &h->record);
    else
        edge_host_unseat(h, g->core.seats[seat].user, g->core.id);
}

static void unseat_players(struct edge_hosted *g)
{
    for (unsigned i = 0; i < g->core.seat_count; i++) {
        bool out = g->core.now.over || (g->core.now.left >> i & 1);
        if (!out || g->core.seats[i].bot || (g->unseated >> i & 1))
            continue;
        g->unseated |= (uint8_t)(1u << i);
        unseat_player(g, i);
    }
    edge__host_detach_left(g);
}

void edge__hosted_let_go(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    struct mer_list held;
    mer_list_init(&held);
    edge__held_ready(g, true, &held);
    edge__host_send_away(g);
    edge__host_drop(g);
    edge__held_again(h, &held); /* there is no such game here, they are told */
}

static void arm(struct edge_hosted *g)
{
    struct edge_game_time t = edge__host_time(g->host);
    uint64_t at = edge_game_next_ms(&g->core, t), look = edge__host_presence_ms(g);
    at = look < at ? look : at;
    if (at == UINT64_MAX)
        mer_loop_disarm(g->host->c.loop, &g->timer);
    else
        mer_loop_arm(g->host->c.loop, &g->timer, at > t.mono_ms ? at - t.mono_ms : 0);
}

static void verify(struct edge_hosted *g)
{
    edge__hosted_blame(g);
    edge_game_verify(&g->core, edge__host_time(g->host));
    edge_blame_end(g->host->c.blame);
}

void edge__hosted_after(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    struct mer_list ready;
#ifndef NDEBUG
    edge_game_check(&g->core);
#endif
    edge_blame_end(h->c.blame);
    if (g->lost) {
        h->values[EDGE_HOST_M_LOST]++;
        MER_LOG(h->c.log, MER_WARN, "game.lost", KV_STR("game", g->core.id), KV_STR("to", g->taken_by));
        edge__hosted_let_go(g);
        return;
    }
    if (g->core.now.over || g->core.now.left)
        unseat_players(g);
    mer_list_init(&ready);
    edge__held_ready(g, false, &ready);
    if (!mer_list_empty(&g->held) && g->core.store == EDGE_GAME_IDLE && g->handing_since_ms == 0)
        verify(g);
    if (!g->over_armed && g->core.now.over) {
        g->over_armed = true;
        mer_list_remove(&g->by_sweep);
        mer_loop_arm(h->c.loop, &g->timer, EDGE_HOST_OVER_MS);
    } else if (!g->over_armed) {
        arm(g);
    }
    edge__held_again(h, &ready);
}

static void on_timer(struct mer_timer *t)
{
    struct edge_hosted *g = MER_CONTAINER_OF(t, struct edge_hosted, timer);
    if (g->over_armed) {
        edge__host_drop(g);
        return;
    }
    edge__host_pulse(g->host);
    edge__hosted_blame(g);
    edge_game_tick(&g->core, edge__host_time(g->host));
    edge__host_presence(g);
    edge__hosted_after(g);
}

void edge__hosted_live(struct edge_hosted *g, bool fresh_turn)
{
    g->phase = EDGE_HOSTED_LIVE;
    mer_loop_disarm(g->host->c.loop, &g->timer);
    mer_timer_init(&g->timer, on_timer);
    g->fresh_until_ms = g->host->c.loop->now_ms + EDGE_SEAT_ATTACH_MS;
    edge__host_sweep_later(g);
    edge__hosted_blame(g);
    edge_game_start(&g->core, edge__host_time(g->host), fresh_turn);
    edge__hosted_after(g);
}

static void on_touched(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_hosted *g = ctx;
    (void)stored;
    if (edge__hosted_answered(g))
        return;
    edge__host_pulse(g->host);
    bool no_answer = result == EDGE_STORE_AGAIN || result == EDGE_STORE_UNKNOWN; /* the next sweep asks again */
    if (result == EDGE_STORE_OK || no_answer || g->swept_version != g->core.now.version)
        return;
    g->host->values[EDGE_HOST_M_SWEEP_ODD]++;
    edge__hosted_blame(g);
    edge_game_verify(&g->core, edge__host_time(g->host));
    edge__hosted_after(g);
}

void edge__hosted_sweep(struct edge_hosted *g)
{
    struct edge_host *h = g->host;
    edge__host_sweep_later(g);
    if (g->handing_since_ms != 0)
        return;
    if (g->verify) {
        g->verify = false;
        edge__hosted_blame(g);
        edge_game_verify(&g->core, edge__host_time(h));
        edge__hosted_after(g);
        return;
    }
    g->swept_version = g->core.now.version;
    if (edge_store_game_touch(h->c.store, g->core.id, &g->fence, g->swept_version, on_touched, g) == MER_OK)
        g->pending++;
}
