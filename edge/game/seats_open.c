/* SPDX-License-Identifier: Apache-2.0
 * seats_open.c - a seat in a game of another region: its owner knows the edge that accepted for the player, and this edge, whose store has
 * the player's record, tells his devices at the others. Lost: they find the game in the record when they come back. */
#include <meridian/mem.h>

#include "edge/game/seats_private.h"

struct telling {
    struct edge_seats *seats;
    uint32_t seat;
    char game[EDGE_GAME_ID_MAX + 1], user[EDGE_GAME_USER_MAX + 1], owner[EDGE_FAR_NAME_BYTES];
};

static void tell(const struct telling *t, const char *edge)
{
    struct edge_seats *s = t->seats;
    Meridian__Internal__V1__SeatOpen o = MERIDIAN__INTERNAL__V1__SEAT_OPEN__INIT;
    Meridian__Internal__V1__BusMessage m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    o.game_id = (char *)t->game;
    o.user = (char *)t->user;
    o.seat = t->seat;
    o.owner = (char *)t->owner;
    m.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SEAT_OPEN;
    m.seat_open = &o;
    if (edge_bus_send(s->c.bus, edge, &m) != MER_OK)
        MER_LOG_RATE(s->c.log, MER_DEBUG, "seats.device_untold", KV_STR("edge", edge));
}

static void on_devices(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct telling *t = ctx;
    const char *self = edge_bus_incarnation(t->seats->c.bus);
    for (size_t i = 0; result == EDGE_STORE_OK && !t->seats->destroying && i < p->device_count; i++) {
        bool told = strcmp(p->devices[i].edge, self) == 0;
        for (size_t k = 0; k < i && !told; k++)
            told = strcmp(p->devices[i].edge, p->devices[k].edge) == 0;
        if (!told)
            tell(t, p->devices[i].edge);
    }
    mer_free(&t);
}

void edge__seats_tell_devices(struct edge_seats *s, const Meridian__Internal__V1__SeatOpen *o, const char *owner)
{
    if (strlen(o->game_id) > EDGE_GAME_ID_MAX || strlen(o->user) > EDGE_GAME_USER_MAX)
        return;
    struct telling *t = mer_try_calloc(1, sizeof(*t));
    if (!t)
        return;
    t->seats = s;
    t->seat = o->seat;
    EDGE__SEATS_COPY(t->game, o->game_id);
    EDGE__SEATS_COPY(t->user, o->user);
    EDGE__SEATS_COPY(t->owner, owner);
    if (edge_store_player_get(s->c.store, t->user, on_devices, t) != MER_OK)
        mer_free(&t);
}
