/* SPDX-License-Identifier: Apache-2.0
 * sim_check_store.c - what the store says in the end, against what was noted; and who owns what meanwhile. See sim_check.h. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/app.h"
#include "edge/game/host_private.h"
#include "meridian/state/v1/state.pb-c.h"
#include "tests/sim/sim_check_private.h"
#include "tests/sim/sim_redis.h"

#define FROM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define CARD(x) MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_##x
#define SM(x) Meridian__State__V1__##x

/* A game's history, decoded: version v is at [v - 1]. */
struct history {
    const char *id;
    const struct sim_key *key;
    SM(GameRecord) * *record;
    SM(MemoryState) * *memory;
    size_t count;
};

void sim_check_keys(void (*each)(void *ctx, const struct sim_key *key), void *ctx)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        for (unsigned s = 0; s < SIM_SHARDS; s++)
            sim_keys_each(&sim_redis_primary(sim_regions[k].redis, s)->keys, each, ctx);
}

/* --- owners, at any moment ------------------------------------------------------------------------------------------------------------ */

static const struct edge_hosted *hosted(const struct sim_proc *p, const char *gid)
{
    const struct edge_app *app = sim_edge_app(p);
    const struct edge_hosted *g = app && app->host ? edge__host_find(app->host, gid) : NULL;
    return g && g->phase == EDGE_HOSTED_LIVE && g->core.store != EDGE_GAME_LOST ? g : NULL;
}

static bool one_owner(void *entry, void *ctx)
{
    const struct edge_hosted *g = entry;
    const struct sim_proc *p = ctx;
    const struct sim_region *r = p->at; /* no edge of another one can own it */
    if (g->phase != EDGE_HOSTED_LIVE || g->core.store == EDGE_GAME_LOST || g->core.now.over)
        return true;
    edge_game_check(&g->core);
    for (unsigned i = 0; i < r->edges; i++) {
        const struct edge_hosted *o = r->edge[i] != p ? hosted(r->edge[i], g->core.id) : NULL;
        if (o && !o->core.now.over && edge_fence_equal(&o->fence, &g->fence))
            sim_fail("%s is hosted by %s and %s under one fence (epoch %llu)", g->core.id, p->name, r->edge[i]->name,
                     (unsigned long long)g->fence.epoch);
        else if (o && !o->core.now.over && o->fence.epoch == g->fence.epoch)
            sim_fail("%s is hosted by %s and %s in one epoch (%llu)", g->core.id, p->name, r->edge[i]->name,
                     (unsigned long long)g->fence.epoch);
    }
    return true;
}

void sim_check_owners(void)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        for (unsigned i = 0; i < sim_regions[k].edges && !sim.failed; i++) {
            struct edge_app *app = sim_edge_app(sim_regions[k].edge[i]);
            if (app && app->host)
                mer_map_each(&app->host->games, one_owner, sim_regions[k].edge[i]);
        }
}

/* --- the end -------------------------------------------------------------------------------------------------------------------------- */

static const struct sim_key *game_key(const char *gid)
{
    char key[EDGE_KEY_MAX];
    if (edge_key_game(key, gid) != MER_OK)
        return NULL;
    for (unsigned i = 0; i < sim_region_count; i++) {
        const struct sim_key *k = sim_redis_key(sim_regions[i].redis, key);
        if (k && k->stored > 0)
            return k;
    }
    return NULL;
}

static SM(SeatRecord) * seat_of(const SM(GameRecord) * r, const char *user)
{
    for (size_t i = 0; i < r->n_seats; i++)
        if (strcmp(r->seats[i]->user, user) == 0)
            return r->seats[i];
    return NULL;
}

static void check_deck(const struct history *h, const SM(MemoryState) * m)
{
    unsigned seen[256] = {0};
    const SM(MemoryState) *first = h->memory[0];
    if (m->faces.len != first->faces.len || memcmp(m->faces.data, first->faces.data, m->faces.len) != 0)
        sim_fail("%s: the deck changed", h->id);
    for (size_t i = 0; i < m->faces.len; i++)
        seen[m->faces.data[i]]++;
    for (size_t i = 0; i < m->faces.len / 2; i++)
        if (seen[i] != 2)
            sim_fail("%s: face %zu is on %u cards", h->id, i, seen[i]);
}

