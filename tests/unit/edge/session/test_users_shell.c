/* SPDX-License-Identifier: Apache-2.0
 * Who counts as there: with a connection, expected by a drain, or lost a moment ago (R28). */
#include <string.h>

#include "edge/session/session.h"
#include "edge/session/sessions.h"
#include "unit.h"

enum { NOW = 10 * 60 * 1000, GRACE = EDGE_PRESENCE_GRACE_MS };

static struct fix {
    struct edge_app app;
    struct edge_sessions all;
    struct edge_user *user;
    struct edge_session session[2];
} f;

void edge__invites_init(struct edge_user *u, uint64_t now_ms)
{
    (void)u, (void)now_ms;
}

static int begin(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    struct mer_claims claims = {.sub = "ana", .name = "Ana"};
    (void)state;
    memset(&f, 0, sizeof(f));
    f.app.loop.now_ms = NOW;
    f.all.app = &f.app;
    mer_slab_init(&f.all.user_slab, sizeof(struct edge_user), 8);
    mer_map_init(&f.all.users, edge__user_key, seed);
    f.user = edge__user_get(&f.all, &claims);
    assert_non_null(f.user);
    return 0;
}
static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (f.session[i].user != NULL)
            mer_list_remove(&f.session[i].in_user);
    f.user->count = 0;
    edge__user_release(&f.all, f.user);
    assert_int_equal(f.all.users.count, 0);
    mer_map_deinit(&f.all.users);
    mer_slab_deinit(&f.all.user_slab);
    return 0;
}

/* As edge__session_detach leaves it when its connection ends at NOW. */
static struct edge_session *detached(int i, bool expected)
{
    struct edge_session *s = &f.session[i];
    s->all = &f.all;
    s->user = f.user;
    s->state = EDGE_SESSION_DETACHED;
    s->expected = expected;
    s->timer.due_ms = NOW + (expected ? EDGE_DRAIN_BACK_MS : EDGE_SESSION_LINGER_MS);
    mer_list_push_back(&f.user->sessions, &s->in_user);
    f.user->count++;
    f.user->expected += expected;
    return s;
}
static bool there_after(uint64_t ms)
{
    f.app.loop.now_ms = NOW + ms;
    return edge_sessions_there(&f.all, "ana");
}

static void nobody_else_is_there(void **state)
{
    (void)state;
    assert_false(edge_sessions_there(&f.all, "bob"));
    assert_false(edge_sessions_there(&f.all, "ana")); /* a ticket keeps the user, without a session */
}

static void whose_connection_ended_is_there_for_the_grace_and_no_longer(void **state)
{
    (void)state;
    (void)detached(0, false);
    assert_true(there_after(0));
    assert_true(there_after(GRACE - 1));
    assert_false(there_after(GRACE));
    assert_false(there_after(EDGE_SESSION_LINGER_MS - 1));
    assert_false(there_after(EDGE_SESSION_LINGER_MS));
}

static void one_device_is_enough(void **state)
{
    (void)state;
    (void)detached(0, false);
    f.user->live = 1;
    assert_true(there_after(EDGE_SESSION_LINGER_MS));
    f.user->live = 0;
    assert_false(there_after(EDGE_SESSION_LINGER_MS));
    detached(1, false)->timer.due_ms += GRACE; /* gone later than the other */
    assert_true(there_after(2 * GRACE - 1));
    assert_false(there_after(2 * GRACE));
}

static void who_is_expected_elsewhere_is_there(void **state)
{
    (void)state;
    struct edge_session *s = detached(0, true);
    assert_true(there_after(0));
    assert_true(there_after(EDGE_DRAIN_BACK_MS));
    s->expected = false; /* he did not come: the timer goes on to the end of the session */
    f.user->expected = 0;
    s->timer.due_ms = NOW + EDGE_SESSION_LINGER_MS;
    assert_true(there_after(GRACE - 1));
    assert_false(there_after(GRACE));
}

static void whose_session_was_just_taken_by_another_edge_is_there(void **state)
{
    (void)state;
    struct edge_session *s = detached(0, false);
    s->taken = true;
    s->timer.due_ms = NOW + 30000 + EDGE_DRAIN_TAKEN_MS;
    assert_true(there_after(30000));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(nobody_else_is_there),
        T(whose_connection_ended_is_there_for_the_grace_and_no_longer),
        T(one_device_is_enough),
        T(who_is_expected_elsewhere_is_there),
        T(whose_session_was_just_taken_by_another_edge_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
