/* SPDX-License-Identifier: Apache-2.0
 * Thousands of games between careless players over a bad store: puts are late, repeated, unknown whether done or not, refused, or lost
 * again after they were confirmed; now and then the owner dies and another one goes on from the record. In every other game the players
 * also come and go. After every step the promises are checked:
 *
 *   - versions shown grow by one, and nothing is shown that the store did not have at that version;
 *   - a move is applied once: one version a moveId, the same in every answer;
 *   - the cards stay the cards that were dealt, and every message is, byte for byte, the same when all cards that lie down are exchanged;
 *   - every request has exactly one answer, and every game ends. */
#include "game_fix.h"

#include "edge/game/memory.h"

enum { SEEDS = 2000, ASKS = 512, STEPS = 20000 };

static unsigned playing; /* of the game being played, for the one who has to find out why */

struct asked {
    char move_id[16];
    unsigned card;
    bool leave, open; /* waits for its answer */
    uint64_t version; /* stored as; 0: not (yet) known */
};

struct play {
    struct fix f;
    struct mer_rng_seeded d;
    struct mer_rng dice;
    uint8_t faces[EDGE_RULES_CARDS]; /* as dealt */
    struct mer_buf stored, before;   /* the store's record, and one version older */
    uint64_t stored_version, before_version, shown;
    struct asked ask[EDGE_RULES_SEATS][ASKS];
    unsigned asks[EDGE_RULES_SEATS];
    unsigned restores, adoptions, unknowns;
    unsigned seed;
    uint8_t there; /* bit a seat: a device of his is connected */
    bool come_and_go;
    unsigned seat_events[EDGE_EVENT_OVER]; /* by enum edge_event_kind */
};

static unsigned roll(struct play *p, unsigned n)
{
    return mer_rng_below(&p->dice, n);
}

static size_t pack(const Meridian__Client__V1__ServerMessage *m, uint8_t *out, size_t size)
{
    assert_true(meridian__client__v1__server_message__get_packed_size(m) <= size);
    return meridian__client__v1__server_message__pack(m, out);
}

/* The view with every card that lies down showing another face underneath. */
static void assert_view_hides(struct play *p)
{
    static uint8_t a[4096], b[4096];
    struct edge_game_view v;
    struct edge_game *g = &p->f.g;
    struct edge_memory *m = (struct edge_memory *)&g->now.rules, real = *m;
    edge_game_view(g, 0, &v);
    size_t len = pack(&v.m, a, sizeof(a));
    for (unsigned i = 0; i < edge_memory_cards(m); i++) {
        assert_int_equal(v.card[i].state, m->card[i]);
        assert_int_equal(v.card[i].has_face, m->card[i] != MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN);
    }
    for (unsigned i = 0; i < edge_memory_cards(m); i++)
        if (m->card[i] == MERIDIAN__CLIENT__V1__CARD_STATE__CARD_STATE_DOWN)
            m->face[i] = (uint8_t)(101 + i);
    edge_game_view(g, 0, &v);
    assert_int_equal(pack(&v.m, b, sizeof(b)), len);
    assert_memory_equal(a, b, len);
    *m = real;
}

static void assert_cards(const struct play *p)
{
    const struct edge_memory *m = (const struct edge_memory *)&p->f.g.now.rules;
    assert_memory_equal(m->face, p->faces, sizeof(p->faces));
}

/* An event is heard: only the turned card's own face is in it. */
static void hear(struct fix *f, const Meridian__Client__V1__ServerMessage *m)
{
    struct play *p = f->ctx;
    const struct fix_said *s = fix_last(f, 0);
    if (s->reply)
        return;
    assert_true(s->version == p->shown || s->version == p->shown + 1);
    assert_true(s->version <= p->stored_version); /* the store had it before anybody saw it */
    if (s->version == p->shown + 1)
        p->shown = s->version;
    else
        assert_true(s->version == f->g.now.version);
    if (s->kind == SM(CARD_FLIPPED))
        assert_int_equal(s->face, p->faces[m->card_flipped->card]);
}

