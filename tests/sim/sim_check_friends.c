/* SPDX-License-Identifier: Apache-2.0
 * sim_check_friends.c - tables with a code (decision 22): who came with a code plays with those who came with the same and with nobody
 * else; who waits in vain is told why; and once all is well friends who wait for each other meet at once, nobody is told that his friend is
 * not there who is, and nobody waits for one who is gone.
 *
 * Which ticket became which game is seen where an edge accepts a seat (--wrap of the store's call): a player hears of the game only. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/ticket.h"
#include "meridian/state/v1/state.pb-c.h"
#include "region-router/limits.h"
#include "tests/sim/sim_check_private.h"
#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_redis.h"

enum {
    CALM_MS = 25 * 1000,                        /* after the last fault everything has found its place */
    MEET_MS = 15 * 1000,                        /* a match that is undone and made again, and a ticket handed in */
    GONE_MS = ROUTER_GROUP_LOST_MS + 15 * 1000, /* a host who is lost may come back so long */
    KNOWN_MS = 5 * 1000,                        /* what a ticket's edge told then it knows for sure */
    WAITERS = 64,
};

struct waiter {
    char user[16], ticket[40], code[MER_INVITE_BYTES];
    bool hosts, waiting, leaves;
    uint64_t since_ms, told_ms;  /* first and last he was told that this ticket waits */
    uint64_t alone_ms;           /* since when nobody hosts */
    const struct waiter *blames; /* who waits, and he was told in vain ... */
    char blamed[40];             /* ... with this ticket */
    uint64_t blames_ms;
};
struct table {
    char code[MER_INVITE_BYTES];
    unsigned seats;
    Meridian__Client__V1__Bots bots;
};
/* A ticket that was about to become a game. */
struct seating {
    char user[16], ticket[40], game[SIM_ID], code[MER_INVITE_BYTES];
    bool made; /* it did, and nobody gave that game up */
};
static struct {
    struct waiter waiter[WAITERS];
    struct table *table;
    struct seating *seating;
    size_t waiters, tables, seatings, tables_cap, seatings_cap;
} all;

void sim_friends_init(void)
{
    memset(&all, 0, sizeof(all));
}

void sim_friends_table(const char *code, unsigned seats, Meridian__Client__V1__Bots bots)
{
    if (all.tables == all.tables_cap) {
        all.tables_cap = all.tables_cap ? all.tables_cap * 2 : 16;
        all.table = mer_xrealloc(all.table, all.tables_cap * sizeof(*all.table));
    }
    struct table *t = &all.table[all.tables++];
    *t = (struct table){.seats = seats, .bots = bots};
    sim_copy(t->code, sizeof(t->code), code);
    sim_counts.tables++;
}

static struct waiter *waiter_of(const char *user, bool make)
{
    for (size_t i = 0; i < all.waiters; i++)
        if (strcmp(all.waiter[i].user, user) == 0)
            return &all.waiter[i];
    if (!make)
        return NULL;
    MER_ASSERT(all.waiters < WAITERS);
    struct waiter *w = &all.waiter[all.waiters++];
    sim_copy(w->user, sizeof(w->user), user);
    return w;
}

/* --- while it runs -------------------------------------------------------------------------------------------------------------------- */

/* All has been well for so long before then. */
static bool was_calm(uint64_t ms, uint64_t for_ms)
{
    return sim_faults_calm_ms() >= sim_now_ms() - ms + for_ms;
}

/* His edge has said so since all is well. */
static bool surely_waits(const struct waiter *w)
{
    return w->waiting && !w->leaves && was_calm(w->told_ms, KNOWN_MS);
}

static struct waiter *host_of(const char *code)
{
    for (size_t i = 0; i < all.waiters; i++)
        if (all.waiter[i].hosts && all.waiter[i].waiting && strcmp(all.waiter[i].code, code) == 0)
            return &all.waiter[i];
    return NULL;
}

