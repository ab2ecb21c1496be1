/* SPDX-License-Identifier: Apache-2.0
 * A shard of three nodes: A leads, B follows, C has been out and comes in. What C must know of B before it may be elected. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "region-router/electable.h"

enum { A, B, C, NODES };

static struct router_electable e;
static struct router_view view[NODES];
static uint64_t now_ms;
static char told[16][64];       /* commands of the last step, in words */
static unsigned tolds, counted; /* counted: replicas that had to confirm the count, as last asked for */

static const char *name_of(const struct router_member *m)
{
    static const char *const names[] = {"A", "B", "C"};
    return names[m->address[strlen(m->address) - 1] - '1'];
}
static void tell_user(void *ctx, const struct router_member *at, const struct router_member *whose, bool on)
{
    (void)ctx;
    snprintf(told[tolds++ % 16], sizeof told[0], "%s: %s %s", name_of(at), name_of(whose), on ? "on" : "off");
}
static void tell_forget(void *ctx, const struct router_member *at, const char *id)
{
    (void)ctx, (void)at, (void)id;
}
static void tell_other(void *ctx, const struct router_member *at, const struct router_member *other)
{
    (void)ctx, (void)at, (void)other;
}
static void tell_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    (void)ctx;
    counted = enough;
    router_electable_stored(&e, primary->id, count, true, now_ms);
}
static void moved(void *ctx, const struct router_member *m, enum router_member_state from)
{
    (void)ctx, (void)m, (void)from;
}

static const char *id_of(unsigned node)
{
    static char id[NODES][ROUTER_NODE_ID_BYTES];
    memset(id[node], 'a' + (int)node, ROUTER_NODE_ID_BYTES - 1);
    return id[node];
}
static const char *address_of(unsigned node)
{
    static char address[NODES][ROUTER_NODE_ADDRESS_BYTES];
    snprintf(address[node], sizeof address[node], "127.0.0.1:760%u", node + 1);
    return address[node];
}
static const char *user_of(unsigned node)
{
    static const char *const users[] = {"repl-A", "repl-B", "repl-C"};
    return users[node];
}

static void switched_on(unsigned at, unsigned whose)
{
    snprintf(view[at].on[view[at].on_count++], sizeof view[at].on[0], "%s", user_of(whose));
}

/* Everybody knows everybody, replicas are attached and in step. */
static void whole_shard(void)
{
    memset(view, 0, sizeof view);
    for (unsigned i = 0; i < NODES; i++) {
        struct router_view *v = &view[i];
        memcpy(v->id, id_of(i), sizeof v->id);
        snprintf(v->primary, sizeof v->primary, "%s", i == A ? "" : id_of(A));
        v->slots = i == A;
        v->config_epoch = v->current_epoch = 1;
        v->offset = 100;
        for (unsigned k = 0; k < NODES; k++) {
            if (k == i)
                continue;
            struct router_known *known = &v->known[v->known_count++];
            memcpy(known->id, id_of(k), sizeof known->id);
            snprintf(known->primary, sizeof known->primary, "%s", k == A ? "" : id_of(A));
            snprintf(known->address, sizeof known->address, "%s", address_of(k));
            known->slots = k == A;
        }
    }
    for (unsigned k = B; k <= C; k++) {
        struct router_attached *a = &view[A].attached[view[A].attached_count++];
        snprintf(a->address, sizeof a->address, "%s", address_of(k));
        a->online = true;
        a->offset = 100;
    }
}

/* All nodes are asked, and the leader goes on. */
static void go_on(unsigned times)
{
    for (; times > 0; times--) {
        tolds = 0;
        memset(told, 0, sizeof told);
        now_ms += 50;
        for (unsigned i = 0; i < NODES; i++)
            router_electable_heard(&e, address_of(i), &view[i], user_of(i), now_ms - 10, now_ms);
        router_electable_step(&e, now_ms);
    }
}
static bool was_told(const char *what)
{
    for (unsigned i = 0; i < 16; i++)
        if (strcmp(told[i], what) == 0)
            return true;
    return false;
}
static enum router_member_state state_of(unsigned node)
{
    for (unsigned i = 0; i < e.member_count; i++)
        if (strcmp(e.member[i].id, id_of(node)) == 0)
            return (enum router_member_state)e.member[i].state;
    return ROUTER_MEMBER_NSTATES;
}

