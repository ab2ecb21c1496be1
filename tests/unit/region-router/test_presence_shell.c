/* SPDX-License-Identifier: Apache-2.0
 * A question whether a user is there, at the leader: the registry is read, the edges it names are asked, and who asked is told. Redis,
 * links and the mesh are the test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <stdio.h>

#include "region-router/app.h"
#include "region-router/relay_private.h"

#define IV1(x) Meridian__Internal__V1__##x
#define RV1(x) Meridian__Region__V1__##x
#define SAID(x) MERIDIAN__INTERNAL__V1__PRESENCE_ANSWER__PRESENCE_ANSWER_##x

enum { EDGES = 3, EPOCH = 5, DEVICES = 10 };

static struct fix {
    struct router_app app;
    struct router_relays *rs;
    struct router_relay_peer peer;
    struct router_edge edge[EDGES]; /* incarnations a, b, c; the first asks */
    bool linked[EDGES];
    mer_redis_cb on_player;
    void *ctx;
    uint64_t asked[EDGES], epoch, told_ask; /* asked: number of the last question to it, 0: none */
    unsigned questions, answers;
    int answer;            /* the last one */
    char far_answer[64];   /* the last one to the other region */
    router_mesh_cb on_ask; /* of the other region */
    enum mer_err refuse;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->epoch;
}
struct router_edge *router_edges_find(const struct router_edges *es, const char *incarnation)
{
    (void)es;
    for (int i = 0; i < EDGES; i++)
        if (f->linked[i] && strcmp(f->edge[i].incarnation, incarnation) == 0)
            return &f->edge[i];
    return NULL;
}
void router_edges_send(struct router_edges *es, struct mer_link *l, const IV1(RouterMessage) * m)
{
    (void)es;
    int to = (int)((uintptr_t)l - 1);
    if (m->body_case == MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_ASK) {
        assert_string_equal(m->presence_ask->user, "bob");
        assert_true(m->presence_ask->has_router_epoch && m->presence_ask->router_epoch == EPOCH);
        f->asked[to] = m->presence_ask->ask;
        f->questions++;
        return;
    }
    assert_int_equal(m->body_case, MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_TOLD);
    assert_int_equal(to, 0);
    f->told_ask = m->presence_told->ask;
    f->answer = (int)m->presence_told->answer;
    f->answers++;
}
enum mer_err router_mesh_send(struct router_mesh *m, const char *region, const RV1(RegionMessage) * rm)
{
    (void)m;
    assert_string_equal(region, "eu");
    assert_int_equal(rm->body_case, MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_TOLD);
    const RV1(PresenceTold) *t = rm->presence_told;
    snprintf(f->far_answer, sizeof f->far_answer, "%s %u %s", t->edge, (unsigned)t->ask, t->online ? "yes" : "no");
    f->answers++;
    return MER_OK;
}
void router_mesh_on(struct router_mesh *m, RV1(RegionMessage__BodyCase) kind, router_mesh_cb cb, void *ctx)
{
    (void)m, (void)ctx;
    if (kind == MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_PRESENCE_ASK)
        f->on_ask = cb;
}
struct router_relay_peer *router__relay_peer(struct router_relays *rs, const char *region)
{
    (void)rs;
    return strcmp(region, "eu") == 0 ? &f->peer : NULL;
}
void router__fcall(struct router_fcall *c, const char *function, unsigned key_count)
{
    (void)c, (void)key_count;
    assert_string_equal(function, "mer1_player_get");
}
void router__fcall_text(struct router_fcall *c, const char *text)
{
    (void)c;
    assert_non_null(strstr(text, ":bob"));
}
void router__fcall_electable(struct router_fcall *c, uint32_t bucket)
{
    (void)c, (void)bucket;
}
enum mer_err router__fcall_send(struct router_relays *rs, const struct router_fcall *c, const char *key, bool durable, mer_redis_cb cb,
                                void *ctx)
{
    (void)c, (void)key;
    assert_false(durable);
    if (f->refuse == MER_OK)
        rs->calls++;
    f->on_player = cb;
    f->ctx = ctx;
    return f->refuse;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->epoch = EPOCH;
    assert_int_equal(mer_loop_init(&f->app.loop, mer_clock_system()), 0);
    f->rs = calloc(1, sizeof *f->rs);
    f->rs->app = &f->app;
    f->peer.all = f->rs;
    snprintf(f->peer.name, sizeof f->peer.name, "eu");
    for (int i = 0; i < EDGES; i++) {
        snprintf(f->edge[i].incarnation, sizeof f->edge[i].incarnation, "%c", 'a' + i);
        f->edge[i].link = (struct mer_link *)(uintptr_t)(i + 1);
        f->linked[i] = true;
    }
    router__presence_init(f->rs);
    f->rs->there.born_ms = f->app.loop.now_ms - ROUTER_PRESENCE_GRACE_MS;
    return 0;
}
static int tear_down(void **state)
{
    router__presence_deinit(f->rs);
    assert_int_equal(f->rs->lookups, 0);
    assert_int_equal(f->rs->calls, 0);
    mer_loop_deinit(&f->app.loop);
    free(f->rs);
    free(*state);
    return 0;
}