static struct asked *find_ask(struct play *p, unsigned seat, const char *move_id)
{
    for (unsigned i = 0; i < p->asks[seat]; i++)
        if (!p->ask[seat][i].leave && strcmp(p->ask[seat][i].move_id, move_id) == 0)
            return &p->ask[seat][i];
    fail_msg("an answer to %s, which nobody asked", move_id);
    return NULL;
}

static void answered(struct edge_game *g, const struct edge_game_ask *to, const Meridian__Client__V1__ServerMessage *m)
{
    struct fix *f = fix_of(g);
    struct play *p = f->ctx;
    if (to->kind == EDGE_GAME_ASK_MOVE) {
        struct asked *a = find_ask(p, to->seat, to->move_id);
        if (m->body_case == SM(MOVE_OK)) {
            assert_true(a->version == 0 || a->version == m->move_ok->version); /* once, and always the same */
            a->version = m->move_ok->version;
            assert_true(a->version <= p->stored_version);
        } else {
            assert_true(a->version == 0 || m->error->code == ERR(MOVE_CONFLICT));
        }
        assert_true(a->open);
        a->open = false;
    }
    fix_hear(f, true, to->seat, m);
}

static void published(struct edge_game *g, const struct edge_game_ask *from, const Meridian__Client__V1__ServerMessage *reply,
                      const Meridian__Client__V1__ServerMessage *const *messages, size_t count)
{
    if (from)
        answered(g, from, reply);
    for (size_t i = 0; i < count; i++)
        fix_hear(fix_of(g), false, 0, messages[i]);
}

static void noted(struct edge_game *g, enum edge_game_note note, uint32_t arg)
{
    struct play *p = fix_of(g)->ctx;
    if (note == EDGE_GAME_NOTE_SEAT)
        p->seat_events[arg]++;
    fix_note(g, note, arg);
}

/* --- the store --- */

static void execute(struct play *p)
{
    const struct edge_game_put *put = &p->f.put;
    struct mer_buf record;
    if (p->stored_version == put->version)
        return; /* DUP */
    assert_int_equal(p->stored_version, put->expected);
    mer_buf_init(&record, 0);
    assert_int_equal(edge_game_encode(&p->f.g, put->restore, &record), MER_OK);
    mer_buf_deinit(&p->before);
    p->before = p->stored;
    p->before_version = p->stored_version;
    p->stored = record;
    p->stored_version = put->version;
}

static void store_put(struct play *p)
{
    unsigned r = roll(p, 100);
    if (r < 4) { /* not executed, and said so */
        fix_put_done(&p->f, EDGE_GAME_ON_NOT_NOW);
    } else if (r < 10) { /* executed or not, nobody knows */
        p->unknowns++;
        if (r % 2)
            execute(p);
        fix_put_done(&p->f, EDGE_GAME_ON_UNSURE);
    } else if (p->stored_version != p->f.put.expected && p->stored_version != p->f.put.version) {
        fix_put_done(&p->f, EDGE_GAME_ON_UNSURE); /* GAP */
    } else {
        execute(p);
        fix_put_done(&p->f, EDGE_GAME_ON_STORED);
    }
}

static void store_read(struct play *p)
{
    unsigned r = roll(p, 10);
    if (r == 0)
        fix_read_done(&p->f, EDGE_GAME_ON_UNSURE, false, 0);
    else if (r == 1)
        fix_read_done(&p->f, EDGE_GAME_ON_NOT_NOW, false, 0);
    else
        fix_read_done(&p->f, EDGE_GAME_ON_STORED, true, p->stored_version);
}

