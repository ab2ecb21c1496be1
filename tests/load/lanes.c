/* SPDX-License-Identifier: Apache-2.0
 * lanes.c - pairs and their lanes. Ratings are 200 apart: the matchmaker's window begins at 100 either way, so a pair that is answered
 * within its first two seconds meets nobody else. */
#include "tests/load/lanes.h"

#include "tests/load/player.h"

enum { RATING_STEP = 200, LANE_STUCK_US = 6 * 1000 * 1000, PATIENCE_US = 500 * 1000 };

void load_lanes_init(struct load_lanes *l, uint32_t edges, uint32_t cross)
{
    static const uint8_t shape[LOAD_LANES_SHAPES][2] = {{4, 4}, {2, 8}, {8, 2}}; /* all with 16 cards */
    *l = (struct load_lanes){.edges = edges, .cross = edges > 1 ? cross : 0};
    for (unsigned i = 0; i < LOAD_EDGES_MAX; i++)
        mer_list_init(&l->waiting[i]);
    for (unsigned i = 0; i < LOAD_LANES; i++)
        l->lane[i] = (struct load_lane){.rows = shape[i % LOAD_LANES_SHAPES][0],
                                        .cols = shape[i % LOAD_LANES_SHAPES][1],
                                        .rating = (uint16_t)(i / LOAD_LANES_SHAPES * RATING_STEP)};
}

void load_lanes_add(struct load_lanes *l, struct load_player *p)
{
    p->doing = LOAD_WAITING;
    p->asked_us = p->run->now_us;
    if (l->cross == LOAD_CROSS_ANY) {
        load_play_ask(p);
        return;
    }
    mer_list_push_back(&l->waiting[p->edge], &p->node);
    l->count[p->edge]++;
}

void load_lanes_remove(struct load_lanes *l, struct load_player *p)
{
    if (p->doing != LOAD_WAITING || mer_list_empty(&p->node))
        return;
    mer_list_remove(&p->node);
    l->count[p->edge]--;
    p->doing = LOAD_NOTHING;
}

void load_lanes_done(struct load_player *p)
{
    if (p->lane && p->lane->askers > 0)
        p->lane->askers--;
    p->lane = NULL;
}

static struct load_lane *free_lane(struct load_lanes *l, uint64_t now_us)
{
    for (unsigned i = 0; i < LOAD_LANES; i++) {
        struct load_lane *lane = &l->lane[l->next++ % LOAD_LANES];
        if (lane->askers > 0 && now_us - lane->since_us < LANE_STUCK_US)
            continue;
        lane->askers = 0;
        return lane;
    }
    return NULL;
}

/* The edge where most wait, `but` not counted; -1 when nobody does. */
static int fullest(const struct load_lanes *l, int but, uint32_t least)
{
    int best = -1;
    for (uint32_t i = 0; i < l->edges; i++)
        if ((int)i != but && l->count[i] >= least && (best < 0 || l->count[i] > l->count[best]))
            best = (int)i;
    return best;
}

static bool waited_long(const struct load_lanes *l, uint64_t now_us)
{
    for (uint32_t i = 0; i < l->edges; i++)
        if (l->count[i] && now_us - MER_LIST_ENTRY(l->waiting[i].next, struct load_player, node)->asked_us > PATIENCE_US)
            return true;
    return false;
}

/* Edges of the next two. The kind that is wanted is waited for, but not for long: players are there to play. */
static bool choose(const struct load_lanes *l, uint64_t now_us, int *a, int *b)
{
    bool cross = l->cross > 0 && l->made_cross * 100 < (uint64_t)l->cross * (l->made + 1);
    int tries = waited_long(l, now_us) ? 2 : 1;
    for (int i = 0; i < tries; i++, cross = !cross) {
        *a = fullest(l, -1, cross ? 1 : 2);
        *b = cross ? fullest(l, *a, 1) : *a;
        if (*a >= 0 && *b >= 0)
            return true;
    }
    return false;
}

static void send_off(struct load_lanes *l, struct load_lane *lane, int edge)
{
    struct load_player *p = MER_LIST_ENTRY(l->waiting[edge].next, struct load_player, node);
    load_lanes_remove(l, p);
    p->lane = lane;
    lane->askers++;
    load_play_ask(p);
}

void load_lanes_pair(struct load_lanes *l, uint64_t now_us)
{
    int a, b;
    while (choose(l, now_us, &a, &b)) {
        struct load_lane *lane = free_lane(l, now_us);
        if (!lane)
            return;
        lane->since_us = now_us;
        l->made++;
        l->made_cross += a != b;
        send_off(l, lane, a);
        send_off(l, lane, b);
    }
}