static void check_steps(const struct history *h, size_t i)
{
    const struct sim_stored *s = &h->key->history[i], *before = i ? &h->key->history[i - 1] : NULL;
    if (s->version != i + 1 || h->record[i]->version != i + 1)
        sim_fail("%s: stored as number %zu: version %llu, record %llu", h->id, i + 1, (unsigned long long)s->version,
                 (unsigned long long)h->record[i]->version);
    if (before && s->epoch < before->epoch)
        sim_fail("%s: epoch %llu after %llu", h->id, (unsigned long long)s->epoch, (unsigned long long)before->epoch);
    if (before && s->epoch == before->epoch && strcmp(s->nonce, before->nonce) != 0)
        sim_fail("%s: two nonces in epoch %llu", h->id, (unsigned long long)s->epoch);
    if (before && h->record[i - 1]->over)
        sim_fail("%s: version %zu follows the end", h->id, i + 1);
}

/* A move that a version newly remembers was not remembered before, and is one that was sent. */
static void check_answered(const struct history *h, size_t i)
{
    const SM(GameRecord) *r = h->record[i];
    for (size_t s = 0; s < r->n_seats; s++)
        for (size_t k = 0; k < r->seats[s]->n_answered; k++) {
            const SM(AnsweredMove) *a = r->seats[s]->answered[k];
            if (a->version != i + 1)
                continue;
            if (!sim_move_find(r->seats[s]->user, h->id, a->move_id))
                sim_fail("%s version %zu has move %s, which nobody sent", h->id, i + 1, a->move_id);
            for (size_t v = 0; v < i; v++) {
                const SM(SeatRecord) *b = h->record[v]->seats[s];
                for (size_t n = 0; n < b->n_answered; n++)
                    if (strcmp(b->answered[n]->move_id, a->move_id) == 0)
                        sim_fail("%s: move %s was applied twice, as version %llu and %zu", h->id, a->move_id,
                                 (unsigned long long)b->answered[n]->version, i + 1);
            }
        }
}

static bool decode(struct history *h, const char *id)
{
    h->id = id;
    h->key = game_key(id);
    if (!h->key)
        return false;
    h->count = h->key->stored;
    h->record = mer_xcalloc(h->count, sizeof(*h->record));
    h->memory = mer_xcalloc(h->count, sizeof(*h->memory));
    for (size_t i = 0; i < h->count && !sim.failed; i++) {
        const struct sim_str *s = h->key->history[i].record;
        h->record[i] = meridian__state__v1__game_record__unpack(NULL, s->len, (const uint8_t *)s->data);
        if (h->record[i])
            h->memory[i] = meridian__state__v1__memory_state__unpack(NULL, h->record[i]->rules_state.len, h->record[i]->rules_state.data);
        if (!h->memory[i]) {
            sim_fail("%s: record %zu cannot be read", id, i + 1);
            return false;
        }
        check_steps(h, i);
        check_deck(h, h->memory[i]);
        check_answered(h, i);
    }
    return !sim.failed;
}

static bool lies(const SM(MemoryState) * m, uint32_t card, unsigned state)
{
    return card < m->states.len && m->states.data[card] == state;
}

static bool same_scores(const struct sim_shown *s, const SM(MemoryState) * m)
{
    if (s->scores != m->n_scores)
        return false;
    for (unsigned i = 0; i < s->scores; i++)
        if (s->score[i] != m->scores[i])
            return false;
    return true;
}

static bool same_board(const struct sim_shown *s, const SM(GameRecord) * r, const SM(MemoryState) * m)
{
    if (s->cards != m->states.len || s->over != r->over || !same_scores(s, m))
        return false;
    for (unsigned i = 0; i < s->cards; i++)
        if (s->card_state[i] != m->states.data[i] || (m->states.data[i] != CARD(DOWN) && s->card_face[i] != m->faces.data[i]))
            return false;
    return true;
}

/* Is it what the stored version says? */
static bool is_so(const struct sim_shown *s, const SM(GameRecord) * r, const SM(MemoryState) * m)
{
    switch (s->kind) {
    case FROM(GAME_STATE):
        return same_board(s, r, m);
    case FROM(CARD_FLIPPED):
        return s->pair[0] < m->faces.len && !lies(m, s->pair[0], CARD(DOWN)) && s->face == m->faces.data[s->pair[0]];
    case FROM(PAIR_FOUND):
        return lies(m, s->pair[0], CARD(TAKEN)) && lies(m, s->pair[1], CARD(TAKEN)) && same_scores(s, m);
    case FROM(PAIR_MISSED):
        return lies(m, s->pair[0], CARD(UP)) && lies(m, s->pair[1], CARD(UP)) && same_scores(s, m);
    case FROM(TURN_CHANGED):
        return m->turn == s->seat;
    case FROM(SEAT_LEFT):
        return s->seat < r->n_seats && r->seats[s->seat]->phase == MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT;
    case FROM(GAME_OVER):
        return r->over && same_scores(s, m);
    default:
        return true;
    }
}

