/* SPDX-License-Identifier: Apache-2.0
 * survey.c - GET /v1/ping to addresses of regions: is one's own there, and who else is (route.js, in_turn.js).
 *
 * The own region's addresses one after the other, the others' when it has said nothing for a while or refused; the nearest first, the next
 * when that one has not answered. Before it is left for its silence it is asked once more. An answer is a 204; a refusal counts at once,
 * silence after 1.5 s. */
#include <string.h>

#include <meridian/mem.h>

#include "tests/load/roam_private.h"

enum {
    STEP_MS = 50,
    PROBE_MS = 1500, /* region_list.js */
    APART_US = 150 * 1000,
    HEAD_START_US = 400 * 1000, /* route.js */
    REGION_APART_US = 300 * 1000,
    AGAIN_US = 500 * 1000,
};

enum ping_kind { PING_OWN, PING_AGAIN, PING_OTHER, PING_HOME };
struct ping {
    struct load_conn conn; /* first: the net's callbacks get this */
    struct mer_list node;  /* in the player's list, or among the spare ones */
    struct mer_timer timer;
    struct load_player *player;
    uint8_t kind, region;
};

/* --- one question ----------------------------------------------------------------------------------------------------------------------
 */

static void put_away(struct ping *g)
{
    load_conn_close(&g->conn);
    mer_wheel_disarm(&g->player->run->wheel, &g->timer);
    mer_list_remove(&g->node);
    mer_list_push_back(&g->player->run->failover.spare_pings, &g->node);
}

static void home_answered(struct load_player *p, bool there)
{
    p->roam->looking_home = false;
    load__roam_home_heard(p, there);
}

static void answered(struct ping *g, bool there)
{
    struct load_player *p = g->player;
    struct load_survey *s = &p->roam->survey;
    uint8_t kind = g->kind, region = g->region;
    put_away(g);
    if (kind == PING_HOME) {
        home_answered(p, there);
        return;
    }
    if (there && kind == PING_OTHER) {
        s->found = s->found < 0 ? region : s->found;
    } else if (there) {
        load__survey_end(p);
        load__roam_stay(p, true);
        return;
    } else if (kind == PING_OTHER) {
        s->other_silent[region]++;
    } else {
        *(kind == PING_OWN ? &s->own_silent : &s->again_silent) += 1;
    }
    load__survey_step(p);
}

static void on_down(struct load_conn *c, const struct load_end *end)
{
    answered(MER_CONTAINER_OF(c, struct ping, conn), end->status == 204);
}

static void on_timer(struct mer_timer *t)
{
    answered(MER_CONTAINER_OF(t, struct ping, timer), false);
}

const struct load_net_cbs load_ping_cbs = {.on_down = on_down};

static struct ping *spare(struct load_run *r)
{
    struct mer_list *spares = &r->failover.spare_pings;
    if (mer_list_empty(spares)) {
        struct ping *g = mer_xcalloc(1, sizeof(*g));
        enum mer_err err = load_conn_add(&r->net, &g->conn);
        MER_ASSERT(err == MER_OK); /* memory of our own machine */
        g->conn.cbs = &load_ping_cbs;
        g->conn.get = "/v1/ping";
        mer_timer_init(&g->timer, on_timer);
        mer_list_init(&g->node);
        return g;
    }
    struct ping *g = MER_LIST_ENTRY(spares->next, struct ping, node);
    mer_list_remove(&g->node);
    return g;
}

/* False: no socket could be had, which is no answer of anybody. */
static bool ask(struct load_player *p, enum ping_kind kind, uint8_t region, uint32_t at)
{
    struct ping *g = spare(p->run);
    g->player = p;
    g->kind = (uint8_t)kind;
    g->region = region;
    mer_list_push_back(&p->roam->pings, &g->node);
    p->run->failover.pings++;
    if (load_conn_open(&g->conn, load__roam_url(p, region, at)) != MER_OK) {
        put_away(g);
        return false;
    }
    load_run_arm(p->run, &g->timer, PROBE_MS);
    return true;
}

void load__pings_close(struct load_player *p, bool all)
{
    MER_LIST_EACH_SAFE (it, &p->roam->pings) {
        struct ping *g = MER_LIST_ENTRY(it, struct ping, node);
        if (all || g->kind != PING_HOME)
            put_away(g);
    }
}

void load__ping_home(struct load_player *p)
{
    struct load_roam *m = p->roam;
    uint32_t edges = p->run->endpoints.region[m->home_region].edges;
    m->looking_home = true;
    if (!ask(p, PING_HOME, m->home_region, mer_rng_below(&p->run->rng, edges)))
        home_answered(p, false);
}

/* --- many of them ----------------------------------------------------------------------------------------------------------------------
 */

/* Some addresses of the ring and, last, the one that is shared. */
static uint32_t address(const struct load_player *p, uint8_t region, uint32_t from, uint32_t i, uint32_t most)
{
    uint32_t edges = p->run->endpoints.region[region].edges;
    return i + 1 == most ? edges : (from + i) % edges;
}

