/* SPDX-License-Identifier: Apache-2.0
 * fuzz_cross.c - what leaders of two other regions say about tickets: each piece of the input (a byte that says who and when, two of its
 * length) is decoded and done as cross_shell.c does it, to a matcher that has tickets of its own. Whatever comes, the matcher's rules hold
 * and a ticket of ours is lent to one match at a time; a trace that goes on is one. */
#include <string.h>

#include "region-router/cross_read.h"

#include "fuzz.h"

#define RM(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x

enum { REGIONS = 3 };

struct world {
    struct router_matcher m;
    struct router_regions regions;
    struct router_edge edge, far[REGIONS];
    struct mer_list edges;
    struct mer_rng_seeded seed;
    uint64_t now;
};

static void offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *x, uint32_t deadline_ms)
{
    uint8_t wire[MER_TRACE_BYTES];
    struct mer_trace_context again;
    (void)ctx, (void)deadline_ms;
    if (t->trace != NULL)
        mer_trace_pack(t->trace, wire);
    MER_ASSERT(t->trace == NULL || mer_trace_unpack(wire, sizeof wire, &again)); /* what goes on is one */
    MER_ASSERT(t->id != NULL && x->accepted == 0);
}
static void release(void *ctx, const struct router_ticket_spec *t, const struct router_match *x)
{
    (void)ctx, (void)t, (void)x;
}
static void waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    (void)ctx, (void)next_ms;
    MER_ASSERT(t->edge->region == 0 && reason[0] != 0);
}
static void expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    (void)ctx, (void)reason;
    MER_ASSERT(t->edge->region == 0);
}
static void create(void *ctx, const struct router_match *x, const struct router_ticket_spec *seat)
{
    unsigned humans = 0;
    (void)ctx;
    for (unsigned i = 0; i < x->key.players; i++)
        humans += seat[i].id != NULL && seat[i].name != NULL;
    MER_ASSERT(x->accepted == x->humans && humans == x->humans);
}
static bool tell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    (void)ctx, (void)region;
    return t->edge->region == 0;
}
static void untell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    (void)ctx, (void)t, (void)region;
}

static void open_own(struct world *w, const char *id)
{
    struct router_ticket_spec s = {.id = id,
                                   .user = id,
                                   .name = "",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .waited_ms = ROUTER_WORLD_MS,
                                   .edge = &w->edge};
    MER_ASSERT(router_match_open(&w->m, &s, w->now) == MER_OK);
}

/* A microsecond with each look. */
static uint64_t mono_us(void *ctx)
{
    return ++*(uint64_t *)ctx;
}
static uint64_t wall_ms(void *ctx)
{
    return *(uint64_t *)ctx / 1000;
}

static struct mer_tracer *tracer(void)
{
    static struct mer_tracer t;
    static struct mer_rng_seeded seed;
    static uint64_t us;
    if (us == 0)
        mer_tracer_init(&t, (struct mer_clock){mono_us, wall_ms, &us}, mer_rng_seed(&seed, 2), 0);
    t.pending.len = t.spans = 0;
    return &t;
}

static void start(struct world *w)
{
    static const char *const names[REGIONS] = {"eu", "asia", "us"};
    memset(w, 0, sizeof *w);
    w->now = 1000 * 1000;
    w->regions.count = REGIONS;
    mer_list_init(&w->edges);
    mer_list_push_back(&w->edges, &w->edge.node);
    w->edge.reported = true;
    w->edge.max_connections = 10;
    for (unsigned i = 0; i < REGIONS; i++) {
        memcpy(w->regions.region[i].name, names[i], strlen(names[i]));
        w->regions.region[i].up = true;
        w->regions.region[i].rtt_ms = 80;
        w->far[i].region = (uint8_t)i;
    }
    struct router_match_env env = {.offer = offer,
                                   .release = release,
                                   .waiting = waiting,
                                   .expired = expired,
                                   .create = create,
                                   .tell = tell,
                                   .untell = untell,
                                   .edges = &w->edges,
                                   .regions = &w->regions,
                                   .tracer = tracer(),
                                   .rng = mer_rng_seed(&w->seed, 1)};
    router_match_init(&w->m, &env, w->now);
    open_own(w, "a");
}

static void take_ticket(struct world *w, struct router_edge *from, const RM(CrossTicket) * c)
{
    struct router_ticket_spec s;
    struct router_cross_read read;
    if (router_cross_read_ticket(&s, c, &w->regions, from, &read) == MER_OK && router_match_open(&w->m, &s, w->now) != MER_OK)
        MER_ASSERT(w->m.counts[ROUTER_M_REFUSED] > 0);
}

static void take_offer(struct world *w, const struct router_edge *from, const RM(CrossOffer) * c)
{
    if (strlen(c->match_id) >= ROUTER_MATCH_ID_BYTES || router_cross_of_match(&w->regions, c->match_id) != from->region)
        return;
    const struct router_edge *e = router_match_lend(&w->m, c->ticket_id, c->match_id, from->region, w->now);
    MER_ASSERT(e == NULL || e == &w->edge);
    if (e != NULL)
        MER_ASSERT(router_match_lend(&w->m, c->ticket_id, "asia.g-another", 1, w->now) == NULL ||
                   strcmp(c->match_id, "asia.g-another") == 0);
}

static void take_answer(struct world *w, const struct router_edge *from, const RM(CrossAnswer) * c)
{
    struct router_answer a = {.ticket = c->ticket_id, .match = c->match_id, .accepted = c->accepted};
    router_match_answer(&w->m, &a, from, w->now);
}

static void take(struct world *w, struct router_edge *from, const RM(RegionMessage) * m)
{
    switch ((int)m->body_case) {
    case BODY(CROSS_TICKET):
        take_ticket(w, from, m->cross_ticket);
        break;
    case BODY(CROSS_FRIEND):
        take_ticket(w, from, m->cross_friend);
        break;
    case BODY(CROSS_DROP):
        router_match_cancel(&w->m, m->cross_drop->ticket_id, from, w->now);
        break;
    case BODY(CROSS_OFFER):
        take_offer(w, from, m->cross_offer);
        break;
    case BODY(CROSS_ANSWER):
        take_answer(w, from, m->cross_answer);
        break;
    case BODY(CROSS_RELEASE):
        router_match_returned(&w->m, m->cross_release->ticket_id, m->cross_release->match_id, w->now);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    start(&w);
    for (size_t at = 0; at + 3 <= size;) {
        uint8_t how = data[at];
        size_t len = data[at + 1] | (size_t)data[at + 2] << 8;
        at += 3;
        len = len < size - at ? len : size - at;
        w.now += (how >> 2) * 100u;
        w.edge.reported_ms = w.now;
        router_match_advance(&w.m, w.now, 64);
        RM(RegionMessage) *m = meridian__region__v1__region_message__unpack(NULL, len, data + at);
        if (m != NULL) {
            take(&w, &w.far[1 + (how & 1)], m);
            meridian__region__v1__region_message__free_unpacked(m, NULL);
        }
        if (how & 2)
            router_match_region_lost(&w.m, &w.far[1 + (how & 1)], w.now);
        router_match_check(&w.m);
        at += len;
    }
    router_match_deinit(&w.m);
    return 0;
}
