/* SPDX-License-Identifier: Apache-2.0
 * test_mesh.c - two regions of two routers each, whose leaders talk to each other while routers are killed and paused and links are cut,
 * one way or both. What the mesh promises: only a leader hears, only from a leader, never from an older one than it heard before,
 * everything in order and once; and when nothing goes wrong any more, both regions find each other.
 *
 * The messages are of a kind that does not exist: a field beyond the oneof, which protobuf keeps for us. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region-router/app.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_lua.h"
#include "tests/sim/sim_redis.h"
#include "unit.h"

#define RV1(x) Meridian__Region__V1__##x

enum {
    SEEDS = 40,
    STEP_MS = 10,
    STORMY_MS = 60 * 1000,
    CALM_MS = 20 * 1000,
    TAG = 1000, /* of the field */
    ROUTERS = 2 * SIM_ROUTERS,
};
_Static_assert(SIM_ROUTERS == 2, "the other router of a region is the one with the other last bit");

struct said {
    uint64_t epoch, serial;
};
static struct {
    uint64_t serial[ROUTERS];   /* of the last message a router sent, over all its lives */
    struct said heard[ROUTERS]; /* the last it heard, in this life */
    uint32_t life[ROUTERS];     /* of which that is, plus one */
    unsigned delivered, lost;   /* lost: gaps, which are allowed */
} mesh;

static struct sim_proc *router(unsigned i)
{
    return sim_regions[i / SIM_ROUTERS].router[i % SIM_ROUTERS];
}

static const char *other_region(unsigned i)
{
    return sim_regions[!(i / SIM_ROUTERS)].name;
}

static struct router_app *app_of(unsigned i)
{
    return router(i)->alive ? router(i)->user : NULL;
}

/* ---- talking ------------------------------------------------------------------------------------------------------------------------- */

static void hear(void *ctx, const char *from, const RV1(RegionMessage) * m)
{
    unsigned i = (unsigned)(uintptr_t)ctx;
    struct said now, *last = &mesh.heard[i];
    if (m->base.n_unknown_fields != 1 || m->base.unknown_fields[0].tag != TAG || m->base.unknown_fields[0].len != 1 + sizeof now) {
        sim_fail("%s: not what was sent", router(i)->name);
        return;
    }
    memcpy(&now, m->base.unknown_fields[0].data + 1, sizeof now);
    if (strcmp(from, other_region(i)) != 0)
        sim_fail("%s hears its own region", router(i)->name);
    if (router__lead_epoch(app_of(i)) == 0)
        sim_fail("%s hears and does not lead", router(i)->name);
    if (now.epoch < last->epoch)
        sim_fail("%s hears epoch %llu after %llu", router(i)->name, (unsigned long long)now.epoch, (unsigned long long)last->epoch);
    if (now.epoch == last->epoch && now.serial <= last->serial)
        sim_fail("%s hears message %llu after %llu", router(i)->name, (unsigned long long)now.serial, (unsigned long long)last->serial);
    mesh.lost += now.epoch == last->epoch && now.serial != last->serial + 1;
    *last = now;
    mesh.delivered++;
}

/* In the router's own turn. */
static void speak(void *ctx, uint64_t i)
{
    struct router_app *app = ctx;
    uint8_t data[1 + sizeof(struct said)] = {sizeof(struct said)}; /* length-delimited */
    struct said now = {router__lead_epoch(app), mesh.serial[i] + 1};
    ProtobufCMessageUnknownField field = {.tag = TAG, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = sizeof data, .data = data};
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    memcpy(data + 1, &now, sizeof now);
    m.base.n_unknown_fields = 1;
    m.base.unknown_fields = &field;
    if (router_mesh_send(app->mesh, other_region((unsigned)i), &m) == MER_OK)
        mesh.serial[i]++;
}

static void step(void)
{
    for (unsigned i = 0; i < ROUTERS; i++) {
        struct router_app *app = app_of(i);
        if (app == NULL)
            continue;
        if (mesh.life[i] != router(i)->life + 1) { /* a new life has heard nothing yet */
            mesh.life[i] = router(i)->life + 1;
            mesh.heard[i] = (struct said){0};
            router_mesh_on(app->mesh, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY__NOT_SET, hear, (void *)(uintptr_t)i);
        }
        sim_post(router(i), 0, speak, app, i);
    }
    sim_world_run(sim.now_us + STEP_MS * 1000);
    if (sim.failed)
        fail_msg("seed %llu: %s", (unsigned long long)sim.seed, sim.why);
}

/* ---- what goes wrong ----------------------------------------------------------------------------------------------------------------- */

static void start_again(void *ctx, uint64_t arg)
{
    (void)arg;
    if (!((struct sim_proc *)ctx)->alive)
        sim_region_start(ctx);
}

static void go_on(void *ctx, uint64_t arg)
{
    (void)arg;
    sim_proc_pause(ctx, false);
}

static void heal(void *ctx, uint64_t to)
{
    sim_net_cut(ctx, router((unsigned)to), false);
}

static void cut(unsigned a, unsigned b, uint64_t us)
{
    sim_net_cut(router(a), router(b), true);
    sim_at(us, heal, router(a), b);
}