static void check_shown(const struct history *h)
{
    for (unsigned b = 0; b < SIM_SHOWN_SLOTS; b++)
        for (const struct sim_shown *s = sim_log.shown[b]; s && !sim.failed; s = s->next) {
            if (strcmp(s->game, h->id) != 0 || s->kind == FROM(MATCHED))
                continue;
            if (s->version == 0 || s->version > h->count)
                sim_fail("%s: %s was shown version %llu (kind %u), stored are %zu", h->id, s->user, (unsigned long long)s->version, s->kind,
                         h->count);
            else if (!is_so(s, h->record[s->version - 1], h->memory[s->version - 1]))
                sim_fail("%s: %s was shown what version %llu (kind %u) is not", h->id, s->user, (unsigned long long)s->version, s->kind);
        }
}

static void check_acked(const struct history *h)
{
    for (size_t i = 0; i < sim_log.moves && !sim.failed; i++) {
        const struct sim_move *m = &sim_log.move[i];
        bool found = false;
        if (!m->acked || strcmp(m->game, h->id) != 0)
            continue;
        const SM(SeatRecord) *s = m->version >= 1 && m->version <= h->count ? seat_of(h->record[m->version - 1], m->user) : NULL;
        for (size_t k = 0; s && k < s->n_answered; k++)
            found |= strcmp(s->answered[k]->move_id, m->id) == 0 && s->answered[k]->version == m->version;
        if (!found)
            sim_fail("%s: move %s was acknowledged as version %llu and is not stored", h->id, m->id, (unsigned long long)m->version);
    }
}

static void check_gone(const struct history *h)
{
    for (size_t i = 0; i < sim_log.gones && !sim.failed; i++) {
        const struct sim_gone *g = &sim_log.gone[i];
        if (strcmp(g->game, h->id) != 0)
            continue;
        const SM(GameRecord) *last = h->record[h->count - 1];
        const SM(SeatRecord) *s = seat_of(last, g->user);
        if (!last->over && s && s->phase != MERIDIAN__STATE__V1__SEAT_PHASE__SEAT_PHASE_LEFT)
            sim_fail("%s was told that %s is none, and it goes on", g->user, h->id);
    }
}

static void check_game(const char *id)
{
    struct history h = {.count = 0};
    if (!decode(&h, id)) {
        if (!sim.failed)
            sim_fail("%s was shown and is not in the store", id);
        return;
    }
    sim_counts.games++;
    sim_counts.far_games += strchr(id, '.') != NULL;
    check_shown(&h);
    check_acked(&h);
    check_gone(&h);
    if (!h.record[h.count - 1]->over)
        sim_fail("%s is not over: version %zu, owner %s", id, h.count, sim_key_field(h.key, "o"));
}

/* Every game somebody was shown or the store has. */
struct games {
    char (*id)[SIM_ID];
    size_t count, cap;
};

static void note(struct games *g, const char *id)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->id[i], id) == 0)
            return;
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 64;
        g->id = mer_xrealloc(g->id, g->cap * sizeof(*g->id));
    }
    sim_copy(g->id[g->count++], SIM_ID, id);
}

static void note_key(void *ctx, const struct sim_key *key)
{
    struct games *g = ctx;
    const char *id = strrchr(key->name->data, ':');
    if (strncmp(key->name->data, "game:", 5) != 0 || !id || key->stored == 0 || !sim_check_notes(id + 1))
        return;
    note(g, id + 1);
}

static void see_if_over(void *ctx, const struct sim_key *key)
{
    bool *all = ctx;
    if (*all && strncmp(key->name->data, "game:", 5) == 0 && key->stored > 0)
        *all = strcmp(sim_key_field(key, "x"), "1") == 0;
}

static struct games stored_games(void)
{
    struct games g = {.count = 0};
    sim_check_keys(note_key, &g);
    return g;
}

bool sim_check_all_over(void)
{
    bool all = true;
    sim_check_keys(see_if_over, &all);
    return all;
}

void sim_check_end(void)
{
    struct games g = stored_games();
    for (unsigned b = 0; b < SIM_SHOWN_SLOTS; b++)
        for (const struct sim_shown *s = sim_log.shown[b]; s; s = s->next)
            note(&g, s->game);
    for (size_t i = 0; i < g.count && !sim.failed; i++)
        check_game(g.id[i]);
    free(g.id);
}
