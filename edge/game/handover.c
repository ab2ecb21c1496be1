/* SPDX-License-Identifier: Apache-2.0
 * handover.c - see handover.h. A game is given only between two changes, when nothing of it is on its way to the store. From then on it
 * takes no step here: what players ask in these milliseconds waits, and their proxies keep it to ask the new owner, which the target's
 * claim made the only one who can store. When the target says nothing, the game may have been claimed all the same: verifying
 * tells, because a claim changes the fence.
 *
 * Timer: paces; also looks after games whose target is silent. Owner: the app (drain). Next: adopt.c, seats.h. */
#include "edge/game/handover.h"

#include <string.h>

#include <meridian/mem.h>

#include "edge/game/host_private.h"

enum { TICK_MS = 20, SILENT_MS = 2000, TARGETS = 64, HANDING_MAX = 64 /* under way at once: each costs the target a claim */ };

#define IM(x) Meridian__Internal__V1__##x
#define BUS(x) MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_##x

enum { M_GIVEN, M_REFUSED, M_SILENT, M_TAKEN, M_COUNT };
static const struct mer_metric_def defs[M_COUNT] = {
    [M_GIVEN] = {"meridian_edge_games_handed_over_total", "games given to another edge by a drain", MER_COUNTER, NULL},
    [M_REFUSED] = {"meridian_edge_game_handovers_failed_total", "games a target did not take", MER_COUNTER, "why=\"refused\""},
    [M_SILENT] = {"meridian_edge_game_handovers_failed_total", "games a target did not take", MER_COUNTER, "why=\"silent\""},
    [M_TAKEN] = {"meridian_edge_games_taken_over_total", "games taken from draining edges", MER_COUNTER, NULL},
};

struct edge_handover {
    struct edge_host_conf conf;
    struct edge_host *host;
    char *target[TARGETS];
    size_t target_count, next_target;
    uint32_t per_second, handing;
    uint32_t position; /* in the host's map */
    double owed;       /* games that may be given now */
    bool running;
    struct mer_timer timer;
    struct mer_list takings;
    uint64_t values[M_COUNT];
    struct mer_metric_set metric_set;
};

/* Who wants to hear what became of a claim. */
struct taking {
    struct mer_list node;
    struct edge_handover *h;
    char from[];
};

static void resume(struct edge_handover *h, struct edge_hosted *g, unsigned why)
{
    h->values[why]++;
    h->handing--;
    g->handing_since_ms = 0;
    edge__hosted_blame(g);
    edge_game_verify(&g->core, edge__host_time(h->host)); /* it may be somebody else's already */
    edge__hosted_after(g);
}

static bool give(struct edge_handover *h, struct edge_hosted *g)
{
    IM(GameHandOver) o = MERIDIAN__INTERNAL__V1__GAME_HAND_OVER__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    const char *target = h->target[h->next_target++ % h->target_count];
    o.game_id = g->core.id;
    o.generation = g->fence.generation;
    o.epoch = g->fence.epoch;
    o.version = g->core.now.version;
    m.body_case = BUS(GAME_HAND_OVER);
    m.game_hand_over = &o;
    if (strlen(target) > EDGE_GAME_SESSION_MAX || edge_bus_send(h->conf.bus, target, &m) != MER_OK)
        return false;
    EDGE__COPY(g->taken_by, target);
    g->handing_since_ms = h->conf.loop->now_ms;
    edge__hosted_doubt(g); /* from here on it may be the target's */
    mer_loop_disarm(h->conf.loop, &g->timer);
    h->handing++;
    return true;
}

static bool at_rest(const struct edge_hosted *g)
{
    return g->phase == EDGE_HOSTED_LIVE && g->handing_since_ms == 0 && !g->core.now.over && g->core.store == EDGE_GAME_IDLE &&
           g->pending == 0;
}

static void on_timer(struct mer_timer *t)
{
    struct edge_handover *h = MER_CONTAINER_OF(t, struct edge_handover, timer);
    uint64_t now = h->conf.loop->now_ms;
    uint32_t games = h->host->games.count;
    h->owed += h->per_second * (TICK_MS / 1000.0);
    if (h->owed > HANDING_MAX)
        h->owed = HANDING_MAX;
    for (uint32_t looked = 0; looked < games; looked++) {
        struct edge_hosted *g = mer_map_next(&h->host->games, &h->position);
        if (g == NULL) {
            h->position = 0;
            continue;
        }
        if (g->handing_since_ms != 0 && now - g->handing_since_ms >= SILENT_MS)
            resume(h, g, M_SILENT);
        else if (h->target_count > 0 && h->owed >= 1 && h->handing < HANDING_MAX && at_rest(g) && give(h, g))
            h->owed -= 1;
    }
    if (h->running || h->handing > 0)
        mer_loop_arm(h->conf.loop, &h->timer, TICK_MS);
}

