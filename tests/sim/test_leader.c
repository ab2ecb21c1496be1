/* SPDX-License-Identifier: Apache-2.0
 * test_leader.c - the router's leader dies in the middle of a match: how long do the players who had accepted their seats wait, once the
 * next leader has introduced himself? In a region of two edges without any other fault, for some seeds. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/game/host_private.h"
#include "edge/session/ticket.h"
#include "region-router/app.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_lua.h"
#include "tests/sim/sim_player.h"
#include "tests/sim/sim_redis.h"
#include "unit.h"

enum {
    SEEDS = 24,
    STEP_US = 200,
    FREED_MS = 500,    /* from the hello: three calls to the store, and some turns of the loop; it was 6 s without the hello */
    MATCHED_MS = 3000, /* nearly all: somebody's partner has gone meanwhile, and he waits for another like anybody */
};

struct outcome {
    bool undone;
    uint32_t freed_ms, matched_ms;
};

static struct edge_ticket *ticket_in(struct edge_app *app, enum ticket_state state)
{
    uint32_t pos = 0;
    for (struct edge_ticket *t; (t = mer_map_next(&app->tickets->by_id, &pos)) != NULL;)
        if (t->state == state)
            return t;
    return NULL;
}

static bool is_hosted(const char *game)
{
    for (unsigned i = 0; i < region->edges; i++)
        if (edge__host_find(sim_edge_app(region->edge[i])->host, game))
            return true;
    return false;
}

static struct sim_proc *leader(void)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        if (region->router[i]->alive && ((struct router_app *)region->router[i]->user)->leading)
            return region->router[i];
    return NULL;
}

static void step(void)
{
    sim_world_run(sim.now_us + STEP_US);
    if (sim.failed)
        fail_msg("seed %llu: %s", (unsigned long long)sim.seed, sim.why);
    if (sim_now_ms() > 120 * 1000)
        fail_msg("seed %llu: nothing happens", (unsigned long long)sim.seed);
}

/* Somebody sits, and nobody has been told to make his game. */
static struct edge_ticket *wait_for_a_seat(struct edge_app **where)
{
    for (;;) {
        step();
        for (unsigned i = 0; i < region->edges && sim_now_ms() > 8000; i++) {
            *where = sim_edge_app(region->edge[i]);
            struct edge_ticket *t = ticket_in(*where, T_SEATED);
            if (t && !is_hosted(t->game))
                return t;
        }
    }
}

static struct outcome play(uint64_t seed)
{
    struct outcome o = {0};
    struct edge_app *app;
    char id[TICKET_ID_BYTES];
    sim_world_init(seed, "", NULL);
    sim_check_init();
    sim_region_init(2);
    sim_players_init(24, 3);
    struct edge_ticket *t = wait_for_a_seat(&app);
    memcpy(id, t->id, sizeof(id));
    uint64_t undone = app->tickets->values[T_M_UNDONE];
    assert_non_null(leader());
    sim_proc_kill(leader(), false);
    while (edge_routers_have_leader(app->routers))
        step();
    while (!edge_routers_have_leader(app->routers))
        step();
    uint64_t hello = sim_now_ms();
    while ((t = mer_map_gets(&app->tickets->by_id, id)) != NULL && t->state != T_WAITING)
        step();
    o.freed_ms = (uint32_t)(sim_now_ms() - hello);
    o.undone = app->tickets->values[T_M_UNDONE] > undone;
    while (mer_map_gets(&app->tickets->by_id, id) != NULL)
        step();
    o.matched_ms = (uint32_t)(sim_now_ms() - hello);
    return o;
}

/* A world a process: what it allocates goes with it. */
static struct outcome play_apart(uint64_t seed)
{
    struct outcome o = {0};
    int fd[2], status;
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        o = play(seed);
        _exit(write(fd[1], &o, sizeof(o)) == sizeof(o) ? 0 : 1);
    }
    close(fd[1]);
    assert_int_equal(read(fd[0], &o, sizeof(o)), sizeof(o));
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return o;
}

static void seats_of_a_dead_leader_are_free_when_the_next_one_comes(void **state)
{
    (void)state;
    unsigned undone = 0, soon = 0;
    uint32_t freed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct outcome o = play_apart(seed);
        undone += o.undone;
        soon += o.matched_ms <= MATCHED_MS;
        freed = o.freed_ms > freed ? o.freed_ms : freed;
    }
    print_message("%u of %u matches were undone; from the new leader's hello: free after at most %u ms, %u matched within %u ms\n", undone,
                  SEEDS, freed, soon, MATCHED_MS);
    assert_true(undone >= SEEDS / 4);
    assert_true(freed <= FREED_MS);
    assert_true(soon >= SEEDS * 3 / 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(seats_of_a_dead_leader_are_free_when_the_next_one_comes)};
    sim_lua_init(SIM_LIBRARY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
