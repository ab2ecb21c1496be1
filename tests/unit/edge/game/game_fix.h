/* SPDX-License-Identifier: Apache-2.0
 * game_fix.h - a hosted game on the table: the test is the store, the clock and the players. What the core sends is kept as facts (kinds,
 * versions, who) and, packed, as bytes that tests search. */
#pragma once

#include <stdio.h>

#include <meridian/buf.h>
#include <meridian/mem.h>

#include "edge/game/game.h"
#include "unit.h"

#define SM(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name
#define ERR(name) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##name
#define OVER(name) MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_##name

enum { FIX_SAID = 64, FIX_T0 = 1000000 };

struct fix_said {
    unsigned kind; /* body case */
    bool reply;    /* to the asker; else to everybody */
    uint64_t version;
    unsigned seat; /* of the event; of the asker for a reply */
    unsigned code; /* errors */
    unsigned reason;
    uint64_t deadline_ms, until_ms, retry_ms;
    uint32_t face;
    char move_id[EDGE_GAME_MOVE_ID_MAX + 1];
};

struct fix {
    struct edge_game g;
    struct edge_game_env env;
    struct mer_rng_seeded seed;
    struct edge_game_time t;
    bool putting, reading, refuse_calls;
    struct edge_game_put put;
    unsigned puts, reads, lost;
    unsigned notes[EDGE_GAME_NOTE_STRAY + 1];
    struct fix_said said[FIX_SAID];
    unsigned said_count;
    void (*hear)(struct fix *f, const Meridian__Client__V1__ServerMessage *m);
    void *ctx;
};

static inline struct fix *fix_of(struct edge_game *g)
{
    return MER_CONTAINER_OF(g, struct fix, g);
}

static inline void fix_hear(struct fix *f, bool reply, unsigned asker, const Meridian__Client__V1__ServerMessage *m)
{
    struct fix_said *s = &f->said[f->said_count++ % FIX_SAID];
    memset(s, 0, sizeof(*s));
    s->kind = m->body_case;
    s->reply = reply;
    s->seat = asker;
    switch ((int)m->body_case) {
    case SM(MOVE_OK):
        s->version = m->move_ok->version;
        snprintf(s->move_id, sizeof(s->move_id), "%s", m->move_ok->move_id);
        break;
    case SM(ERROR):
        s->code = m->error->code, s->retry_ms = m->error->retry_after_ms;
        break;
    case SM(CARD_FLIPPED):
        s->version = m->card_flipped->version, s->seat = m->card_flipped->seat, s->face = m->card_flipped->face;
        break;
    case SM(PAIR_FOUND):
        s->version = m->pair_found->version, s->seat = m->pair_found->seat;
        break;
    case SM(PAIR_MISSED):
        s->version = m->pair_missed->version, s->seat = m->pair_missed->seat;
        break;
    case SM(TURN_CHANGED):
        s->version = m->turn_changed->version, s->seat = m->turn_changed->seat, s->deadline_ms = m->turn_changed->deadline_at_ms;
        break;
    case SM(SEAT_LEFT):
        s->version = m->seat_left->version, s->seat = m->seat_left->seat;
        break;
    case SM(SEAT_HANDED_BACK):
        s->version = m->seat_handed_back->version, s->seat = m->seat_handed_back->seat;
        break;
    case SM(SEAT_TAKEN_OVER):
        s->version = m->seat_taken_over->version, s->seat = m->seat_taken_over->seat;
        break;
    case SM(PLAYER_RECONNECTED):
        s->version = m->player_reconnected->version, s->seat = m->player_reconnected->seat;
        break;
    case SM(PLAYER_DROPPED):
        s->version = m->player_dropped->version, s->seat = m->player_dropped->seat;
        break;
    case SM(GAME_OVER):
        s->version = m->game_over->version, s->reason = m->game_over->reason;
        break;
    case SM(GAME_PAUSED):
        s->version = m->game_paused->version;
        s->reason = m->game_paused->reason, s->until_ms = m->game_paused->until_ms;
        break;
    case SM(GAME_RESUMED):
        s->version = m->game_resumed->version, s->deadline_ms = m->game_resumed->deadline_at_ms;
        break;
    default:
        fail_msg("a game says nothing like %u", (unsigned)m->body_case);
    }
    if (f->hear)
        f->hear(f, m);
}

static inline bool fix_put(struct edge_game *g, const struct edge_game_put *p)
{
    struct fix *f = fix_of(g);
    assert_false(f->putting || f->reading); /* one in flight */
    if (f->refuse_calls)
        return false;
    f->putting = true;
    f->put = *p;
    f->puts++;
    return true;
}
static inline bool fix_read(struct edge_game *g)
{
    struct fix *f = fix_of(g);
    assert_false(f->putting || f->reading);
    if (f->refuse_calls)
        return false;
    f->reading = true;
    f->reads++;
    return true;
}
static inline void fix_reply(struct edge_game *g, const struct edge_game_ask *to, const Meridian__Client__V1__ServerMessage *m)
{
    fix_hear(fix_of(g), true, to->seat, m);
}
static inline void fix_publish(struct edge_game *g, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                               const Meridian__Client__V1__ServerMessage *const *messages, size_t count)
{
    if (from)
        fix_hear(fix_of(g), true, from->seat, reply);
    for (size_t i = 0; i < count; i++)
        fix_hear(fix_of(g), false, 0, messages[i]);
}
static inline void fix_lost(struct edge_game *g)
{
    fix_of(g)->lost++;
}
static inline void fix_note(struct edge_game *g, enum edge_game_note note, uint32_t arg)
{
    (void)arg;
    fix_of(g)->notes[note]++;
}