/* Only who slept is left to be seen, a moment before he wakes. */
static void hide_the_other(void *ctx, uint64_t slept)
{
    unsigned other = (unsigned)slept ^ 1, first = slept < SIM_ROUTERS ? SIM_ROUTERS : 0;
    (void)ctx;
    for (unsigned far = first; far < first + SIM_ROUTERS; far++) {
        cut(other, far, 3000 * 1000);
        cut(far, other, 3000 * 1000);
        sim_net_break(router(other), router(far));
    }
}

/* A leader sleeps: too long for his link, not for his lease. He wakes as one who may still believe that he leads. */
static void overtaken(unsigned a)
{
    uint64_t us = (uint64_t)sim_between(3600, 6000) * 1000;
    sim_proc_pause(router(a), true);
    sim_at(us - 100 * 1000, hide_the_other, NULL, a);
    sim_at(us, go_on, router(a), 0);
}

static void fault(void)
{
    unsigned a = sim_below(ROUTERS), b = (a < SIM_ROUTERS ? SIM_ROUTERS : 0) + sim_below(SIM_ROUTERS);
    struct sim_proc *p = router(a);
    uint64_t us = (uint64_t)sim_between(100, sim_chance(30) ? 15000 : 3000) * 1000;
    if (!p->alive || p->paused)
        return;
    if (app_of(a)->leading && sim_chance(20)) {
        overtaken(a);
        return;
    }
    switch (sim_below(5)) {
    case 0:
        sim_proc_kill(p, sim_chance(50));
        sim_at(us, start_again, p, 0);
        break;
    case 1:
        sim_proc_pause(p, true);
        sim_at(us, go_on, p, 0);
        break;
    case 2:
        cut(a, b, us);
        break;
    case 3:
        cut(a, b, us);
        cut(b, a, us);
        break;
    default:
        sim_net_break(p, router(b));
    }
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------------- */

static struct router_app *leader_of(bool far)
{
    struct router_app *leader = NULL;
    for (unsigned i = 0; i < SIM_ROUTERS; i++) {
        struct router_app *app = app_of(far ? SIM_ROUTERS + i : i);
        if (app != NULL && router__lead_epoch(app) != 0) {
            assert_null(leader); /* one a region */
            leader = app;
        }
    }
    assert_non_null(leader);
    return leader;
}

static void everybody_knows_the_other_leader(void)
{
    for (unsigned i = 0; i < ROUTERS; i++) {
        struct router_app *app = app_of(i), *far = leader_of(i < SIM_ROUTERS);
        struct mer_buf text;
        char want[160];
        size_t n;
        mer_buf_init(&text, 0);
        assert_int_equal(router_mesh_regions(app->mesh, &n)->links, SIM_ROUTERS);
        assert_int_equal(router_mesh_status(app->mesh, &text), MER_OK);
        assert_int_equal(mer_buf_append(&text, "", 1), MER_OK);
        snprintf(want, sizeof want, "\"up\":true,\"leader\":\"%s\",\"epoch\":%llu,", far->incarnation,
                 (unsigned long long)router__lead_epoch(far));
        if (strstr((char *)text.data, want) == NULL)
            fail_msg("seed %llu: %s says %s, not %s", (unsigned long long)sim.seed, router(i)->name, (char *)text.data, want);
        mer_buf_deinit(&text);
    }
}

static void run(uint64_t seed)
{
    memset(&mesh, 0, sizeof mesh); /* the parent's holds what the seed before told */
    sim_world_init(seed, "", NULL);
    sim_check_init();
    sim_regions_init(2, 0);
    uint64_t next_ms = 5000;
    while (sim_now_ms() < STORMY_MS) {
        step();
        if (sim_now_ms() >= next_ms) {
            fault();
            next_ms += sim_between(200, 4000);
        }
    }
    while (sim_now_ms() < STORMY_MS + CALM_MS)
        step();
    everybody_knows_the_other_leader();
    unsigned before = mesh.delivered;
    for (unsigned i = 0; i < 100; i++)
        step();
    if (mesh.delivered < before + 190) /* 100 each way, less what is on its way */
        fail_msg("seed %llu: of 200 messages %u arrived in the calm", (unsigned long long)seed, mesh.delivered - before);
}

/* A world a process: what it allocates goes with it. */
static void leaders_of_two_regions_hear_each_other_whatever_goes_wrong(void **state)
{
    (void)state;
    unsigned delivered = 0, lost = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        int fd[2], status;
        assert_int_equal(pipe(fd), 0);
        pid_t pid = fork();
        if (pid == 0) {
            run(seed);
            _exit(write(fd[1], &mesh, sizeof mesh) == sizeof mesh ? 0 : 1);
        }
        close(fd[1]);
        assert_int_equal(read(fd[0], &mesh, sizeof mesh), sizeof mesh);
        close(fd[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        delivered += mesh.delivered;
        lost += mesh.lost;
    }
    print_message("%u messages heard in %u worlds, %u gaps where a link was lost\n", delivered, SEEDS, lost);
    assert_true(lost > 0); /* or nothing went wrong */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(leaders_of_two_regions_hear_each_other_whatever_goes_wrong)};
    sim_lua_init(SIM_LIBRARY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