/* The host may have been matched, and not have heard of it: whether he still waits is looked at later. */
static void came_in_vain(struct waiter *w, const char *reason)
{
    struct waiter *h = host_of(w->code);
    sim_counts.in_vain++;
    sim_trace("%s came in vain with %s: %s", w->user, w->code, reason);
    if (h && surely_waits(h) && was_calm(w->since_ms, CALM_MS) && h->since_ms + KNOWN_MS <= w->since_ms) {
        w->blames = h;
        w->blames_ms = sim_now_ms();
        sim_copy(w->blamed, sizeof(w->blamed), h->ticket);
    }
}

void sim_friends_told(const char *user, const Meridian__Client__V1__Ticket *t)
{
    uint64_t now = sim_now_ms();
    if (!t->code)
        return;
    struct waiter *w = waiter_of(user, true);
    if (t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING) {
        if (strcmp(w->ticket, t->ticket_id) != 0) {
            sim_copy(w->ticket, sizeof(w->ticket), t->ticket_id);
            sim_copy(w->code, sizeof(w->code), t->code);
            w->since_ms = now;
            w->leaves = false;
            w->alone_ms = 0;
        }
        w->hosts = t->hosts;
        w->waiting = true;
        w->told_ms = now;
        return;
    }
    if (strcmp(w->ticket, t->ticket_id) != 0)
        return;
    w->waiting = t->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_MATCHED && w->waiting;
    if (t->state != MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_EXPIRED)
        return;
    if (!t->reason || !t->reason[0])
        sim_fail("%s came in vain with %s and is not told why", user, t->code);
    else if (!w->hosts && !w->leaves)
        came_in_vain(w, t->reason);
}

void sim_friends_leaves(const char *user)
{
    struct waiter *w = waiter_of(user, false);
    if (w)
        w->leaves = true;
}

/* Do those who have waited so long make a full table, or one that bots fill? */
static void see_who_meets(const struct table *t)
{
    unsigned count = 0;
    bool hosted = false, fill = t->bots == MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL, none = t->bots == MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE;
    uint64_t last_ms = 0;
    const struct waiter *one = NULL;
    for (size_t i = 0; i < all.waiters; i++) {
        const struct waiter *w = &all.waiter[i];
        if (strcmp(w->code, t->code) != 0 || !surely_waits(w))
            continue;
        count++;
        hosted |= w->hosts;
        one = w->hosts ? one : w;
        last_ms = w->since_ms > last_ms ? w->since_ms : last_ms;
    }
    uint64_t wait_ms = MEET_MS + (fill && count < t->seats ? ROUTER_FILL_MS : 0);
    if (hosted && count >= (none ? t->seats : 2) && sim_now_ms() - last_ms > wait_ms && was_calm(sim_now_ms() - wait_ms, CALM_MS))
        sim_fail("%s and his friends wait for each other with %s for %llu ms", one->user, t->code,
                 (unsigned long long)(sim_now_ms() - last_ms));
}

static void see_who_is_alone(struct waiter *w)
{
    uint64_t now = sim_now_ms();
    if (!w->waiting || w->hosts || host_of(w->code)) {
        w->alone_ms = 0;
        return;
    }
    w->alone_ms = w->alone_ms ? w->alone_ms : now;
    if (surely_waits(w) && now - w->alone_ms > GONE_MS && was_calm(now - GONE_MS, CALM_MS))
        sim_fail("%s waits with %s, and nobody has hosted it for %llu ms", w->user, w->code, (unsigned long long)(now - w->alone_ms));
}

void sim_check_friends(void)
{
    for (size_t i = 0; i < all.tables && sim_faults_calm_ms() > CALM_MS; i++)
        see_who_meets(&all.table[i]);
    for (size_t i = 0; i < all.waiters; i++) {
        struct waiter *w = &all.waiter[i];
        see_who_is_alone(w);
        if (!w->blames || sim_now_ms() - w->blames_ms < KNOWN_MS)
            continue;
        if (surely_waits(w->blames) && strcmp(w->blames->ticket, w->blamed) == 0)
            sim_fail("%s was told that he came in vain with %s, and %s waits with it", w->user, w->code, w->blames->user);
        w->blames = NULL;
    }
}

