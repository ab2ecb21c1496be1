/* SPDX-License-Identifier: Apache-2.0
 * journal.c - see journal.h. Ids come from servers: what could break a line is written as '?'. Changes are told in words made of all that
 * both players are told, so that two players were told the same exactly when the words are the same. */
#include "tests/load/journal.h"

#include <stdio.h>
#include <string.h>

#include "tests/load/game_private.h"

#define BODY(name) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##name

bool load_journal_open(struct load_run *r, const char *file)
{
    r->journal = fopen(file, "we");
    if (!r->journal)
        fprintf(stderr, "meridian-load: %s cannot be written\n", file);
    return r->journal != NULL;
}

void load_journal_close(struct load_run *r)
{
    if (r->journal && fclose(r->journal) != 0)
        fprintf(stderr, "meridian-load: the journal is not whole\n");
    r->journal = NULL;
}

/* --- lines --------------------------------------------------------------------------------------------------------------------------- */

static void text(FILE *f, const char *name, const char *value)
{
    fprintf(f, ",\"%s\":\"", name);
    for (const char *c = value ? value : ""; *c; c++)
        putc(*c < ' ' || *c == '"' || *c == '\\' ? '?' : *c, f);
    putc('"', f);
}

static void count(FILE *f, const char *name, uint64_t value)
{
    fprintf(f, ",\"%s\":%llu", name, (unsigned long long)value);
}

/* NULL without a journal. */
static FILE *begin(const struct load_player *p, const char *kind)
{
    struct load_run *r = p->run;
    if (!r->journal)
        return NULL;
    fprintf(r->journal, "{\"t\":%.3f,\"k\":\"%s\",\"p\":%u", (double)r->clock.mono_us(r->clock.ctx) / 1000.0, kind, p->conn.id);
    return r->journal;
}

static void end(FILE *f)
{
    fputs("}\n", f);
}

/* --- sessions ------------------------------------------------------------------------------------------------------------------------ */

void load_journal_up(const struct load_player *p, const Meridian__Client__V1__Connected *c)
{
    static const char *const outcomes[] = {"new", "replayed", "snapshot", "gone"};
    FILE *f = begin(p, "up");
    if (!f)
        return;
    unsigned outcome = c->has_resume ? (unsigned)c->resume : 0;
    text(f, "user", p->user);
    text(f, "edge", c->edge);
    text(f, "resume", outcome < MER_COUNT(outcomes) ? outcomes[outcome] : "?");
    end(f);
}

void load_journal_down(const struct load_player *p, bool was_up, int code, int status)
{
    FILE *f = begin(p, was_up ? "down" : "fail");
    if (!f)
        return;
    count(f, "code", (uint64_t)code);
    count(f, "status", (uint64_t)status);
    end(f);
}

void load_journal_plain(const struct load_player *p, const char *kind)
{
    FILE *f = begin(p, kind);
    if (!f)
        return;
    if (p->game)
        text(f, "g", p->game->id);
    end(f);
}

void load_journal_ticket(const struct load_player *p, const Meridian__Client__V1__Ticket *t)
{
    static const char *const states[] = {"?", "waiting", "matched", "cancelled", "expired"};
    FILE *f = begin(p, "ticket");
    if (!f)
        return;
    text(f, "id", t->ticket_id);
    text(f, "state", (unsigned)t->state < MER_COUNT(states) ? states[t->state] : "?");
    end(f);
}

void load_journal_sit(const struct load_player *p)
{
    FILE *f = begin(p, "sit");
    if (!f)
        return;
    text(f, "g", p->game->id);
    count(f, "s", p->seat);
    end(f);
}

/* --- moves --------------------------------------------------------------------------------------------------------------------------- */

void load_journal_move(const struct load_player *p, bool again)
{
    FILE *f = begin(p, again ? "again" : "move");
    if (!f)
        return;
    text(f, "g", p->game->id);
    text(f, "id", p->move.id);
    if (!again) {
        count(f, "s", p->seat);
        count(f, "card", p->move.card);
        fprintf(f, ",\"due\":%.3f", (double)p->move.due_us / 1000.0);
    }
    end(f);
}

