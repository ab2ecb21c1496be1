/* SPDX-License-Identifier: Apache-2.0
 * sim_plant_far.c - bugs of what joins regions, put in on purpose (sim_plant.h): games that lie elsewhere, and codes. Those of the relay
 * are texts of the function library, or stand in sim_shortcuts.c, which is in that way already. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "edge/game/abroad.h"
#include "region-router/cross_shell.h"
#include "region-router/match_private.h"
#include "tests/sim/sim.h"

/* --- a game elsewhere is taken for void without its region's word --------------------------------------------------------------------- */

struct voided {
    edge_store_game_cb cb;
    void *ctx;
};

static void on_voided(void *ctx, uint64_t arg)
{
    static const struct edge_stored nothing = {.owner = ""};
    struct voided v = *(struct voided *)ctx;
    (void)arg;
    free(ctx);
    v.cb(v.ctx, EDGE_STORE_VOIDED, &nothing);
}

enum mer_err __real_edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx);
enum mer_err __wrap_edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx);
enum mer_err __wrap_edge_abroad_game_void(struct edge_abroad *a, const char *gid, edge_store_game_cb cb, void *ctx)
{
    if (!sim_planted("void_unasked") || !edge_abroad_has(a, gid))
        return __real_edge_abroad_game_void(a, gid, cb, ctx);
    struct voided *v = mer_xmalloc(sizeof(*v));
    *v = (struct voided){cb, ctx};
    sim_post(sim.current, 1000, on_voided, v, 0);
    return MER_OK;
}

/* --- codes ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err __real_router_group_join(struct router_matcher *m, struct router_ticket *t, const struct router_group_wish *w);
enum mer_err __wrap_router_group_join(struct router_matcher *m, struct router_ticket *t, const struct router_group_wish *w);
enum mer_err __wrap_router_group_join(struct router_matcher *m, struct router_ticket *t, const struct router_group_wish *w)
{
    return sim_planted("code_for_all") ? MER_OK : __real_router_group_join(m, t, w);
}

const char *__real_router_group_verdict(const struct router_matcher *m, const struct router_ticket *t);
const char *__wrap_router_group_verdict(const struct router_matcher *m, const struct router_ticket *t);
const char *__wrap_router_group_verdict(const struct router_matcher *m, const struct router_ticket *t)
{
    return sim_planted("never_in_vain") ? NULL : __real_router_group_verdict(m, t);
}

bool __real_router_crossing_tell(void *ctx, const struct router_ticket_spec *t, unsigned to);
bool __wrap_router_crossing_tell(void *ctx, const struct router_ticket_spec *t, unsigned to);
bool __wrap_router_crossing_tell(void *ctx, const struct router_ticket_spec *t, unsigned to)
{
    return (sim_planted("code_at_home") && t->group.key != 0) || __real_router_crossing_tell(ctx, t, to);
}