static void ask_own(struct load_player *p)
{
    struct load_roam *m = p->roam;
    struct load_survey *s = &m->survey;
    while (!s->own_left && s->own < LOAD_OWN_ASKED && (s->own == s->own_silent || p->run->now_us - s->own_us >= APART_US)) {
        s->own_us = p->run->now_us;
        s->own_silent += !ask(p, PING_OWN, m->region, address(p, m->region, m->at, s->own, LOAD_OWN_ASKED));
        s->own++;
    }
}

static void ask_other(struct load_player *p, uint8_t region)
{
    struct load_survey *s = &p->roam->survey;
    uint32_t from = mer_rng_below(&p->run->rng, p->run->endpoints.region[region].edges);
    s->other_silent[region] += !ask(p, PING_OTHER, region, address(p, region, from, s->other[region], LOAD_OTHER_ASKED));
    s->other[region]++;
}

static bool gave_up(const struct load_survey *s, uint8_t region)
{
    return s->other[region] == LOAD_OTHER_ASKED && s->other_silent[region] == LOAD_OTHER_ASKED;
}

static void ask_others(struct load_player *p)
{
    const struct load_endpoints *e = &p->run->endpoints;
    struct load_survey *s = &p->roam->survey;
    uint64_t now_us = p->run->now_us;
    for (unsigned i = 0; i < e->regions; i++) {
        uint8_t region = e->nearest[i];
        if (region == p->roam->region || gave_up(s, region))
            continue;
        if (s->other[region] == 0) {
            s->other_us[region] = now_us;
            ask_other(p, region);
            return;
        }
        bool alone = s->other_silent[region] < s->other[region] && now_us - s->other_us[region] < APART_US;
        if (s->other[region] < LOAD_OTHER_ASKED && !alone)
            ask_other(p, region);
        if (now_us - s->other_us[region] < REGION_APART_US)
            return;
    }
}

static bool nobody_there(const struct load_player *p)
{
    const struct load_survey *s = &p->roam->survey;
    for (uint8_t i = 0; i < p->run->endpoints.regions; i++)
        if (i != p->roam->region && !gave_up(s, i))
            return false;
    return s->own_left || s->own_silent == LOAD_OWN_ASKED;
}

static void ask_again(struct load_player *p)
{
    struct load_roam *m = p->roam;
    struct load_survey *s = &m->survey;
    s->again_us = p->run->now_us;
    for (uint32_t i = 0; i < LOAD_OWN_ASKED; i++)
        s->again_silent += !ask(p, PING_AGAIN, m->region, address(p, m->region, m->at, i, LOAD_OWN_ASKED));
}

void load__survey_step(struct load_player *p)
{
    struct load_run *r = p->run;
    struct load_survey *s = &p->roam->survey;
    uint64_t patience_us = load__max(AGAIN_US, 4 * r->endpoints.region[p->roam->region].trip_us);
    if (!s->going)
        return;
    ask_own(p);
    s->others = s->others || s->own_left || s->own_silent == LOAD_OWN_ASKED || r->now_us - s->began_us >= HEAD_START_US;
    if (s->others && s->found < 0)
        ask_others(p);
    bool refused = s->own_left || (s->own_silent == LOAD_OWN_ASKED && r->now_us - s->began_us < HEAD_START_US);
    s->refused = s->refused || refused;
    if (s->found >= 0 && !s->again_us && !s->refused)
        ask_again(p);
    bool left_alone = s->refused || s->again_silent == LOAD_OWN_ASKED || (s->again_us && r->now_us - s->again_us >= patience_us);
    if (s->found >= 0 && left_alone) {
        uint8_t region = (uint8_t)s->found;
        load__survey_end(p);
        load__roam_leave_for(p, region);
    } else if (s->found < 0 && nobody_there(p)) {
        load__survey_end(p);
        load__roam_stay(p, false);
    } else {
        load_run_arm(r, &p->roam->watch, STEP_MS);
    }
}

void load__survey_begin(struct load_player *p, bool leave)
{
    struct load_survey *s = &p->roam->survey;
    if (s->going)
        return;
    *s = (struct load_survey){.going = true, .own_left = leave, .found = -1, .began_us = p->run->now_us};
    p->run->failover.surveys++;
    load__survey_step(p);
}

void load__survey_end(struct load_player *p)
{
    p->roam->survey.going = false;
    mer_wheel_disarm(&p->run->wheel, &p->roam->watch);
    load__pings_close(p, false);
}

void load_roam_deinit(struct load_run *r)
{
    if (!r->roam)
        return;
    MER_LIST_EACH_SAFE (it, &r->failover.spare_pings) {
        struct ping *g = MER_LIST_ENTRY(it, struct ping, node);
        mer_free(&g);
    }
    mer_free(&r->roam);
}