/* A failover to a replica that had less than was confirmed: the promise of WAIT broken, which the owner repairs. */
static void store_forgets(struct play *p)
{
    struct fix *f = &p->f;
    if (f->putting || f->reading || f->g.store != EDGE_GAME_IDLE || f->g.now.over || p->before_version == 0 ||
        p->before_version + 1 != p->stored_version)
        return;
    struct mer_buf lost = p->stored;
    p->stored = p->before;
    p->before = lost;
    p->stored_version = p->before_version;
    p->before_version = 0;
    edge_game_verify(&f->g, f->t);
    while (f->putting || f->reading || f->g.retry_at_ms) {
        if (f->reading)
            fix_read_done(f, EDGE_GAME_ON_STORED, true, p->stored_version);
        if (f->putting) {
            execute(p);
            fix_put_done(f, EDGE_GAME_ON_STORED);
        }
    }
    p->restores++;
}

/* The owner dies with all it knew; another one reads the record. Whoever waited asks again. */
static void owner_dies(struct play *p)
{
    struct fix *f = &p->f;
    edge_game_deinit(&f->g);
    assert_int_equal(edge_game_decode(&f->g, NULL, p->stored.data, p->stored.len, &f->env), MER_OK);
    assert_int_equal(f->g.now.version, p->stored_version);
    f->putting = f->reading = false;
    p->shown = f->g.now.version; /* everybody gets a snapshot */
    p->adoptions++;
    for (unsigned s = 0; s < EDGE_RULES_SEATS; s++)
        for (unsigned i = 0; i < p->asks[s]; i++)
            p->ask[s][i].open = false;
    if (!f->g.now.over)
        edge_game_start(&f->g, f->t, true);
    edge_game_check(&f->g);
    for (unsigned i = 0; i < f->g.seat_count; i++) /* as the shell finds out again */
        if (!f->g.seats[i].bot)
            fix_present(f, i, p->there >> i & 1);
}

/* --- the players --- */

static void come_and_go(struct play *p, unsigned seat)
{
    bool here = p->there >> seat & 1;
    if (p->f.g.seats[seat].bot || roll(p, here ? 4 : 16) > 0) /* those who go stay away for a while */
        return;
    p->there = (uint8_t)(p->there ^ 1u << seat);
    fix_present(&p->f, seat, p->there >> seat & 1);
}

/* What is to be seen of a seat follows from who is there, once nothing is on its way. */
static void assert_presence(const struct play *p)
{
    const struct edge_game *g = &p->f.g;
    for (unsigned i = 0; i < g->seat_count && g->store == EDGE_GAME_IDLE && !g->now.over; i++)
        if (!g->seats[i].bot && g->now.seat[i].state != EDGE_SEAT_LEFT)
            assert_int_equal(g->now.seat[i].state == EDGE_SEAT_SEATED, p->there >> i & 1);
}

static void ask(struct play *p, unsigned seat)
{
    struct fix *f = &p->f;
    if (f->g.now.left >> seat & 1 || p->asks[seat] >= ASKS || !(p->there >> seat & 1))
        return;
    unsigned r = roll(p, 200), cards = edge_memory_cards((struct edge_memory *)&f->g.now.rules);
    if (r == 0) {
        fix_leave(f, seat);
        return;
    }
    struct asked *a = &p->ask[seat][p->asks[seat]];
    if (r < 20 && p->asks[seat] > 0) { /* a retry, perhaps of something old */
        a = &p->ask[seat][p->asks[seat] - 1 - roll(p, p->asks[seat] < 8 ? p->asks[seat] : 8)];
        if (a->open)
            return;
    } else {
        p->asks[seat]++;
        snprintf(a->move_id, sizeof(a->move_id), "m%u", p->asks[seat]);
        a->card = roll(p, cards + 1);
    }
    a->open = true;
    fix_flip(f, seat, r == 20 && a->version ? a->card + 1 : a->card, a->move_id);
}

