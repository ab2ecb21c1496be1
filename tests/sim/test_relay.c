/* SPDX-License-Identifier: Apache-2.0
 * test_relay.c - events between two regions: the router's engine and the function library as they are, between two stores that forget what
 * no replica has, over a line that is cut, with leaders that change while what the one before sent is still on its way. Each sender repeats
 * his message until it is stored and then writes the next; in the end every recipient has each once, in order. And the test itself: without
 * any one of the rules of decision 18 that does not hold.
 *
 *   SIM_RELAY_SEEDS=20000 sim.relay    the long form */
#include <stdio.h>

#include <hiredis/hiredis.h>
#include <meridian/buf.h>
#include <meridian/event_reply.h>

#include "region-router/limits.h"
#include "region-router/relay.h"
#include "tests/sim/sim_lua.h"
#include "unit.h"

enum { USERS = 4, EVENTS = 30, CHAOS = 1500, CALM = 40000, WIRE = 4096, SEEDS = 200, NONE = UINT32_MAX };

enum plant { NO_PLANT, ACK_BEFORE_WAIT, READ_BEFORE_WAIT, TRIM_ALL };

struct store { /* a shard: what its primary has, and what all its replicas have */
    struct sim_keys primary, confirmed;
};

struct message { /* a batch, or its answer */
    uint32_t bucket;
    uint64_t generation, settled, through;
    unsigned count;
    char payload[ROUTER_RELAY_EVENTS_MAX][8];
};

struct wire {
    struct message *at[WIRE];
    unsigned count;
};

struct world {
    struct store here, there;
    struct router_relay relay;
    struct redisReply *read[USERS]; /* not confirmed yet */
    struct wire out, back;
    struct wire answers; /* not confirmed yet */
    bool stored[USERS];  /* likewise: a message */
    unsigned ok[USERS];
    uint64_t now;
    uint32_t seed;
    enum plant plant;
};

static uint32_t roll(struct world *w, uint32_t below)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)w->seed * below) >> 32);
}

/* ---- the stores ---------------------------------------------------------------------------------------------------------------------- */

static void on_effect(void *ctx, struct sim_effect *e)
{
    (void)ctx;
    sim_effect_unref(e);
}