static void on_handed(void *ctx, const IM(BusMessage) * m)
{
    struct edge_handover *h = ctx;
    struct edge_hosted *g = edge__host_find(h->host, m->game_handed_over->game_id);
    if (g == NULL || g->handing_since_ms == 0 || strcmp(g->taken_by, m->from) != 0)
        return;
    if (!m->game_handed_over->taken) {
        resume(h, g, M_REFUSED);
        return;
    }
    h->values[M_GIVEN]++;
    h->handing--;
    edge__hosted_let_go(g);
}

/* --- the target ----------------------------------------------------------------------------------------------------------------------- */

static void tell(struct edge_handover *h, const char *to, const char *game_id, bool taken)
{
    IM(GameHandedOver) o = MERIDIAN__INTERNAL__V1__GAME_HANDED_OVER__INIT;
    IM(BusMessage) m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    o.game_id = (char *)game_id;
    o.taken = taken;
    m.body_case = BUS(GAME_HANDED_OVER);
    m.game_handed_over = &o;
    /* Lost: the source verifies after SILENT_MS and sees our fence. */
    if (edge_bus_send(h->conf.bus, to, &m) != MER_OK)
        MER_LOG(h->conf.log, MER_DEBUG, "game.handover_unheard", KV_STR("game", game_id));
}

static void on_adopted(void *ctx, const char *game_id, enum mer_err err)
{
    struct taking *t = ctx;
    if (err == MER_OK)
        t->h->values[M_TAKEN]++;
    tell(t->h, t->from, game_id, err == MER_OK);
    mer_list_remove(&t->node);
    mer_free(&t);
}

static void on_hand_over(void *ctx, const IM(BusMessage) * m)
{
    struct edge_handover *h = ctx;
    const IM(GameHandOver) *o = m->game_hand_over;
    struct edge_fence fence = {o->generation, o->epoch, 0}; /* a claim does not compare the nonce */
    struct taking *t = h->running ? NULL : mer_try_malloc(sizeof(*t) + strlen(m->from) + 1);
    if (t != NULL) {
        t->h = h;
        strcpy(t->from, m->from); /* sized above */
        mer_list_push_back(&h->takings, &t->node);
        if (edge_host_adopt(h->host, o->game_id, &fence, m->from, on_adopted, t) == MER_OK)
            return;
        mer_list_remove(&t->node);
        mer_free(&t);
    }
    tell(h, m->from, o->game_id, false); /* draining ourselves, or out of memory */
}

/* --- life ------------------------------------------------------------------------------------------------------------------------------
 */

static void set_targets(struct edge_handover *h, const char *const *targets, size_t count)
{
    for (size_t i = 0; i < h->target_count; i++)
        mer_free(&h->target[i]);
    h->target_count = 0;
    for (size_t i = 0; i < count && i < TARGETS; i++) {
        char *copy = mer_try_strdup(targets[i]);
        if (copy != NULL)
            h->target[h->target_count++] = copy;
    }
}

void edge_handover_start(struct edge_handover *h, const char *const *targets, size_t count, uint32_t per_second)
{
    set_targets(h, targets, count);
    h->per_second = per_second;
    if (!h->running)
        mer_loop_arm(h->conf.loop, &h->timer, 0);
    h->running = true;
}

void edge_handover_stop(struct edge_handover *h)
{
    set_targets(h, NULL, 0);
    h->running = false;
    h->owed = 0;
}

static bool count_left(void *entry, void *ctx)
{
    const struct edge_hosted *g = entry;
    *(uint32_t *)ctx += !g->core.now.over;
    return true;
}

uint32_t edge_handover_left(const struct edge_handover *h)
{
    uint32_t left = 0;
    mer_map_each(&h->host->games, count_left, &left);
    return left;
}

enum mer_err edge_handover_create(struct edge_handover **out, const struct edge_host_conf *conf, struct edge_host *host)
{
    struct edge_handover *h = mer_try_calloc(1, sizeof(*h));
    if (h == NULL)
        return MER_ENOMEM;
    h->conf = *conf;
    h->host = host;
    mer_list_init(&h->takings);
    mer_timer_init(&h->timer, on_timer);
    mer_metrics_add(conf->metrics, &h->metric_set, defs, M_COUNT, h->values);
    edge_bus_on(conf->bus, BUS(GAME_HAND_OVER), on_hand_over, h);
    edge_bus_on(conf->bus, BUS(GAME_HANDED_OVER), on_handed, h);
    *out = h;
    return MER_OK;
}

void edge_handover_destroy(struct edge_handover *h)
{
    if (h == NULL)
        return;
    mer_loop_disarm(h->conf.loop, &h->timer);
    set_targets(h, NULL, 0);
    MER_LIST_EACH_SAFE (it, &h->takings) { /* the host forgets its adopters without a word */
        struct taking *t = MER_LIST_ENTRY(it, struct taking, node);
        mer_list_remove(it);
        mer_free(&t);
    }
    mer_metrics_remove(&h->metric_set);
    mer_free(&h);
}