void load_journal_ok(const struct load_player *p, const Meridian__Client__V1__MoveOk *ok)
{
    FILE *f = begin(p, "ok");
    if (!f)
        return;
    text(f, "g", ok->game_id);
    text(f, "id", ok->move_id);
    count(f, "v", ok->version);
    end(f);
}

void load_journal_refused(const struct load_player *p, unsigned code)
{
    FILE *f = begin(p, "no");
    if (!f)
        return;
    text(f, "g", p->game->id);
    text(f, "id", p->move.id);
    count(f, "code", code);
    end(f);
}

void load_journal_open_move(const struct load_player *p)
{
    FILE *f = begin(p, "open");
    if (!f)
        return;
    text(f, "g", p->game->id);
    text(f, "id", p->move.id);
    end(f);
}

/* --- games --------------------------------------------------------------------------------------------------------------------------- */

static const char *kind_name(uint32_t kind)
{
    switch ((int)kind) {
    case BODY(CARD_FLIPPED):
        return "card_flipped";
    case BODY(PAIR_FOUND):
        return "pair_found";
    case BODY(PAIR_MISSED):
        return "pair_missed";
    case BODY(TURN_CHANGED):
        return "turn_changed";
    case BODY(GAME_OVER):
        return "game_over";
    case BODY(GAME_PAUSED):
        return "game_paused";
    case BODY(GAME_RESUMED):
        return "game_resumed";
    case BODY(SEAT_LEFT):
        return "seat_left";
    case BODY(PLAYER_DROPPED):
        return "player_dropped";
    case BODY(PLAYER_RECONNECTED):
        return "player_reconnected";
    case BODY(SEAT_TAKEN_OVER):
        return "seat_taken_over";
    case BODY(SEAT_HANDED_BACK):
        return "seat_handed_back";
    default:
        return "?";
    }
}

static void table(FILE *f, const Meridian__Client__V1__GameState *s)
{
    static const char states[] = "?duX";
    fputs(",\"what\":\"", f);
    for (size_t i = 0; i < s->n_cards; i++) {
        putc((unsigned)s->cards[i]->state < sizeof(states) - 1 ? states[s->cards[i]->state] : '?', f);
        if (s->cards[i]->has_face)
            fprintf(f, "%u", s->cards[i]->face);
    }
    fputs(" scores", f);
    for (size_t i = 0; i < s->n_scores; i++)
        fprintf(f, " %u", s->scores[i]);
    putc('"', f);
}

static void told_state(const struct load_player *p, const Meridian__Client__V1__GameState *s)
{
    FILE *f = begin(p, "state");
    if (!f)
        return;
    text(f, "g", s->game_id);
    count(f, "s", p->seat);
    count(f, "v", s->version);
    count(f, "over", s->status == MERIDIAN__CLIENT__V1__GAME_STATUS__GAME_STATUS_OVER);
    table(f, s);
    end(f);
}

void load_journal_told(const struct load_player *p, const Meridian__Client__V1__ServerMessage *m)
{
    struct load_event e;
    uint64_t version;
    FILE *f;
    if (m->body_case == BODY(GAME_STATE)) {
        told_state(p, m->game_state);
        return;
    }
    if (!load__event_of(m, p->game->seats, &e, &version) || (f = begin(p, "told")) == NULL)
        return;
    text(f, "g", p->game->id);
    count(f, "s", p->seat);
    count(f, "v", version);
    fprintf(f, ",\"what\":\"%s seat %u cards %u,%u face %u scores %u,%u,%u,%u winners %x reason %u until %llu\"", kind_name(e.kind), e.seat,
            e.cards[0], e.cards[1], e.face, e.scores[0], e.scores[1], e.scores[2], e.scores[3], e.winners, e.reason,
            (unsigned long long)e.deadline_ms);
    end(f);
}

void load_journal_result(const struct load_player *p, const Meridian__Client__V1__GameResult *m)
{
    FILE *f = begin(p, "result");
    if (!f)
        return;
    text(f, "g", m->game_id);
    count(f, "s", m->seat);
    end(f);
}
