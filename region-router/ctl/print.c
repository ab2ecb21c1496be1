/* SPDX-License-Identifier: Apache-2.0
 * print.c - an answer as text for people: a line each, columns under a heading (ctl.h). Next: print_world.c. */
#include <inttypes.h>
#include <string.h>

#include "region-router/ctl/print.h"

static void print_router(const CV1(RouterState) * r, FILE *out)
{
    fprintf(out, "%-24s %-10s %-8s epoch %-6" PRIu64 " edges %-4u tickets %" PRIu64 " waiting, %" PRIu64 " offered, %" PRIu64 " held\n",
            r->incarnation, r->region, r->leader ? "leads" : "standby", r->epoch, r->edges_connected, r->tickets_waiting,
            r->tickets_offered, r->tickets_held);
}

static void print_edges(const CV1(RouterState) * r, FILE *out)
{
    fprintf(out, "%-24s %12s %9s %7s %6s  %s\n", "edge", "connections", "sessions", "games", "core", "state");
    for (size_t i = 0; i < r->n_edges; i++) {
        const CV1(EdgeState) *e = r->edges[i];
        fprintf(out, "%-24s %12u %9u %7u %4u %%  %s\n", e->incarnation, e->connections, e->sessions, e->games, e->load_permille / 10,
                e->draining            ? "drains"
                : e->has_report_age_ms ? "takes players"
                                       : "no report yet");
    }
    if (r->n_edges < r->edges_connected)
        fprintf(out, "and %zu more\n", r->edges_connected - r->n_edges);
}

static void print_links(const CV1(RouterState) * r, FILE *out)
{
    fprintf(out, "%-16s %-6s %6s %12s %10s %8s\n", "region", "state", "links", "round trip", "backlog", "outbox");
    for (size_t i = 0; i < r->n_links; i++) {
        const CV1(LinkState) *l = r->links[i];
        fprintf(out, "%-16s %-6s %6u %9.1f ms %8" PRIu64 " B %8" PRIu64 "\n", l->region, l->up ? "up" : "down", l->links,
                l->rtt_us / 1000.0, l->queued, l->outbox);
    }
}

static void print_player(const CV1(PlayerState) * p, FILE *out)
{
    fprintf(out, "%s\n", p->user);
    for (size_t i = 0; i < p->n_devices; i++)
        fprintf(out, "  device %s at %s, session %s\n", p->devices[i]->device, p->devices[i]->edge, p->devices[i]->session);
    if (p->ticket_id != NULL)
        fprintf(out, "  ticket %s at %s\n", p->ticket_id, p->ticket_edge != NULL ? p->ticket_edge : "?");
    if (p->game_id != NULL)
        fprintf(out, "  game %s at %s\n", p->game_id, p->game_owner != NULL ? p->game_owner : "?");
}

static void print_ticket(const CV1(TicketState) * t, FILE *out)
{
    fprintf(out, "%s: %s\n", t->ticket_id, t->reason);
    if (t->next_step_in_ms > 0)
        fprintf(out, "  next step in %.1f s\n", t->next_step_in_ms / 1000.0);
}

static void print_game(const CV1(GameState) * g, FILE *out)
{
    fprintf(out, "%s: version %" PRIu64 ", fence %" PRIu64 ".%" PRIu64 ", %s%s\n", g->game_id, g->version, g->generation, g->epoch,
            g->owner != NULL ? "owned by " : "over", g->owner != NULL ? g->owner : "");
}

static void print_body(const struct ctl_args *a, const CV1(Answer) * answer, FILE *out)
{
    switch (answer->body_case) {
    case ANSWER(ROUTER):
        (a->view == CTL_VIEW_ROUTER ? print_router : a->view == CTL_VIEW_EDGES ? print_edges : print_links)(answer->router, out);
        break;
    case ANSWER(TICKET):
        print_ticket(answer->ticket, out);
        break;
    case ANSWER(PLAYER):
        print_player(answer->player, out);
        break;
    case ANSWER(GAME):
        print_game(answer->game, out);
        break;
    case ANSWER(REGIONS):
        ctl__print_regions(answer->regions, out);
        break;
    case ANSWER(OUTBOX):
        ctl__print_outbox(answer->outbox, out);
        break;
    case ANSWER(JOURNAL):
        ctl__print_journal(answer->journal, out);
        break;
    case ANSWER(GEO):
        ctl__print_geo(answer->geo, out);
        break;
    default:
        break;
    }
}

void ctl_print(const struct ctl_args *a, const CV1(Answer) * answer, FILE *out)
{
    print_body(a, answer, out);
    if (answer->why == NULL)
        return;
    if (a->dry_run && a->changes && strncmp(answer->why, "would ", 6) != 0)
        fputs("dry run, nothing is changed: ", out);
    fprintf(out, "%s\n", answer->why);
}