static int begin(void **state)
{
    static const struct router_electable_env env = {
        .user = tell_user, .forget = tell_forget, .meet = tell_other, .replicate = tell_other, .count = tell_count, .moved = moved};
    (void)state;
    now_ms = 100000;
    counted = 0;
    whole_shard();
    return router_electable_init(&e, &env, 2) == MER_OK ? 0 : -1;
}
static int end(void **state)
{
    (void)state;
    router_electable_deinit(&e);
    return 0;
}

static void who_comes_in_learns_that_others_may_replicate_from_him(void **state)
{
    char note[256];
    (void)state;
    snprintf(note, sizeof note, "%s %s %s out", address_of(C), user_of(C), id_of(A));
    assert_int_equal(router_electable_remember(&e, id_of(C), note, now_ms), MER_OK);
    for (unsigned at = A; at <= B; at++)
        for (unsigned whose = A; whose < NODES; whose++)
            switched_on(at, whose);
    switched_on(C, A);  /* B was switched off at C, and back on when C could not be told */
    view[A].on_count--; /* C is off, and not there */
    view[A].attached_count--;
    for (unsigned i = 0; i < 400 && state_of(C) != ROUTER_MEMBER_SYNC; i++)
        go_on(1);
    assert_int_equal(state_of(C), ROUTER_MEMBER_SYNC);
    assert_int_equal(counted, 1);
    view[A].on_count++;
    view[A].attached_count++;
    go_on(5);
    assert_int_equal(state_of(C), ROUTER_MEMBER_SYNC);
    assert_true(was_told("C: B on"));
    switched_on(C, B);
    go_on(10);
    assert_int_equal(state_of(C), ROUTER_MEMBER_IN);
}

static void who_could_confirm_for_another_is_shut_out_before_the_count_is_raised(void **state)
{
    char note[256];
    (void)state;
    snprintf(note, sizeof note, "%s %s %s out", address_of(C), user_of(C), id_of(A));
    assert_int_equal(router_electable_remember(&e, id_of(C), note, now_ms), MER_OK);
    for (unsigned at = A; at <= B; at++)
        for (unsigned whose = A; whose < NODES; whose++)
            switched_on(at, whose); /* C replicates from A, whatever is told */
    for (unsigned i = 0; i < 400 && state_of(C) != ROUTER_MEMBER_RAISE; i++)
        go_on(1);
    assert_int_equal(state_of(C), ROUTER_MEMBER_RAISE);
    go_on(3);
    assert_int_equal(state_of(C), ROUTER_MEMBER_RAISE);
    assert_true(was_told("A: C off"));
    assert_int_equal(counted, 0);
}

static void who_is_in_is_switched_on_wherever_he_could_replicate_from(void **state)
{
    (void)state;
    for (unsigned at = A; at < NODES; at++)
        for (unsigned whose = A; whose < NODES; whose++)
            if (at != C || whose != B)
                switched_on(at, whose);
    go_on(3);
    assert_int_equal(state_of(B), ROUTER_MEMBER_IN);
    assert_int_equal(state_of(C), ROUTER_MEMBER_IN);
    assert_true(was_told("C: B on"));
    switched_on(C, B);
    go_on(3);
    assert_false(was_told("C: B on"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_comes_in_learns_that_others_may_replicate_from_him, begin, end),
        cmocka_unit_test_setup_teardown(who_could_confirm_for_another_is_shut_out_before_the_count_is_raised, begin, end),
        cmocka_unit_test_setup_teardown(who_is_in_is_switched_on_wherever_he_could_replicate_from, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
