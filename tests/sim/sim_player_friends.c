/* SPDX-License-Identifier: Apache-2.0
 * sim_player_friends.c - see sim_player_private.h. Where there are several regions, a player now and then asks one or two others, mostly of
 * other regions, to a table of his (decision 22): his ticket tells him a code, he tells it them as one does on the telephone, and they come
 * with it when they are free. Who lost his ticket asks again, the host with the code that his friends know. Who heard that he came in vain
 * tries once more or gives up; a host who has waited long enough, or whose friends have all given up, takes his table back.
 *
 * What becomes of it is sim_check_friends.c's to judge. */
#include <string.h>

#include <meridian/mem.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_player_private.h"

enum {
    PLAYERS_A_TABLE = 5, /* so few want one */
    BEGIN_PERCENT = 8,
    FIND_MS = 4000,
    TICKET_MS = 12000, /* then: does anybody still know of it? */
    CALL_MIN_MS = 200,
    CALL_MAX_MS = 6000,
    CALL_LATE_MS = 40000,
    PATIENCE_MIN_MS = 40000,
    PATIENCE_MAX_MS = 120000,
};

static bool hosts(const struct player *p)
{
    return p->table->host == p;
}

/* Nobody comes any more. */
static bool deserted(const struct table *t)
{
    for (unsigned i = 0; i < t->friends; i++)
        if (t->friend[i] -> table == t)
            return false;
    return true;
}

static void leave(struct player *p, bool sits)
{
    struct table *t = p->table;
    t->over |= hosts(p) && (!sits || t->code[0] == 0);
    p->table = NULL;
    p->cancels = false;
}

/* NULL: nobody who is free to come. */
static struct player *pick(const struct player *p, const struct table *t)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        struct player *f = &sim_everybody.player[sim_below(sim_everybody.count)];
        bool asked = f == p || f->table || (t->friends > 0 && t->friend[0] == f);
        if (!asked && f->games_left > 0 && (f->at != p->at || sim_chance(25)))
            return f;
    }
    return NULL;
}

/* true: he has a table now. */
static bool begin(struct player *p)
{
    static const CM(Bots)
        bots[] = {MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE, MERIDIAN__CLIENT__V1__BOTS__BOTS_FILL, MERIDIAN__CLIENT__V1__BOTS__BOTS_NOW};
    bool may = !sim_everybody.finishing && !sim_everybody.far_only && p->asked_far && p->games_left > 0 && !p->ticket[0];
    if (!may || sim_everybody.tables * PLAYERS_A_TABLE >= sim_everybody.count || !sim_chance(BEGIN_PERCENT))
        return false;
    struct table *t = mer_xcalloc(1, sizeof(*t));
    unsigned friends = sim_chance(70) ? 1 : 2;
    for (struct player *f; t->friends < friends && (f = pick(p, t));)
        t->friend[t->friends++] = f;
    if (t->friends == 0) {
        mer_free(&t);
        return false;
    }
    sim_everybody.tables++;
    t->host = p;
    t->seats = t->friends == 1 && sim_chance(70) ? 2 : 3;
    t->bots = bots[t->friends == 1 && t->seats == 3 ? 1 + sim_below(2) : sim_below(3)];
    p->table = t;
    p->patience_ms = sim_now_ms() + sim_between(PATIENCE_MIN_MS, PATIENCE_MAX_MS);
    for (unsigned i = 0; i < t->friends; i++)
        t->friend[i] -> table = t;
    sim_trace("%s asks %s%s%s to a table of %u", p->user, t->friend[0] -> user, t -> friends > 1 ? " and " : "",
              t->friends > 1 ? t->friend[1] -> user : "", t->seats);
    return true;
}

void sim_friends_want(const struct player *p, CM(FindMatch) * f)
{
    struct table *t = p->table;
    f->players = hosts(p) ? t->seats : sim_between(2, 4); /* what a friend asks for does not count */
    f->rows = hosts(p) ? 2 : 4;
    f->cols = hosts(p) ? 3 : 4;
    f->bots = t->bots;
    f->has_invite = hosts(p);
    f->invite = hosts(p);
    f->code = t->code[0] ? t->code : NULL;
}

/* He has a ticket, with this code or an ordinary one, which is in the way. */
static void wait_with(struct device *d)
{
    struct player *p = d->player;
    uint64_t now = sim_now_ms();
    bool mine = p->ticket_code[0] && strcmp(p->ticket_code, p->table->code) == 0;
    bool in_vain = hosts(p) && (deserted(p->table) || now > p->patience_ms);
    if ((!mine || in_vain || sim_below(1000) < 3) && now - p->found_ms >= FIND_MS) {
        p->found_ms = now;
        p->cancels = mine;
        if (mine)
            sim_friends_leaves(p->user);
        sim_say_cancel(d);
    } else if (now - p->ticket_ms > TICKET_MS)
        p->ticket[0] = 0;
}

bool sim_friends_seek(struct device *d)
{
    struct player *p = d->player;
    struct table *t = p->table;
    if (!t)
        return begin(p) && sim_friends_seek(d);
    bool mine = p->ticket[0] && p->ticket_code[0] && strcmp(p->ticket_code, t->code) == 0;
    if (!mine && (hosts(p) ? deserted(t) : t->over)) {
        leave(p, false);
        return false;
    }
    if (!hosts(p) && (t->code[0] == 0 || sim_now_ms() < p->called_ms))
        return false; /* he does not know yet */
    if (p->ticket[0])
        wait_with(d);
    else if (sim_now_ms() - p->found_ms >= FIND_MS)
        sim_say_find(d);
    return true;
}

/* The host knows his code now, and tells it. */
static void call_all(struct table *t, const char *code)
{
    sim_copy(t->code, sizeof(t->code), code);
    sim_friends_table(code, t->seats, t->bots);
    for (unsigned i = 0; i < t->friends; i++)
        t->friend[i] -> called_ms = sim_now_ms() + (sim_chance(10) ? sim_below(CALL_LATE_MS) : sim_between(CALL_MIN_MS, CALL_MAX_MS));
}

void sim_friends_ticket(struct player *p, const CM(Ticket) * m)
{
    bool mine = strcmp(p->ticket, m->ticket_id) == 0;
    struct table *t = p->table;
    sim_friends_told(p->user, m);
    if (mine)
        sim_copy(p->ticket_code, sizeof(p->ticket_code), m->code ? m->code : "");
    if (!mine || !t || !m->code)
        return;
    if (m->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_WAITING) {
        if (hosts(p) && t->code[0] == 0)
            call_all(t, m->code);
    } else if (strcmp(m->code, t->code) == 0) {
        bool again = m->state == MERIDIAN__CLIENT__V1__TICKET_STATE__TICKET_STATE_CANCELLED ? !p->cancels : sim_chance(30);
        if (!again)
            leave(p, false);
    }
}

void sim_friends_no_ticket(struct player *p)
{
    if (p->table && p->cancels)
        leave(p, false);
}

void sim_friends_sits(struct player *p)
{
    sim_friends_leaves(p->user);
    if (p->table && p->ticket[0] && p->ticket_code[0] && strcmp(p->ticket_code, p->table->code) == 0)
        leave(p, true);
}
