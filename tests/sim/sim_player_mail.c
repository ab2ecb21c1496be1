/* SPDX-License-Identifier: Apache-2.0
 * sim_player_mail.c - see sim_player_private.h. Players write to each other, mostly to somebody in another region: one message at a time,
 * sent again under its id until it is accepted, sometimes once more after that. What comes is acknowledged sooner or later, from whichever
 * device; a number that is skipped is asked for. */
#include <string.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_player_private.h"

enum {
    AGAIN_MS = 4000,
    REST_MS = 1500,
    SYNC_MS = 8000,
    TEXT_BYTES = 1000,
    CALM_MS = 15000,
    THERE_MS = 40000,
    WRITE_PERCENT = 7,
    ASK_PERCENT = 3
};

static void say(struct device *d, struct player *p)
{
    struct player *to = &sim_everybody.player[p->mail_to];
    CM(SendMessage) m = MERIDIAN__CLIENT__V1__SEND_MESSAGE__INIT;
    m.to = to->user;
    if (to->at != p->at || sim_chance(20))
        m.region = to->at->name;
    char text[TEXT_BYTES];
    m.message_id = m.text = p->mail;
    if (to->hoards) { /* the same each time it is sent */
        memset(text, '.', sizeof(text));
        memcpy(text, p->mail, strlen(p->mail));
        text[sizeof(text) - 1] = 0;
        m.text = text;
    }
    p->mail_again_ms = sim_now_ms() + AGAIN_MS;
    sim_trace("%s.%s writes %s to %s", p->user, d->name, p->mail, to->user);
    sim_say(d, MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_SEND_MESSAGE, &m);
}

static void begin(struct device *d, struct player *p)
{
    struct player *to;
    do {
        bool hoard = sim_everybody.hoarder > 0 && sim_chance(60);
        p->mail_to = hoard ? sim_everybody.hoarder - 1 : sim_below(sim_everybody.count);
        to = &sim_everybody.player[p->mail_to];
    } while (to == p || (to->at == p->at && (to->hoards || sim_chance(75)))); /* at home one waits until there is room */
    snprintf(p->mail, sizeof(p->mail), "%s/%u", p->user, ++p->mails);
    sim_mail_sent(p->user, p->at->name, to->user, p->mail);
    p->mails_left--;
    say(d, p);
}

static void acknowledge(struct device *d, struct player *p, bool rest)
{
    CM(AckMessages) a = MERIDIAN__CLIENT__V1__ACK_MESSAGES__INIT;
    a.seq = p->hoards && !sim_everybody.finishing ? 0 : p->inbox;
    a.has_rest = a.rest = rest;
    p->rest_ms = rest ? sim_now_ms() : p->rest_ms;
    sim_say(d, MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_ACK_MESSAGES, &a);
}

static void ask(struct device *d)
{
    struct player *of = &sim_everybody.player[sim_below(sim_everybody.count)];
    CM(GetPresence) g = MERIDIAN__CLIENT__V1__GET_PRESENCE__INIT;
    g.user = of->user;
    g.region = of->at->name;
    sim_say(d, MERIDIAN__CLIENT__V1__CLIENT_MESSAGE__BODY_GET_PRESENCE, &g);
}

void sim_player_writes(struct device *d)
{
    struct player *p = d->player;
    uint64_t now = sim_now_ms();
    if (p->mail[0] && now >= p->mail_again_ms)
        say(d, p);
    else if (!p->mail[0] && p->mails_left > 0 && !sim_everybody.finishing && sim_chance(WRITE_PERCENT))
        begin(d, p);
    else if (now - p->rest_ms > (p->hoards && !sim_everybody.finishing ? 3 * SYNC_MS : SYNC_MS))
        acknowledge(d, p, true);
    else if (sim_chance(ASK_PERCENT))
        ask(d);
}

/* Something in the inbox: whether it follows what is here. */
static void takes(struct device *d, uint64_t seq, uint64_t settled)
{
    struct player *p = d->player;
    if (settled > p->inbox)
        p->inbox = settled; /* another device acknowledged it */
    if (seq == p->inbox + 1) {
        p->inbox = seq;
        if (sim_chance(40))
            acknowledge(d, p, false);
    } else if (seq > p->inbox && sim_now_ms() - p->rest_ms > REST_MS)
        acknowledge(d, p, true);
}

void sim_player_gets(struct device *d, const CM(DirectMessage) * m)
{
    sim_trace("%s.%s gets %s of %s as %llu", d->player->user, d->name, m->message_id, m->from, (unsigned long long)m->seq);
    sim_mail_came(d->player->user, m);
    takes(d, m->seq, m->settled_seq);
}

void sim_player_undelivered(struct device *d, const CM(MessageUndelivered) * m)
{
    sim_mail_undelivered(d->player->user, m);
    takes(d, m->seq, m->settled_seq);
}

void sim_player_result(struct device *d, const CM(GameResult) * m)
{
    sim_trace("%s.%s hears how %s ended, as %llu", d->player->user, d->name, m->game_id, (unsigned long long)m->seq);
    if (m->seat >= m->n_players || strcmp(m->players[m->seat]->user, d->player->user) != 0)
        sim_fail("%s hears how a game of somebody else ended, %s", d->player->user, m->game_id);
    takes(d, m->seq, m->settled_seq);
}

void sim_player_accepted(struct device *d, const CM(MessageOk) * m)
{
    struct player *p = d->player;
    sim_mail_accepted(p->user, m->to, m->message_id);
    if (strcmp(p->mail, m->message_id) != 0)
        return;
    if (sim_chance(15))
        say(d, p); /* nobody asked for it */
    p->mail[0] = 0;
}

/* Once all is well again, who has been there for a while is there. */
void sim_player_there(const CM(Presence) * m)
{
    for (unsigned i = 0; i < sim_everybody.count; i++) {
        struct player *p = &sim_everybody.player[i];
        const struct device *d = &p->device[0];
        if (strcmp(p->user, m->user) != 0 || d->state != READY || sim_faults_calm_ms() < CALM_MS || sim_now_ms() - d->ready_ms < THERE_MS)
            continue;
        sim_counts.seen += m->online;
        if (m->online || p->missed_ms < d->ready_ms)
            p->missed_ms = m->online ? 0 : sim_now_ms();
        else if (sim_now_ms() - p->missed_ms > THERE_MS)
            sim_fail("%s is said not to be there, and has been for %llu ms", p->user, (unsigned long long)(sim_now_ms() - d->ready_ms));
    }
}

bool sim_player_mail_failed(struct device *d, const CM(Error) * e)
{
    struct player *p = d->player;
    if (!e->re || (strchr(e->re, '/') == NULL && e->re[0] != 'u'))
        return false;
    if (strcmp(e->re, p->mail) == 0)
        p->mail_again_ms = sim_now_ms() + (e->has_retry_after_ms ? e->retry_after_ms : 500);
    return e->code == MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_TRY_AGAIN ||
           e->code == MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_OVERLOADED;
}
