/* SPDX-License-Identifier: Apache-2.0
 * sim_plant.c - see sim_plant.h. The linker's --wrap puts these functions before the product's; without a planted bug they only pass on. */
#include "tests/sim/sim_plant.h"

#include <string.h>

#include "edge/game/change.h"
#include "edge/game/host_private.h"
#include "edge/session/ring.h"
#include "region-router/electable.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_lua.h"

static const struct {
    const char *name, *what, *from, *to; /* from: a text of the function library */
} plants[] = {
    {"ack_before_wait", "moves are acknowledged on Redis' reply, without WAIT", NULL, NULL},
    {"wait_one", "WAIT for one replica of two", NULL, NULL},
    {"no_nonce", "the fence is generation and epoch, without the nonce", "local again = game.n == nonce and game.o == new",
     "local again = game.e == string.format('%.0f', tonumber(e) + 1)"},
    {"no_fence", "a put is not held against the fence", "if not same_fence(game, g, e, n) then", "if false then"},
    {"view_tentative", "snapshots are made from the state that is being stored", NULL, NULL},
    {"resume_off_by_one", "a resume replays one message too few", NULL, NULL},
    {"speaks_when_fenced", "an owner that slept answers out of its memory", NULL, NULL},
    {"count_too_low", "the router's leader stores a count of 1 whatever can be elected (not with --unmanaged)", NULL, NULL},
    {"sleep_is_absence", "an owner takes its own sleep for its players'", NULL, NULL},
    {"no_mark", "what comes from another region again is not held against the mark (with --regions)",
     "if g == generation and tonumber(last) > done then", "if false then"},
    {"trim_all", "an outbox is trimmed of all there is, not of what was acknowledged (with --regions)", NULL, NULL},
    {"take_no_wait", "what came from another region is acknowledged without WAIT (with --regions)", NULL, NULL},
    {"send_no_wait", "what no replica has is sent to another region (with --regions)", NULL, NULL},
    {"no_look", "leaders trust in hints alone (with --regions)", NULL, NULL},
    {"void_unasked", "a game elsewhere is taken for void without its region's word (with --regions)", NULL, NULL},
    {"code_for_all", "a ticket with a code stands among all others (with --regions)", NULL, NULL},
    {"code_at_home", "a ticket with a code is not told to other regions (with --regions)", NULL, NULL},
    {"never_in_vain", "who waits with a code nobody hosts is left to wait (with --regions)", NULL, NULL},
    {"no_dedupe", "moves are not remembered: one sent again is judged anew", NULL, NULL},
};

bool sim_plant_prepare(const char *name)
{
    if (name[0] == 0)
        return true;
    for (size_t i = 0; i < MER_COUNT(plants); i++) {
        if (strcmp(plants[i].name, name) != 0)
            continue;
        if (plants[i].from)
            sim_lua_patch(plants[i].from, plants[i].to);
        if (strcmp(name, "no_nonce") == 0)
            sim_lua_patch("return game.g == g and game.e == e and game.n == n", "return game.g == g and game.e == e");
        return true;
    }
    return false;
}

void sim_plant_list(FILE *out)
{
    for (size_t i = 0; i < MER_COUNT(plants); i++)
        fprintf(out, "  %-18s %s\n", plants[i].name, plants[i].what);
}

void __real_edge_game_view(const struct edge_game *g, unsigned seat, struct edge_game_view *v);
void __wrap_edge_game_view(const struct edge_game *g, unsigned seat, struct edge_game_view *v);
void __wrap_edge_game_view(const struct edge_game *g, unsigned seat, struct edge_game_view *v)
{
    if (!sim_planted("view_tentative") || !g->has_next) {
        __real_edge_game_view(g, seat, v);
        return;
    }
    struct edge_game *open = (struct edge_game *)(uintptr_t)g; /* the view points into the game, so no copy will do */
    struct edge_game_state now = g->now;
    open->now = g->next;
    __real_edge_game_view(g, seat, v);
    open->now = now;
}

typedef void (*replay_cb)(void *ctx, uint64_t offset, const struct edge_msg *m);
void __real_edge_ring_replay(const struct edge_ring *r, uint64_t offset, replay_cb each, void *ctx);
void __wrap_edge_ring_replay(const struct edge_ring *r, uint64_t offset, replay_cb each, void *ctx);
void __wrap_edge_ring_replay(const struct edge_ring *r, uint64_t offset, replay_cb each, void *ctx)
{
    __real_edge_ring_replay(r, offset + sim_planted("resume_off_by_one"), each, ctx);
}

bool __real_edge__game_answer_now(struct edge_game *g, const struct edge_game_ask *ask);
bool __wrap_edge__game_answer_now(struct edge_game *g, const struct edge_game_ask *ask);
bool __wrap_edge__game_answer_now(struct edge_game *g, const struct edge_game_ask *ask)
{
    /* Not to ask the list is not enough: what asks a second time, before it changes anything, calls within its own file. */
    if (sim_planted("no_dedupe") && !g->now.over)
        memset(g->seats[ask->seat].answered, 0, sizeof(g->seats[0].answered));
    return __real_edge__game_answer_now(g, ask);
}

bool __real_edge__hosted_hold(struct edge_hosted *g, const Meridian__Internal__V1__BusMessage *m);
bool __wrap_edge__hosted_hold(struct edge_hosted *g, const Meridian__Internal__V1__BusMessage *m);
bool __wrap_edge__hosted_hold(struct edge_hosted *g, const Meridian__Internal__V1__BusMessage *m)
{
    return !sim_planted("speaks_when_fenced") && __real_edge__hosted_hold(g, m);
}

void __real_router__keeper_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough);
void __wrap_router__keeper_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough);
void __wrap_router__keeper_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    __real_router__keeper_count(ctx, primary, sim_planted("count_too_low") ? 1 : count, enough);
}

void __real_edge__host_leases_slept(struct edge_hosted *g, uint64_t slept_ms);
void __wrap_edge__host_leases_slept(struct edge_hosted *g, uint64_t slept_ms);
void __wrap_edge__host_leases_slept(struct edge_hosted *g, uint64_t slept_ms)
{
    if (!sim_planted("sleep_is_absence"))
        __real_edge__host_leases_slept(g, slept_ms);
}