static void pass(uint64_t ms)
{
    f->app.loop.now_ms += ms;
    mer_loop_disarm(&f->app.loop, &f->rs->late);
    f->rs->late.cb(&f->rs->late);
}

/* ---- steps --------------------------------------------------------------------------------------------------------------------------- */

static void ask(uint64_t number)
{
    IV1(PresenceAsk) a = MERIDIAN__INTERNAL__V1__PRESENCE_ASK__INIT;
    a.ask = number;
    a.user = (char *)"bob";
    f->answer = -1;
    router_presence_ask(f->rs, &f->edge[0], &a);
}
/* The registry answers: a device at each of these edges. */
static void registry_says(const char *edges)
{
    redisReply *r = calloc(1, sizeof *r), *list = calloc(1, sizeof *list), *row[DEVICES + 1], *device[3 * 8];
    size_t n = 3 * strlen(edges);
    for (size_t i = 0; i < n; i++) {
        device[i] = calloc(1, sizeof **device);
        device[i]->type = REDIS_REPLY_STRING;
        device[i]->str = i % 3 == 1 ? strndup(&edges[i / 3], 1) : NULL;
    }
    for (int i = 0; i < DEVICES; i++)
        row[i] = list;
    row[DEVICES] = list;
    *list = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = n, .element = device};
    *r = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = DEVICES + 1, .element = row};
    f->on_player(f->ctx, MER_OK, r);
    for (size_t i = 0; i < n; i++) {
        free(device[i]->str);
        free(device[i]);
    }
    free(list);
    free(r);
}
static void edge_says(int i, int answer)
{
    IV1(PresenceTold) t = MERIDIAN__INTERNAL__V1__PRESENCE_TOLD__INIT;
    t.router_epoch = EPOCH;
    t.ask = f->asked[i];
    t.answer = answer;
    router_presence_told(f->rs, &t);
}
static void lose(int i)
{
    f->linked[i] = false;
    router_presence_edge_lost(f->rs, &f->edge[i]);
}
#define assert_answer(number, what) \
    do { \
        assert_int_equal(f->answer, SAID(what)); \
        assert_int_equal(f->told_ask, number); \
    } while (0)

static void the_edge_that_the_registry_names_knows(void **state)
{
    (void)state;
    ask(7);
    registry_says("b");
    assert_int_equal(f->answers, 0);
    assert_int_equal(f->questions, 1);
    edge_says(1, SAID(ONLINE));
    assert_answer(7, ONLINE);
    ask(8);
    registry_says("b");
    edge_says(1, SAID(OFFLINE));
    assert_answer(8, OFFLINE);
    edge_says(1, SAID(ONLINE)); /* too late */
    assert_int_equal(f->answers, 2);
}

static void whom_the_registry_does_not_name_is_offline(void **state)
{
    (void)state;
    ask(7);
    registry_says("");
    assert_answer(7, OFFLINE);
    ask(8);
    registry_says("zz"); /* edges of long ago */
    assert_answer(8, OFFLINE);
    assert_int_equal(f->questions, 0);
}

static void of_several_devices_one_is_enough_and_an_edge_is_asked_once(void **state)
{
    (void)state;
    ask(7);
    registry_says("bcb");
    assert_int_equal(f->questions, 2);
    edge_says(1, SAID(OFFLINE));
    assert_int_equal(f->answers, 0);
    edge_says(2, SAID(ONLINE));
    assert_answer(7, ONLINE);
}

