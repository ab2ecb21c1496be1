/* SPDX-License-Identifier: Apache-2.0
 * told.c - see told.h. Owner: messages.c. */
#include "edge/room/told.h"

#define CM(x) Meridian__Client__V1__##x
#define ST(x) Meridian__State__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x
#define EVENT(x) MERIDIAN__STATE__V1__EVENT__BODY_##x

static void show_text(struct edge_told *t, const struct edge_told_place *at)
{
    const ST(TextEvent) *e = t->event->text;
    t->text = (CM(DirectMessage))MERIDIAN__CLIENT__V1__DIRECT_MESSAGE__INIT;
    t->text.seq = at->seq;
    t->text.settled_seq = at->settled;
    t->text.from = e->from;
    t->text.from_name = e->from_name;
    t->text.from_region = e->from_region;
    t->text.message_id = e->message_id;
    t->text.text = e->text;
    t->text.sent_at_ms = t->event->at_ms;
    t->message.body_case = BODY(MESSAGE);
    t->message.message = &t->text;
}

static void show_undelivered(struct edge_told *t, const struct edge_told_place *at)
{
    const ST(UndeliveredEvent) *u = t->event->undelivered;
    t->undelivered = (CM(MessageUndelivered))MERIDIAN__CLIENT__V1__MESSAGE_UNDELIVERED__INIT;
    t->undelivered.seq = at->seq;
    t->undelivered.settled_seq = at->settled;
    t->undelivered.message_id = u->message_id;
    t->undelivered.to = u->recipient;
    t->undelivered.region = u->region;
    t->message.body_case = BODY(MESSAGE_UNDELIVERED);
    t->message.message_undelivered = &t->undelivered;
}

static void show_result(struct edge_told *t, const struct edge_told_place *at)
{
    const ST(ResultEvent) *r = t->event->result;
    t->result = (CM(GameResult))MERIDIAN__CLIENT__V1__GAME_RESULT__INIT;
    t->result.seq = at->seq;
    t->result.settled_seq = at->settled;
    t->result.game_id = r->game_id;
    t->result.seat = r->seat;
    t->result.n_players = r->n_players;
    t->result.players = t->players;
    for (unsigned i = 0; i < r->n_players; i++) {
        t->player[i] = (CM(Player))MERIDIAN__CLIENT__V1__PLAYER__INIT;
        t->player[i].seat = i;
        t->player[i].user = r->players[i]->user;
        t->player[i].name = r->players[i]->name;
        t->player[i].kind = r->players[i]->kind == MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT
                                ? MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT
                                : MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_HUMAN;
        t->players[i] = &t->player[i];
    }
    t->result.n_scores = r->n_scores;
    t->result.scores = r->scores;
    t->result.n_winners = r->n_winners;
    t->result.winners = r->winners;
    t->result.reason = (CM(OverReason))r->reason;
    t->result.ended_at_ms = t->event->at_ms;
    t->message.body_case = BODY(GAME_RESULT);
    t->message.game_result = &t->result;
}

/* Of a newer version there may be reasons that we have no word for. A message that cannot be written would end the connection, and the next
 * one, as long as the event is there. */
static bool can_tell(const ST(ResultEvent) * r)
{
    bool known = r->reason > MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_UNSPECIFIED &&
                 r->reason <= MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_EXPIRED;
    return known && r->n_players <= EDGE_TOLD_SEATS;
}

bool edge_told_make(struct edge_told *t, const void *packed, size_t len, const struct edge_told_place *at)
{
    ST(Event) *e = meridian__state__v1__event__unpack(NULL, len, packed);
    t->message = (CM(ServerMessage))MERIDIAN__CLIENT__V1__SERVER_MESSAGE__INIT;
    t->event = e;
    if (e != NULL && e->body_case == EVENT(TEXT)) {
        show_text(t, at);
    } else if (e != NULL && e->body_case == EVENT(UNDELIVERED)) {
        show_undelivered(t, at);
    } else if (e != NULL && e->body_case == EVENT(RESULT) && can_tell(e->result)) {
        show_result(t, at);
    } else {
        if (e != NULL)
            meridian__state__v1__event__free_unpacked(e, NULL);
        return false;
    }
    return true;
}

void edge_told_free(struct edge_told *t)
{
    meridian__state__v1__event__free_unpacked(t->event, NULL);
}
