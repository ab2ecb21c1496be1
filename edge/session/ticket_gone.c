/* SPDX-License-Identifier: Apache-2.0
 * ticket_gone.c - a ticket whose player has no connection at this edge any more: it ends a while later (120 s with a code, else 30 s).
 *
 * Mostly he is not away but at another edge: where one comes back is chance, and his ticket stays here. So before it ends his record is
 * read, and while it names a device at another edge the ticket goes on. A device stands there until its session ends, 60 s after its
 * connection; one whose edge died, for longer: then the router's time for tickets ends this one.
 *
 * Timer `gone`: armed when his last connection here ends, disarmed when he is back; firing asks. Owner: tickets.c. Next: ticket.c. */
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/session/ticket.h"

enum { ASK_AGAIN_MS = 1000 }; /* the store does not answer; to end the ticket it would have to */

/* By name: the ticket may end meanwhile. */
struct question {
    struct edge_tickets *all;
    char ticket[TICKET_ID_BYTES];
};

static uint64_t linger_ms(const struct edge_ticket *t)
{
    return t->code[0] != 0 ? EDGE_INVITE_LINGER_MS : EDGE_TICKET_LINGER_MS;
}

static bool is_elsewhere(const struct edge_player *p, const char *here)
{
    for (size_t i = 0; i < p->device_count; i++)
        if (strcmp(p->devices[i].edge, here) != 0)
            return true;
    return false;
}

static void on_record(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    struct question *q = ctx;
    struct edge_app *app = q->all->app;
    struct edge_ticket *t = mer_map_gets(&q->all->by_id, q->ticket);
    mer_free(&q);
    if (t == NULL || t->user->live > 0 || mer_timer_armed(&t->gone))
        return; /* ended, or he is back, or was */
    if (result != EDGE_STORE_OK)
        mer_loop_arm(&app->loop, &t->gone, ASK_AGAIN_MS);
    else if (is_elsewhere(p, app->incarnation))
        mer_loop_arm(&app->loop, &t->gone, linger_ms(t));
    else
        edge__ticket_cancel(t);
}

void edge__ticket_gone(struct mer_timer *timer)
{
    struct edge_ticket *t = MER_CONTAINER_OF(timer, struct edge_ticket, gone);
    struct edge_app *app = t->all->app;
    struct question *q = mer_try_calloc(1, sizeof(*q));
    if (q != NULL) {
        q->all = t->all;
        memcpy(q->ticket, t->id, sizeof(q->ticket));
        if (edge_store_player_get(app->store, t->user->id, on_record, q) == MER_OK)
            return;
    }
    mer_free(&q);
    mer_loop_arm(&app->loop, &t->gone, ASK_AGAIN_MS);
}

void edge_tickets_user_gone(struct edge_tickets *all, struct edge_user *u)
{
    if (u->ticket != NULL)
        mer_loop_arm(&all->app->loop, &u->ticket->gone, linger_ms(u->ticket));
}

void edge_tickets_user_back(struct edge_tickets *all, struct edge_user *u)
{
    if (u->ticket != NULL)
        mer_loop_disarm(&all->app->loop, &u->ticket->gone);
}
