/* SPDX-License-Identifier: Apache-2.0
 * result.c - see result.h. What stands in it is what `game_state` says of the end, so both are made by the same code. */
#include "edge/game/result.h"

#include "meridian/state/v1/state.pb-c.h"

#define ST(x) Meridian__State__V1__##x

enum mer_err edge_game_result(const struct edge_game *g, unsigned seat, uint64_t at_ms, struct mer_buf *out)
{
    struct edge_game_view view;
    ST(Event) e = MERIDIAN__STATE__V1__EVENT__INIT;
    ST(ResultEvent) r = MERIDIAN__STATE__V1__RESULT_EVENT__INIT;
    ST(ResultPlayer) player[EDGE_RULES_SEATS], *players[EDGE_RULES_SEATS];
    MER_ASSERT(g->now.over && seat < g->seat_count);
    edge_game_view(g, seat, &view);
    for (unsigned i = 0; i < g->seat_count; i++) {
        player[i] = (ST(ResultPlayer))MERIDIAN__STATE__V1__RESULT_PLAYER__INIT;
        player[i].user = g->seats[i].user;
        player[i].name = g->seats[i].name;
        player[i].kind = g->seats[i].bot ? MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT : MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_HUMAN;
        players[i] = &player[i];
    }
    r.game_id = (char *)g->id;
    r.seat = seat;
    r.n_players = g->seat_count;
    r.players = players;
    r.n_scores = view.result.n_scores;
    r.scores = view.result.scores;
    r.n_winners = view.result.n_winners;
    r.winners = view.result.winners;
    r.reason = g->now.reason;
    e.to = g->seats[seat].user;
    e.at_ms = at_ms;
    e.body_case = MERIDIAN__STATE__V1__EVENT__BODY_RESULT;
    e.result = &r;
    mer_buf_clear(out);
    size_t len = meridian__state__v1__event__get_packed_size(&e);
    enum mer_err err = mer_buf_reserve(out, len);
    if (err == MER_OK)
        out->len = meridian__state__v1__event__pack(&e, (uint8_t *)out->data);
    return err;
}