static void play_one(unsigned seed, struct play *p)
{
    struct fix *f = &p->f;
    memset(p, 0, sizeof(*p));
    p->seed = seed;
    p->dice = mer_rng_seed(&p->d, seed);
    unsigned seats = 2 + roll(p, 3), bots = roll(p, 4) == 0 ? 2 : 0;
    struct edge_game_spec spec = fix_spec(seats, 2 + roll(p, 3), 2 * (1 + roll(p, 2)), bots);
    fix_init(f, &edge_memory, &spec, seed);
    f->env.reply = answered;
    f->env.publish = published;
    f->env.note = noted;
    f->env.seats = (struct edge_seat_policy){2000 + roll(p, 2000), 1000 + roll(p, 8000), roll(p, 2)};
    f->hear = hear;
    f->ctx = p;
    p->there = UINT8_MAX;
    p->come_and_go = seed % 2;
    memcpy(p->faces, ((struct edge_memory *)&f->g.now.rules)->face, sizeof(p->faces));
    mer_buf_init(&p->stored, 0);
    mer_buf_init(&p->before, 0);
    p->stored_version = p->shown = 1;
    assert_int_equal(edge_game_encode(&f->g, true, &p->stored), MER_OK);
    for (unsigned i = 0; i < STEPS && !f->g.now.over; i++) {
        unsigned r = roll(p, 100);
        if (r < 45)
            ask(p, roll(p, 3) ? f->g.rules->turn(&f->g.now.rules) : roll(p, seats));
        else if (r < 85 && f->putting)
            store_put(p);
        else if (r < 90 && f->reading)
            store_read(p);
        else if (r < 91 && p->come_and_go)
            come_and_go(p, roll(p, seats));
        else if (r < 98)
            fix_run(f, roll(p, 10) == 0 ? roll(p, 15000) : roll(p, 400));
        else if (roll(p, 4) == 0)
            owner_dies(p);
        else
            store_forgets(p);
        edge_game_check(&f->g);
        assert_cards(p);
        assert_presence(p);
        if (i % 8 == 0)
            assert_view_hides(p);
    }
    assert_true(f->g.now.over);
    assert_int_equal(p->stored_version, f->g.now.version);
    for (unsigned s = 0; s < seats; s++)
        for (unsigned i = 0; i < p->asks[s]; i++)
            assert_false(p->ask[s][i].open); /* nobody waits for ever */
    mer_buf_deinit(&p->stored);
    mer_buf_deinit(&p->before);
    fix_deinit(f);
}

static void every_promise_holds_in_thousands_of_games_over_a_bad_store(void **state)
{
    (void)state;
    struct play *p = malloc(sizeof(*p));
    const char *only = getenv("MERIDIAN_SEED"), *many = getenv("MERIDIAN_SEEDS");
    unsigned first = only ? (unsigned)strtoul(only, NULL, 10) : 1, count = only ? 1 : many ? (unsigned)strtoul(many, NULL, 10) : SEEDS;
    unsigned restores = 0, adoptions = 0, unknowns = 0, finished = 0, seats[EDGE_EVENT_OVER] = {0};
    for (unsigned seed = first; seed < first + count; seed++) {
        playing = seed;
        play_one(seed, p);
        restores += p->restores, adoptions += p->adoptions, unknowns += p->unknowns;
        finished += p->f.g.now.reason == OVER(FINISHED);
        for (unsigned i = 0; i < EDGE_EVENT_OVER; i++)
            seats[i] += p->seat_events[i];
    }
    free(p);
    if (only)
        return;
    assert_true(restores > count / 2 && adoptions > count / 2 && unknowns > count && finished > count / 10); /* the store was really bad */
    for (unsigned i = EDGE_EVENT_LEFT; i <= EDGE_EVENT_PAUSED; i++)
        assert_true(seats[i] > count / 50); /* and the players were careless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_promise_holds_in_thousands_of_games_over_a_bad_store),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        fprintf(stderr, "again: MERIDIAN_SEED=%u %s\n", playing, "unit.edge.game.play");
    return failed;
}