static void a_lost_edge_is_forgiven_for_the_grace(void **state)
{
    (void)state;
    lose(1);
    ask(7);
    registry_says("b");
    assert_answer(7, ONLINE);
    f->app.loop.now_ms += ROUTER_PRESENCE_GRACE_MS - 1;
    ask(8);
    registry_says("b");
    assert_answer(8, ONLINE);
    f->app.loop.now_ms += 1;
    ask(9);
    registry_says("b");
    assert_answer(9, OFFLINE);
    assert_int_equal(f->questions, 0);
}

static void without_an_answer_the_registry_is_believed(void **state)
{
    (void)state;
    ask(7);
    registry_says("b");
    ask(8);
    registry_says("c");
    edge_says(2, SAID(OFFLINE));
    assert_answer(8, OFFLINE);
    pass(ROUTER_PRESENCE_EDGE_MS - 1);
    assert_int_equal(f->answers, 1);
    pass(1);
    assert_answer(7, ONLINE);
    assert_int_equal(f->rs->values[ROUTER_RS_PRESENCE_SILENT], 1);
    assert_int_equal(f->answers, 2);
}

static void what_cannot_be_read_is_not_known(void **state)
{
    (void)state;
    ask(7);
    f->on_player(f->ctx, MER_ETIMEOUT, NULL);
    assert_answer(7, NOT_KNOWN);
    redisReply nil = {.type = REDIS_REPLY_NIL};
    ask(8);
    f->on_player(f->ctx, MER_OK, &nil);
    assert_answer(8, NOT_KNOWN);
    f->refuse = MER_EBUSY;
    ask(9);
    assert_answer(9, NOT_KNOWN);
}

static void answers_to_another_leader_mean_nothing(void **state)
{
    (void)state;
    ask(7);
    registry_says("b");
    f->epoch = EPOCH + 2; /* we lead again, and number anew */
    edge_says(1, SAID(OFFLINE));
    f->epoch = EPOCH;
    edge_says(1, SAID(UNSPECIFIED));
    edge_says(1, SAID(NOT_KNOWN));
    f->asked[2] = f->asked[1] + 1000;
    edge_says(2, SAID(OFFLINE));
    assert_int_equal(f->answers, 0);
    edge_says(1, SAID(OFFLINE));
    assert_answer(7, OFFLINE);
}

static void other_regions_are_told_the_same(void **state)
{
    RV1(PresenceAsk) a = MERIDIAN__REGION__V1__PRESENCE_ASK__INIT;
    RV1(RegionMessage) m = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT;
    (void)state;
    a.edge = (char *)"far";
    a.user = (char *)"bob";
    m.presence_ask = &a;
    static const int said[] = {SAID(ONLINE), SAID(OFFLINE)};
    for (unsigned i = 0; i < 2; i++) {
        a.ask = 40 + i;
        f->on_ask(f->rs, "eu", &m);
        registry_says("c");
        edge_says(2, said[i]);
        assert_string_equal(f->far_answer, i == 0 ? "far 40 yes" : "far 41 no");
    }
    f->on_ask(f->rs, "eu", &m);
    f->on_player(f->ctx, MER_ETIMEOUT, NULL); /* its edge has a deadline */
    assert_int_equal(f->answers, 2);
    assert_int_equal(f->rs->values[ROUTER_RS_PRESENCE_LOST], 1);
}

static void no_more_than_so_many_are_under_way(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUTER_PRESENCE_MAX; i++) {
        ask(i);
        registry_says("b");
    }
    assert_int_equal(f->answers, 0);
    ask(5000);
    assert_answer(5000, NOT_KNOWN);
    edge_says(1, SAID(OFFLINE)); /* the last */
    ask(5001);
    registry_says("b");
    edge_says(1, SAID(ONLINE));
    assert_answer(5001, ONLINE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(the_edge_that_the_registry_names_knows),
        T(whom_the_registry_does_not_name_is_offline),
        T(of_several_devices_one_is_enough_and_an_edge_is_asked_once),
        T(a_lost_edge_is_forgiven_for_the_grace),
        T(without_an_answer_the_registry_is_believed),
        T(what_cannot_be_read_is_not_known),
        T(answers_to_another_leader_mean_nothing),
        T(other_regions_are_told_the_same),
        T(no_more_than_so_many_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