/* FCALL of the words, which end with NULL; the caller's reply. */
static redisReply *fcall(struct world *w, struct store *s, const char *const *words)
{
    struct sim_lua_env env = {&s->primary, w->now, on_effect, NULL};
    struct sim_str *argv[32] = {sim_str_new("FCALL", 5)};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = sim_str_new(words[argc - 1], strlen(words[argc - 1]));
    struct mer_buf out;
    mer_buf_init(&out, 0);
    sim_lua_call(&env, argc, argv, &out);
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    assert_int_equal(redisReaderFeed(reader, (const char *)out.data, out.len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    mer_buf_deinit(&out);
    for (int i = 0; i < argc; i++)
        sim_str_unref(argv[i]);
    return reply;
}

static struct mer_event_reply decode(const redisReply *reply)
{
    struct mer_event_reply r;
    if (mer_event_reply_decode(reply, &r) != MER_OK)
        fail_msg("the library answered: %s (%s)", reply->str != NULL ? reply->str : "something else", sim.why);
    return r;
}

static enum mer_event_status run(struct world *w, struct store *s, const char *const *words)
{
    redisReply *reply = fcall(w, s, words);
    enum mer_event_status status = decode(reply).status;
    freeReplyObject(reply);
    return status;
}

static void confirm(struct store *s)
{
    sim_keys_clear(&s->confirmed);
    sim_keys_copy(&s->confirmed, &s->primary);
}

static void fail_over(struct store *s)
{
    sim_keys_clear(&s->primary);
    sim_keys_copy(&s->primary, &s->confirmed);
}

#define KEY(name, format, user) \
    char name[40]; \
    snprintf(name, sizeof name, format, user)
#define NUMBER(name, value) \
    char name[24]; \
    snprintf(name, sizeof name, "%llu", (unsigned long long)(value))

/* ---- the line ------------------------------------------------------------------------------------------------------------------------ */

static void put(struct wire *l, const struct message *m)
{
    assert_true(l->count < WIRE);
    l->at[l->count] = malloc(sizeof *m);
    *l->at[l->count++] = *m;
}

static bool take(struct wire *l, struct message *m)
{
    if (l->count == 0)
        return false;
    *m = *l->at[0];
    free(l->at[0]);
    memmove(l->at, l->at + 1, --l->count * sizeof l->at[0]);
    return true;
}

static void empty(struct wire *l)
{
    struct message m;
    while (take(l, &m)) {
    }
}

/* ---- here ---------------------------------------------------------------------------------------------------------------------------- */

static void send_one(struct world *w, uint32_t u)
{
    if (w->stored[u] || w->ok[u] == EVENTS)
        return;
    KEY(outbox, "outbox:{b%u}:eu", u);
    KEY(sent, "sent:{b%u}:ann", u);
    KEY(electable, "electable:{b%u}", u);
    KEY(mark, "bob id%u", w->ok[u]);
    NUMBER(payload, w->ok[u]);
    enum mer_event_status s =
        run(w, &w->here, (const char *const[]){"mer1_event_send", "3", outbox, sent, electable, mark, payload, "1000000", "3600000", NULL});
    w->stored[u] = s == MER_EVENT_OK || s == MER_EVENT_DUP;
}

static void drop_read(struct world *w, uint32_t u)
{
    if (w->read[u] != NULL)
        freeReplyObject(w->read[u]);
    w->read[u] = NULL;
}

static void on_read(struct world *w, uint32_t u)
{
    struct mer_event_reply r = decode(w->read[u]);
    struct message m = {.bucket = u, .generation = r.generation, .settled = r.gone, .count = (unsigned)r.count};
    for (size_t i = 0; i < r.count; i++)
        snprintf(m.payload[i], sizeof m.payload[i], "%s", r.item[i]->str);
    struct router_relay_batch b = {r.generation, r.gone, r.gone + r.count, r.number, 10 * m.count};
    if (r.count > 0)
        put(&w->out, &m);
    drop_read(w, u);
    if (r.count == 0)
        router_relay_empty(&w->relay, u);
    else
        router_relay_left(&w->relay, u, &b, w->now);
}

static void read_cb(void *ctx, uint32_t u)
{
    struct world *w = ctx;
    KEY(outbox, "outbox:{b%u}:eu", u);
    KEY(electable, "electable:{b%u}", u);
    drop_read(w, u); /* of a leader before us */
    w->read[u] =
        fcall(w, &w->here, (const char *const[]){"mer1_events_get", "2", outbox, electable, roll(w, 2) ? "128" : "2", "32768", NULL});
}

static void confirm_here(struct world *w)
{
    confirm(&w->here);
    for (uint32_t u = 0; u < USERS; u++) {
        if (w->stored[u]) {
            w->stored[u] = false;
            w->ok[u]++;
            if (roll(w, 8) > 0) /* hints get lost */
                router_relay_mark(&w->relay, u, NONE);
        }
        if (w->read[u] != NULL)
            on_read(w, u);
    }
}

static void fail_over_here(struct world *w)
{
    fail_over(&w->here);
    for (uint32_t u = 0; u < USERS; u++) {
        w->stored[u] = false;
        if (w->read[u] == NULL)
            continue;
        drop_read(w, u);
        router_relay_failed(&w->relay, u, w->now);
    }
}

/* Stored or not, the sender hears nothing and says it again. */
static void lose_word(struct world *w)
{
    w->stored[roll(w, USERS)] = false;
}

static void hear_answer(struct world *w)
{
    struct message m;
    if (!take(&w->back, &m) || !router_relay_acked(&w->relay, m.bucket, m.generation, m.through, w->now))
        return;
    KEY(outbox, "outbox:{b%u}:eu", m.bucket);
    KEY(electable, "electable:{b%u}", m.bucket);
    NUMBER(generation, m.generation);
    NUMBER(through, w->plant == TRIM_ALL ? UINT32_MAX * 4096ull : m.through);
    if (run(w, &w->here, (const char *const[]){"mer1_events_trim", "2", outbox, electable, generation, through, NULL}) == MER_EVENT_OK)
        router_relay_trimmed(&w->relay, m.bucket, w->now);
    else
        router_relay_failed(&w->relay, m.bucket, w->now);
}

static void new_leader(struct world *w)
{
    struct router_relay_env env = {read_cb, w};
    for (uint32_t u = 0; u < USERS; u++)
        drop_read(w, u);
    router_relay_init(&w->relay, &env);
    router_relay_link(&w->relay, true, w->now);
    for (uint32_t u = 0; u < USERS; u++)
        router_relay_mark(&w->relay, u, NONE);
}

/* ---- there --------------------------------------------------------------------------------------------------------------------------- */

static bool take_event(struct world *w, const struct message *m, unsigned i)
{
    KEY(inbox, "inbox:{b%u}:bob", m->bucket);
    KEY(player, "player:{b%u}:bob", m->bucket);
    KEY(relayed, "relayed:{b%u}", m->bucket);
    KEY(electable, "electable:{b%u}", m->bucket);
    NUMBER(generation, m->generation);
    NUMBER(settled, m->settled);
    NUMBER(number, m->settled + 1 + i);
    enum mer_event_status s = run(w, &w->there,
                                  (const char *const[]){"mer1_event_take", "4", inbox, player, relayed, electable, "us", generation,
                                                        settled, number, m->payload[i], "1000000", "604800000", NULL});
    return s == MER_EVENT_OK || s == MER_EVENT_DUP;
}

/* Now and then one call is redirected and comes last. */
static void hear_batch(struct world *w)
{
    struct message m;
    bool taken[ROUTER_RELAY_EVENTS_MAX];
    if (!take(&w->out, &m))
        return;
    unsigned late = roll(w, 4) == 0 ? roll(w, m.count) : m.count;
    for (unsigned i = 0; i < m.count; i++)
        if (i != late)
            taken[i] = take_event(w, &m, i);
    if (late < m.count)
        taken[late] = take_event(w, &m, late);
    m.through = m.settled;
    for (unsigned i = 0; i < m.count && taken[i]; i++)
        m.through++;
    put(w->plant == ACK_BEFORE_WAIT ? &w->back : &w->answers, &m);
}

static void confirm_there(struct world *w)
{
    struct message m;
    confirm(&w->there);
    while (take(&w->answers, &m))
        put(&w->back, &m);
}

static void fail_over_there(struct world *w)
{
    struct message m;
    unsigned n = w->answers.count;
    fail_over(&w->there);
    while (n-- > 0 && take(&w->answers, &m)) {
        m.through = m.settled; /* nothing of it is known to be stored */
        put(&w->back, &m);
    }
}

/* ---- a run --------------------------------------------------------------------------------------------------------------------------- */

static void cut_line(struct world *w)
{
    empty(&w->out);
    empty(&w->back);
    router_relay_link(&w->relay, false, w->now);
    router_relay_link(&w->relay, true, w->now);
}

static void pass_time(struct world *w)
{
    w->now += roll(w, 200);
    router_relay_step(&w->relay, w->now);
    for (uint32_t u = 0; u < USERS && w->plant == READ_BEFORE_WAIT; u++)
        if (w->read[u] != NULL)
            on_read(w, u);
}

static void step(struct world *w, bool chaos)
{
    uint32_t dice = roll(w, 100);
    if (chaos && dice >= 92) {
        void (*const faults[])(struct world *) = {fail_over_here, fail_over_there, cut_line, new_leader, lose_word};
        faults[roll(w, MER_COUNT(faults))](w);
    } else if (!chaos && dice == 99) {
        router_relay_mark(&w->relay, roll(w, USERS), NONE); /* a look at an outbox */
    } else {
        void (*const work[])(struct world *) = {confirm_here, confirm_there, hear_batch, hear_answer, pass_time};
        uint32_t what = roll(w, MER_COUNT(work) + 2);
        if (what < MER_COUNT(work))
            work[what](w);
        else
            send_one(w, roll(w, USERS));
    }
    router_relay_check(&w->relay);
}

static bool delivered(struct world *w, uint32_t u, bool *wrong)
{
    KEY(inbox, "inbox:{b%u}:bob", u);
    KEY(electable, "electable:{b%u}", u);
    redisReply *reply = fcall(w, &w->there, (const char *const[]){"mer1_events_get", "2", inbox, electable, "1000", "1000000", NULL});
    struct mer_event_reply r = decode(reply);
    for (size_t i = 0; i < r.count; i++)
        *wrong = *wrong || i >= EVENTS || (size_t)atol(r.item[i]->str) != i;
    bool all = r.count == EVENTS;
    freeReplyObject(reply);
    return all;
}

/* Every recipient has everything, once and in order. */
static bool good_run(uint32_t seed, enum plant plant)
{
    struct world *w = calloc(1, sizeof *w);
    sim_keys_init(&w->here.primary);
    sim_keys_init(&w->here.confirmed);
    sim_keys_init(&w->there.primary);
    sim_keys_init(&w->there.confirmed);
    w->seed = seed * 2654435761u + 1;
    w->plant = plant;
    w->now = 1700000000000;
    new_leader(w);
    bool wrong = false, done = false;
    for (int i = 0; i < CHAOS; i++)
        step(w, true);
    for (int i = 0; i < CALM && !done && !wrong; i++) {
        step(w, false);
        done = i % 100 == 0;
        for (uint32_t u = 0; u < USERS && done; u++)
            done = delivered(w, u, &wrong);
    }
    empty(&w->out);
    empty(&w->back);
    empty(&w->answers);
    for (uint32_t u = 0; u < USERS; u++)
        drop_read(w, u);
    sim_keys_clear(&w->here.primary);
    sim_keys_clear(&w->here.confirmed);
    sim_keys_clear(&w->there.primary);
    sim_keys_clear(&w->there.confirmed);
    free(w);
    return done && !wrong;
}

static void each_event_is_there_once_and_in_order(void **state)
{
    (void)state;
    const char *more = getenv("SIM_RELAY_SEEDS");
    uint32_t seeds = more != NULL ? (uint32_t)atol(more) : SEEDS;
    for (uint32_t seed = 1; seed <= seeds; seed++)
        if (!good_run(seed, NO_PLANT))
            fail_msg("seed %u", seed);
}

static uint32_t found(enum plant plant)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        if (!good_run(seed, plant))
            return seed;
    return 0;
}

static void an_answer_before_the_wait_loses_events(void **state)
{
    (void)state;
    assert_true(found(ACK_BEFORE_WAIT) > 0);
}

static void a_batch_of_what_is_not_confirmed_goes_wrong(void **state)
{
    (void)state;
    assert_true(found(READ_BEFORE_WAIT) > 0);
}

static void trimming_beyond_the_acknowledgement_loses_events(void **state)
{
    (void)state;
    assert_true(found(TRIM_ALL) > 0);
}

static void the_library_without_a_rule_goes_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *without;
    } rules[] = {
        {"if tonumber(number) <= done then", "if false and tonumber(number) <= done then"},       /* again is not told from new */
        {"if tonumber(number) > done + 1 then", "if false and tonumber(number) > done + 1 then"}, /* the next one is not waited for */
        {"before = queue_load(key), redis.call('HGET', sent, 'm:' .. mark)",
         "before = queue_load(key), nil"}, /* a message said again is stored again */
    };
    for (size_t i = 0; i < MER_COUNT(rules); i++) {
        sim_lua_patch(rules[i].rule, rules[i].without);
        uint32_t seed = found(NO_PLANT);
        sim_lua_patch(rules[i].without, rules[i].rule);
        if (seed == 0)
            fail_msg("nothing was found without: %s", rules[i].rule);
    }
    assert_int_equal(found(NO_PLANT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_is_there_once_and_in_order),       cmocka_unit_test(an_answer_before_the_wait_loses_events),
        cmocka_unit_test(a_batch_of_what_is_not_confirmed_goes_wrong), cmocka_unit_test(trimming_beyond_the_acknowledgement_loses_events),
        cmocka_unit_test(the_library_without_a_rule_goes_wrong),
    };
    sim_lua_init(SIM_LIBRARY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