/* --- who sat down with what ----------------------------------------------------------------------------------------------------------- */

static void note(const struct edge_ticket *t, const char *user, const char *game)
{
    for (size_t i = all.seatings; i-- > 0;)
        if (strcmp(all.seating[i].ticket, t->id) == 0 && strcmp(all.seating[i].game, game) == 0)
            return;
    if (all.seatings == all.seatings_cap) {
        all.seatings_cap = all.seatings_cap ? all.seatings_cap * 2 : 64;
        all.seating = mer_xrealloc(all.seating, all.seatings_cap * sizeof(*all.seating));
    }
    struct seating *s = &all.seating[all.seatings++];
    *s = (struct seating){.made = false};
    sim_copy(s->user, sizeof(s->user), user);
    sim_copy(s->ticket, sizeof(s->ticket), t->id);
    sim_copy(s->game, sizeof(s->game), game);
    sim_copy(s->code, sizeof(s->code), t->code);
}

enum mer_err __real_edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid, const char *owner,
                                           edge_store_player_cb cb, void *ctx);
enum mer_err __wrap_edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid, const char *owner,
                                           edge_store_player_cb cb, void *ctx);
enum mer_err __wrap_edge_store_player_seat(struct edge_store *s, const char *user, const char *ticket, const char *gid, const char *owner,
                                           edge_store_player_cb cb, void *ctx)
{
    if (sim_region_count > 1)
        note(ctx, user, gid); /* ctx: the ticket, which alone calls this */
    return __real_edge_store_player_seat(s, user, ticket, gid, owner, cb, ctx);
}

static struct seating *seating_of(const char *user, const char *game)
{
    for (size_t i = 0; i < all.seatings; i++)
        if (strcmp(all.seating[i].game, game) == 0 && strcmp(all.seating[i].user, user) == 0)
            return &all.seating[i];
    return NULL;
}

static void one_game_a_ticket(struct seating *s)
{
    s->made = !sim_far_given_up(s->user, s->game);
    for (size_t i = 0; i < all.seatings && s->made && !sim.failed; i++)
        if (&all.seating[i] != s && all.seating[i].made && strcmp(all.seating[i].ticket, s->ticket) == 0)
            sim_fail("ticket %s of %s became %s and %s", s->ticket, s->user, all.seating[i].game, s->game);
}

static void check_game(const Meridian__State__V1__GameRecord *r)
{
    const struct seating *first = NULL;
    for (size_t i = 0; i < r->n_seats && !sim.failed; i++) {
        if (r->seats[i]->kind == MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT)
            continue;
        struct seating *s = seating_of(r->seats[i]->user, r->game_id);
        if (!s)
            sim_fail("%s sits in %s, and no ticket of his was offered it", r->seats[i]->user, r->game_id);
        else if (first && strcmp(first->code, s->code) != 0)
            sim_fail("%s came to %s with the code \"%s\" and %s with \"%s\"", first->user, r->game_id, first->code, s->user, s->code);
        if (s)
            one_game_a_ticket(s);
        first = first ? first : s;
    }
    sim_counts.met += first && first->code[0] != 0;
}

static void look(void *ctx, const struct sim_key *key)
{
    (void)ctx;
    if (sim.failed || strncmp(key->name->data, "game:", 5) != 0 || key->stored == 0)
        return;
    const struct sim_str *s = key->history[0].record;
    Meridian__State__V1__GameRecord *r = meridian__state__v1__game_record__unpack(NULL, s->len, (const uint8_t *)s->data);
    if (!r)
        return;
    check_game(r);
    meridian__state__v1__game_record__free_unpacked(r, NULL);
}

void sim_friends_check_end(void)
{
    sim_check_keys(look, NULL);
}