static const struct edge_game_env fix_env = {
    .put = fix_put, .read = fix_read, .reply = fix_reply, .publish = fix_publish, .lost = fix_lost, .note = fix_note};

static inline struct edge_game_spec fix_spec(unsigned seats, unsigned rows, unsigned cols, unsigned bots)
{
    static const char *const users[] = {"ann", "bob", "cem", "dee"}, *const bot_users[] = {"bot:1", "bot:2", "bot:3", "bot:4"};
    struct edge_game_spec s = {.id = "g-1", .game = "memory", .region = "us-east", .rows = (uint8_t)rows, .cols = (uint8_t)cols};
    s.seat_count = (uint8_t)seats;
    for (unsigned i = 0; i < seats; i++) {
        s.seat[i].bot = bots >> i & 1;
        s.seat[i].user = s.seat[i].bot ? bot_users[i] : users[i];
        s.seat[i].name = s.seat[i].user;
    }
    return s;
}

static inline void fix_init(struct fix *f, const struct edge_rules *rules, const struct edge_game_spec *spec, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->env = fix_env;
    f->env.rng = mer_rng_seed(&f->seed, seed);
    f->env.seats = (struct edge_seat_policy){EDGE_SEAT_GRACE_MS, EDGE_SEAT_PAUSE_MS, false};
    f->t = (struct edge_game_time){FIX_T0, 50 * FIX_T0};
    assert_int_equal(edge_game_init_rules(&f->g, rules, spec, &f->env, f->t), MER_OK);
    edge_game_start(&f->g, f->t, false);
    edge_game_check(&f->g);
}

static inline void fix_deinit(struct fix *f)
{
    edge_game_deinit(&f->g);
}

/* Time passes; ticks come when the game wants them. */
static inline void fix_run(struct fix *f, uint64_t ms)
{
    uint64_t end = f->t.mono_ms + ms;
    for (;;) {
        uint64_t at = edge_game_next_ms(&f->g, f->t);
        if (at > end)
            break;
        uint64_t step = at > f->t.mono_ms ? at - f->t.mono_ms : 0;
        f->t.mono_ms += step, f->t.store_ms += step;
        bool was_putting = f->putting, was_reading = f->reading;
        unsigned said = f->said_count, store = f->g.store;
        edge_game_tick(&f->g, f->t);
        edge_game_check(&f->g);
        /* A tick that was asked for does something, or the shell would spin. */
        assert_true(step > 0 || was_putting != f->putting || was_reading != f->reading || said != f->said_count || store != f->g.store);
    }
    f->t.store_ms += end - f->t.mono_ms;
    f->t.mono_ms = end;
}

static inline void fix_put_done(struct fix *f, enum edge_game_event e)
{
    assert_true(f->putting);
    f->putting = false;
    edge_game_put_done(&f->g, f->t, e);
    edge_game_check(&f->g);
}
static inline void fix_read_done(struct fix *f, enum edge_game_event e, bool mine, uint64_t version)
{
    assert_true(f->reading);
    f->reading = false;
    edge_game_read_done(&f->g, f->t, e, mine, version);
    edge_game_check(&f->g);
}
/* The store takes everything until nothing is under way. */
static inline void fix_store(struct fix *f)
{
    while (f->putting)
        fix_put_done(f, EDGE_GAME_ON_STORED);
}

static inline struct edge_game_ask fix_ask(const struct fix *f, unsigned seat, enum edge_game_ask_kind kind, unsigned card,
                                           const char *move_id)
{
    struct edge_game_ask a = {
        .kind = (uint8_t)kind, .seat = (uint8_t)seat, .action.card = card, .until_ms = f->t.mono_ms + EDGE_GAME_GIVE_UP_MS};
    snprintf(a.move_id, sizeof(a.move_id), "%s", move_id);
    snprintf(a.session, sizeof(a.session), "%s", "s-1");
    snprintf(a.edge, sizeof(a.edge), "%s", "us-east-1.a");
    return a;
}
static inline void fix_flip(struct fix *f, unsigned seat, unsigned card, const char *move_id)
{
    struct edge_game_ask a = fix_ask(f, seat, EDGE_GAME_ASK_MOVE, card, move_id);
    edge_game_request(&f->g, f->t, &a);
    edge_game_check(&f->g);
}
/* A seat's last device goes, or its first comes. */
static inline void fix_present(struct fix *f, unsigned seat, bool present)
{
    edge_game_present(&f->g, f->t, seat, present);
    edge_game_check(&f->g);
}
static inline void fix_leave(struct fix *f, unsigned seat)
{
    struct edge_game_ask a = fix_ask(f, seat, EDGE_GAME_ASK_LEAVE, 0, "");
    edge_game_request(&f->g, f->t, &a);
    edge_game_check(&f->g);
}

/* The n-th thing said, counted from the last one (0). */
#define fix_last(f, n) (assert_true((f)->said_count > (n)), &(f)->said[((f)->said_count - 1 - (n)) % FIX_SAID])
#define assert_said(f, n, what) assert_int_equal(fix_last(f, n)->kind, SM(what))
#define assert_refused(f, why) \
    do { \
        assert_said(f, 0, ERROR); \
        assert_int_equal(fix_last(f, 0)->code, ERR(why)); \
    } while (0)
#define assert_store(f, what) assert_string_equal(edge_game_store_name((enum edge_game_store)(f)->g.store), #what)
