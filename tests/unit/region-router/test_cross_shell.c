/* SPDX-License-Identifier: Apache-2.0
 * What leaders of other regions say about tickets, offers and edges: what is done about it, and that nothing is done about what is not
 * theirs to say. Mesh and links are the test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "region-router/app.h"

#define IM(x) Meridian__Internal__V1__##x
#define RM(x) Meridian__Region__V1__##x
#define BODY(x) MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_##x
#define TO_EDGE(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { KINDS = 64 };

static struct fix {
    struct router_app app;
    struct router_mesh_region region[2];
    router_mesh_cb handler[KINDS];
    void *ctx;
    router_mesh_region_cb on_region;
    uint64_t epoch;
    struct router_edge edge;
    struct mer_rng_seeded seed;
    enum mer_err send_result;
    unsigned to_regions, to_edges;
    /* the last one of each, as text */
    char said[256], told[256];
    uint8_t trace[2 * MER_TRACE_BYTES]; /* that went with it */
    size_t trace_len;
} * f;

static void keep_trace(bool has, const ProtobufCBinaryData *trace)
{
    f->trace_len = has ? trace->len : 0;
    assert_true(f->trace_len <= sizeof f->trace);
    if (f->trace_len > 0)
        memcpy(f->trace, trace->data, trace->len);
}

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

uint64_t router__lead_epoch(const struct router_app *app)
{
    (void)app;
    return f->epoch;
}
const struct router_mesh_region *router_mesh_regions(struct router_mesh *m, size_t *count)
{
    (void)m;
    *count = 2;
    return f->region;
}
void router_mesh_on(struct router_mesh *m, RM(RegionMessage__BodyCase) kind, router_mesh_cb cb, void *ctx)
{
    (void)m;
    f->handler[kind] = cb;
    f->ctx = ctx;
}
void router_mesh_on_region(struct router_mesh *m, router_mesh_region_cb cb, void *ctx)
{
    (void)m, (void)ctx;
    f->on_region = cb;
}
enum mer_err router_mesh_send(struct router_mesh *m, const char *region, const RM(RegionMessage) * msg)
{
    (void)m;
    if (f->send_result != MER_OK)
        return f->send_result;
    f->to_regions++;
    switch ((int)msg->body_case) {
    case BODY(CROSS_TICKET):
        keep_trace(msg->cross_ticket->has_trace, &msg->cross_ticket->trace);
        snprintf(f->said, sizeof f->said, "%s ticket %s of %s, %zu latencies", region, msg->cross_ticket->ticket_id,
                 msg->cross_ticket->edge, msg->cross_ticket->n_latency_ms);
        break;
    case BODY(CROSS_DROP):
        snprintf(f->said, sizeof f->said, "%s drop %s", region, msg->cross_drop->ticket_id);
        break;
    case BODY(CROSS_OFFER):
        keep_trace(msg->cross_offer->has_trace, &msg->cross_offer->trace);
        snprintf(f->said, sizeof f->said, "%s offer %s by %s", region, msg->cross_offer->ticket_id, msg->cross_offer->owner);
        break;
    case BODY(CROSS_ANSWER):
        snprintf(f->said, sizeof f->said, "%s answer %s %s %d", region, msg->cross_answer->ticket_id, msg->cross_answer->match_id,
                 msg->cross_answer->accepted);
        break;
    case BODY(CROSS_RELEASE):
        snprintf(f->said, sizeof f->said, "%s release %s at %s", region, msg->cross_release->ticket_id, msg->cross_release->edge);
        break;
    case BODY(FAR_EDGE):
        keep_trace(msg->far_edge->has_trace, &msg->far_edge->trace);
        snprintf(f->said, sizeof f->said, "%s far from %s to %s", region, msg->far_edge->from,
                 msg->far_edge->to ? msg->far_edge->to : "any");
        break;
    case BODY(FAR_LOST):
        snprintf(f->said, sizeof f->said, "%s lost by %s to %s", region, msg->far_lost->to, msg->far_lost->edge);
        break;
    default:
        fail();
    }
    return MER_OK;
}
struct router_edge *router_edges_find(const struct router_edges *es, const char *incarnation)
{
    (void)es;
    return strcmp(incarnation, "e-1.me") == 0 ? &f->edge : NULL;
}
void router_edges_send(struct router_edges *es, struct mer_link *l, const IM(RouterMessage) * m)
{
    (void)es, (void)l;
    f->to_edges++;
    switch ((int)m->body_case) {
    case TO_EDGE(SEAT_OFFER):
        keep_trace(m->seat_offer->has_trace, &m->seat_offer->trace);
        snprintf(f->told, sizeof f->told, "offer %s %s by %s", m->seat_offer->ticket_id, m->seat_offer->match_id, m->seat_offer->owner);
        break;
    case TO_EDGE(SEAT_RELEASE):
        snprintf(f->told, sizeof f->told, "release %s %s", m->seat_release->ticket_id, m->seat_release->match_id);
        break;
    case TO_EDGE(FAR_MESSAGE):
        keep_trace(m->far_message->has_trace, &m->far_message->trace);
        snprintf(f->told, sizeof f->told, "far from %s/%s", m->far_message->region, m->far_message->edge);
        break;
    case TO_EDGE(FAR_UNSENT):
        snprintf(f->told, sizeof f->told, "unsent to %s/%s%s", m->far_unsent->region, m->far_unsent->edge ? m->far_unsent->edge : "",
                 m->far_unsent->none ? " none" : "");
        break;
    default:
        fail();
    }
}

static void offer(void *ctx, const struct router_ticket_spec *t, const struct router_match *m, uint32_t deadline_ms)
{
    if (t->edge->region != 0)
        router_crossing_offer(ctx, t, m, deadline_ms);
}
static void release(void *ctx, const struct router_ticket_spec *t, const struct router_match *m)
{
    if (t->edge->region != 0)
        router_crossing_release(ctx, t, m);
}
static void waiting(void *ctx, const struct router_ticket_spec *t, const char *reason, uint32_t next_ms)
{
    (void)ctx, (void)t, (void)reason, (void)next_ms;
}
static void expired(void *ctx, const struct router_ticket_spec *t, const char *reason)
{
    (void)ctx, (void)t, (void)reason;
}
static void create(void *ctx, const struct router_match *m, const struct router_ticket_spec *seat)
{
    (void)ctx, (void)m, (void)seat;
}
static bool tell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    (void)ctx;
    return router_crossing_tell(&f->app, t, region);
}
static void untell(void *ctx, const struct router_ticket_spec *t, unsigned region)
{
    (void)ctx;
    router_crossing_untell(&f->app, t, region);
}

static int set_up(void **state)
{
    struct mer_msg msg;
    f = calloc(1, sizeof *f);
    *state = f;
    f->epoch = 5;
    f->region[0] = (struct router_mesh_region){.name = "asia", .up = true, .rtt_us = 220 * 1000};
    f->region[1] = (struct router_mesh_region){.name = "us", .up = true, .rtt_us = 80 * 1000};
    f->app.conf.region = (char *)"eu";
    f->app.leading = f->app.region_life.known = true;
    f->app.clock = mer_clock_system();
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), 0);
    f->app.loop.now_ms = 1000 * 1000;
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY), MER_DEBUG, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    mer_list_init(&f->app.edges.edges);
    snprintf(f->edge.incarnation, sizeof f->edge.incarnation, "e-1.me");
    f->edge.reported = true;
    f->edge.max_connections = 10;
    f->edge.reported_ms = f->app.loop.now_ms;
    mer_list_push_back(&f->app.edges.edges, &f->edge.node);
    assert_int_equal(router_crossing_init(&f->app.crossing, &f->app, &msg), MER_OK);
    struct router_match_env env = {.offer = offer,
                                   .release = release,
                                   .waiting = waiting,
                                   .expired = expired,
                                   .create = create,
                                   .tell = tell,
                                   .untell = untell,
                                   .edges = &f->app.edges.edges,
                                   .regions = &f->app.crossing.regions,
                                   .rng = mer_rng_seed(&f->seed, 1),
                                   .ctx = &f->app.crossing};
    router_match_init(&f->app.matcher, &env, f->app.loop.now_ms);
    return 0;
}
static int tear_down(void **state)
{
    router_match_check(&f->app.matcher);
    router_match_deinit(&f->app.matcher);
    router_crossing_deinit(&f->app.crossing);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

/* From the leader of a region. */
#define HEAR(from, KIND, field, ...) \
    do { \
        RM(RegionMessage) m_ = MERIDIAN__REGION__V1__REGION_MESSAGE__INIT; \
        m_.body_case = BODY(KIND); \
        __typeof__(*m_.field) body_ = __VA_ARGS__; \
        m_.field = &body_; \
        f->handler[BODY(KIND)](f->ctx, from, &m_); \
        router_match_check(&f->app.matcher); \
    } while (0)

static RM(CrossTicket) ticket(const char *id)
{
    RM(CrossTicket) c = MERIDIAN__REGION__V1__CROSS_TICKET__INIT;
    c.ticket_id = c.user = (char *)id;
    c.edge = (char *)"u-1.x";
    c.name = (char *)"Ann";
    c.game = (char *)"memory";
    c.players = 2;
    c.rows = c.cols = 4;
    c.bots = MERIDIAN__CLIENT__V1__BOTS__BOTS_NONE;
    c.waited_ms = ROUTER_PATIENCE_MS;
    return c;
}
static RM(CrossTicket__LatencyMsEntry) latency(const char *region, uint32_t ms)
{
    RM(CrossTicket__LatencyMsEntry) e = MERIDIAN__REGION__V1__CROSS_TICKET__LATENCY_MS_ENTRY__INIT;
    e.key = (char *)region;
    e.has_value = true;
    e.value = ms;
    return e;
}
static void open_own(const char *id, uint32_t waited_ms)
{
    struct router_ticket_spec s = {
        .id = id, .user = id, .name = "", .game = "memory", .players = 2, .rows = 4, .cols = 4, .waited_ms = waited_ms, .edge = &f->edge};
    assert_int_equal(router_match_open(&f->app.matcher, &s, f->app.loop.now_ms), MER_OK);
}
static uint64_t bad(void)
{
    return f->app.crossing.values[ROUTER_X_BAD];
}

/* ---- tickets ------------------------------------------------------------------------------------------------------------------------- */

static void a_patient_ticket_is_told_with_what_is_known_of_its_way(void **state)
{
    (void)state;
    open_own("t", ROUTER_PATIENCE_MS);
    assert_string_equal(f->said, "us ticket t of e-1.me, 3 latencies"); /* asia is further than neighbours are */
    assert_int_equal(f->to_regions, 1);
    router_match_cancel(&f->app.matcher, "t", &f->edge, f->app.loop.now_ms);
    assert_string_equal(f->said, "us drop t");
}

static void what_cannot_be_told_is_told_with_the_next_step(void **state)
{
    (void)state;
    f->send_result = MER_EBUSY;
    open_own("t", ROUTER_PATIENCE_MS);
    assert_int_equal(f->app.crossing.values[ROUTER_X_UNSENT], 1);
    f->send_result = MER_OK;
    router_match_advance(&f->app.matcher, f->app.loop.now_ms + ROUTER_STEP_MS, 10);
    assert_string_equal(f->said, "us ticket t of e-1.me, 3 latencies");
}

static void a_ticket_of_another_region_meets_one_of_ours(void **state)
{
    RM(CrossTicket__LatencyMsEntry)
    e[] = {latency("eu", 70), latency("us", 10), latency("mars", 1), latency("asia", UINT32_MAX), latency(NULL, 5)};
    RM(CrossTicket__LatencyMsEntry) * rows[] = {&e[0], &e[1], &e[2], &e[3], &e[4]};
    RM(CrossTicket) c = ticket("far");
    (void)state;
    c.n_latency_ms = MER_COUNT(rows);
    c.latency_ms = rows;
    HEAR("us", CROSS_TICKET, cross_ticket, c);
    open_own("near", 0);
    assert_string_equal(f->said, "us offer far by e-1.me");
    assert_int_equal(f->app.matcher.counts[ROUTER_M_OFFERED], 2);
    HEAR("us", CROSS_DROP, cross_drop, {.ticket_id = (char *)"far"});
    assert_int_equal(f->app.matcher.counts[ROUTER_M_OFFERED], 0);
    assert_int_equal(f->app.matcher.counts[ROUTER_M_HELD], 1);
}

static void a_region_that_is_drained_or_does_not_know_yet_hosts_nobody_else(void **state)
{
    static const struct {
        bool known, on;
        unsigned offered;
    } rows[] = {{false, false, 0}, {true, true, 0}, {false, true, 0}, {true, false, 2}};
    RM(CrossTicket__LatencyMsEntry) e[] = {latency("eu", 70), latency("us", 80)}, *list[] = {&e[0], &e[1]};
    RM(CrossTicket) c = ticket("far");
    (void)state;
    c.n_latency_ms = MER_COUNT(list);
    c.latency_ms = list;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        f->app.region_life.known = rows[i].known;
        f->app.region_life.drain.on = rows[i].on;
        router_crossing_look(&f->app.crossing);
        HEAR("us", CROSS_TICKET, cross_ticket, c);
        open_own("near", 0);
        assert_int_equal(f->app.matcher.counts[ROUTER_M_OFFERED], rows[i].offered);
        if (rows[i].offered > 0)
            return;
        HEAR("us", CROSS_DROP, cross_drop, {.ticket_id = (char *)"far"});
        router_match_cancel(&f->app.matcher, "near", &f->edge, f->app.loop.now_ms);
    }
}

static void a_region_that_goes_takes_its_tickets_along(void **state)
{
    (void)state;
    HEAR("us", CROSS_TICKET, cross_ticket, ticket("a"));
    HEAR("asia", CROSS_TICKET, cross_ticket, ticket("b"));
    assert_int_equal(f->app.matcher.tickets.count, 2);
    f->region[1].up = false;
    f->on_region(f->ctx, "us", false);
    assert_int_equal(f->app.matcher.tickets.count, 1);
    f->on_region(f->ctx, "nowhere", false);
    f->on_region(f->ctx, "eu", false);
    assert_int_equal(f->app.matcher.tickets.count, 1);
}

/* ---- offers -------------------------------------------------------------------------------------------------------------------------- */

static void an_offer_goes_to_the_ticket_s_edge_and_its_answer_back(void **state)
{
    IM(SeatAnswer) a = MERIDIAN__INTERNAL__V1__SEAT_ANSWER__INIT;
    (void)state;
    open_own("t", ROUTER_PATIENCE_MS);
    HEAR("us", CROSS_OFFER, cross_offer,
         {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .owner = (char *)"u-1.x", .deadline_ms = 2000});
    assert_string_equal(f->told, "offer t us.g-1 by us/u-1.x");
    a.ticket_id = (char *)"t";
    a.match_id = (char *)"us.g-1";
    a.accepted = true;
    router_crossing_answer(&f->app.crossing, &a);
    assert_string_equal(f->said, "us answer t us.g-1 1");
    HEAR("us", CROSS_RELEASE, cross_release, {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .edge = (char *)"e-1.me"});
    assert_string_equal(f->told, "release t us.g-1");
    a.match_id = (char *)"g-5";
    unsigned said = f->to_regions;
    router_crossing_answer(&f->app.crossing, &a); /* a match of ours */
    assert_int_equal(f->to_regions, said);
}

static void a_ticket_that_is_not_to_be_had_is_refused_at_once(void **state)
{
    (void)state;
    HEAR("us", CROSS_OFFER, cross_offer,
         {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .owner = (char *)"u-1.x", .deadline_ms = 2000});
    assert_string_equal(f->said, "us answer t us.g-1 0");
    assert_int_equal(f->to_edges, 0);
}

static void nobody_speaks_for_another_region(void **state)
{
    static char long_id[ROUTER_MATCH_ID_BYTES + 8], long_name[ROUTER_NAME_BYTES + 8];
    (void)state;
    memset(long_id, 'x', sizeof long_id - 1);
    memcpy(long_id, "us.", 3);
    memset(long_name, 'x', sizeof long_name - 1);
    open_own("t", ROUTER_PATIENCE_MS);
    const struct {
        const char *from, *match, *owner;
        bool counted;
    } row[] = {
        {"us", "g-1", "u-1.x", true},      {"us", "eu.g-1", "u-1.x", true},   {"us", "asia.g-1", "u-1.x", true},
        {"us", "", "u-1.x", true},         {"us", "mars.g-1", "u-1.x", true}, {"us", long_id, "u-1.x", true},
        {"us", "us.g-1", long_name, true}, {"mars", "mars.g-1", "x", false},  {"eu", "eu.g-1", "x", false},
        {"", "us.g-1", "x", false},
    };
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        uint64_t before = bad();
        HEAR(row[i].from, CROSS_OFFER, cross_offer,
             {.ticket_id = (char *)"t", .match_id = (char *)row[i].match, .owner = (char *)row[i].owner, .deadline_ms = 1});
        assert_int_equal(bad() - before, row[i].counted);
        if (strlen(row[i].match) < sizeof long_id - 1)
            HEAR(row[i].from, CROSS_RELEASE, cross_release,
                 {.ticket_id = (char *)"t", .match_id = (char *)row[i].match, .edge = (char *)row[i].owner});
    }
    assert_int_equal(f->to_edges, 0);
    assert_int_equal(f->app.matcher.counts[ROUTER_M_WAITING], 1);
    HEAR("us", CROSS_DROP, cross_drop, {.ticket_id = (char *)"t"}); /* ours is not theirs to drop */
    HEAR("us", CROSS_ANSWER, cross_answer, {.ticket_id = (char *)"t", .match_id = (char *)"g-1", .accepted = true});
    assert_int_equal(f->app.matcher.counts[ROUTER_M_WAITING], 1);
}

static void tickets_out_of_range_are_not_taken(void **state)
{
    static char long_text[ROUTER_TEXT_MAX + 2];
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    RM(CrossTicket) c[8];
    for (size_t i = 0; i < MER_COUNT(c); i++)
        c[i] = ticket("t");
    c[0].ticket_id = c[1].user = c[2].name = c[3].game = c[4].edge = long_text;
    c[5].players = 5;
    c[6].rows = UINT32_MAX;
    c[7].rating = ROUTER_RATING_MAX + 1;
    for (size_t i = 0; i < MER_COUNT(c); i++)
        HEAR("us", CROSS_TICKET, cross_ticket, c[i]);
    assert_int_equal(bad(), MER_COUNT(c));
    open_own("mine", 0);
    HEAR("us", CROSS_TICKET, cross_ticket, ticket("mine")); /* the name of one of ours */
    assert_int_equal(bad(), MER_COUNT(c) + 1);
    assert_int_equal(f->app.matcher.tickets.count, 1);
}

static void who_does_not_lead_does_nothing(void **state)
{
    (void)state;
    f->epoch = 0;
    HEAR("us", CROSS_TICKET, cross_ticket, ticket("t"));
    HEAR("us", CROSS_OFFER, cross_offer,
         {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .owner = (char *)"u-1.x", .deadline_ms = 1});
    HEAR("us", FAR_EDGE, far_edge, {.to = (char *)"e-1.me", .from = (char *)"u-1.x"});
    assert_int_equal(f->app.matcher.tickets.count, 0);
    assert_int_equal(f->to_regions + f->to_edges, 0);
}

/* ---- from edge to edge --------------------------------------------------------------------------------------------------------------- */

static void what_edges_say_passes_through(void **state)
{
    IM(FarMessage) out = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    (void)state;
    out.region = (char *)"us";
    out.edge = (char *)"u-1.x";
    router_far_out(&f->app.crossing, &f->edge, &out);
    assert_string_equal(f->said, "us far from e-1.me to u-1.x");
    out.edge = NULL;
    router_far_out(&f->app.crossing, &f->edge, &out);
    assert_string_equal(f->said, "us far from e-1.me to any");
    HEAR("us", FAR_EDGE, far_edge, {.to = (char *)"e-1.me", .from = (char *)"u-1.x"});
    assert_string_equal(f->told, "far from us/u-1.x");
    f->told[0] = 0;
    HEAR("us", FAR_EDGE, far_edge, {.from = (char *)"u-1.x"}); /* any of ours */
    assert_string_equal(f->told, "far from us/u-1.x");
}

static const uint8_t traced[MER_TRACE_BYTES] = "trace-of-a-move!its-span\x01";

/* Out, then in: what of a trace goes on. */
static void pass_on(const void *trace, size_t len, bool out)
{
    IM(FarMessage) m = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    ProtobufCBinaryData bytes = {len, (uint8_t *)trace};
    m.region = (char *)"us";
    m.edge = (char *)"u-1.x";
    m.has_trace = len > 0;
    m.trace = bytes;
    if (out)
        router_far_out(&f->app.crossing, &f->edge, &m);
    else
        HEAR("us", FAR_EDGE, far_edge, {.to = (char *)"e-1.me", .from = (char *)"u-1.x", .has_trace = len > 0, .trace = bytes});
}

static void a_trace_passes_through_a_router_that_does_not_trace(void **state)
{
    (void)state;
    for (int out = 0; out < 2; out++) {
        pass_on(traced, sizeof traced, out);
        assert_int_equal(f->trace_len, sizeof traced);
        assert_memory_equal(f->trace, traced, sizeof traced);
        pass_on(NULL, 0, out);
        assert_int_equal(f->trace_len, 0);
    }
}

static void a_router_that_traces_puts_itself_into_the_chain(void **state)
{
    struct mer_trace_export_conf conf = {&f->app.loop, &f->app.log, NULL, mer_rng_system(), "http://127.0.0.1:1", "meridian-router", 0};
    (void)state;
    assert_int_equal(mer_trace_open(&f->app.trace, &conf), MER_OK);
    const struct mer_tracer *t = mer_trace_tracer(f->app.trace);
    f->app.loop.turn_started_us = 5;
    for (int out = 0; out < 2; out++) {
        pass_on(traced, sizeof traced, out);
        assert_int_equal(f->trace_len, sizeof traced);
        assert_memory_equal(f->trace, traced, 16);
        assert_memory_not_equal(f->trace + 16, traced + 16, 8);
        assert_int_equal(t->spans, out + 1);
        pass_on(NULL, 0, out);
        pass_on("what is this", 12, out); /* not ours to judge: the next one sees that it is none */
        assert_int_equal(f->trace_len, 12);
        assert_int_equal(t->spans, out + 1);
    }
    f->send_result = MER_EBUSY;
    pass_on(traced, sizeof traced, true);
    assert_int_equal(t->spans, 3);
    assert_non_null(memmem(t->pending.data, t->pending.len, "\"status\":{\"code\":2", 18));
    mer_trace_close(f->app.trace);
}

static void a_ticket_s_trace_goes_where_the_ticket_is_told_and_comes_back_with_the_offer(void **state)
{
    struct mer_trace_context from;
    ProtobufCBinaryData bytes = {sizeof traced, (uint8_t *)traced};
    (void)state;
    assert_true(mer_trace_unpack(traced, sizeof traced, &from));
    struct router_ticket_spec s = {.id = "t",
                                   .user = "t",
                                   .name = "",
                                   .game = "memory",
                                   .players = 2,
                                   .rows = 4,
                                   .cols = 4,
                                   .waited_ms = ROUTER_PATIENCE_MS,
                                   .edge = &f->edge,
                                   .trace = &from};
    assert_int_equal(router_match_open(&f->app.matcher, &s, f->app.loop.now_ms), MER_OK);
    assert_string_equal(f->said, "us ticket t of e-1.me, 3 latencies");
    assert_int_equal(f->trace_len, sizeof traced);
    assert_memory_equal(f->trace, traced, sizeof traced); /* nothing is told here: passed on */
    f->trace_len = 0;
    HEAR("us", CROSS_OFFER, cross_offer,
         {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .owner = (char *)"u-1.x", .has_trace = true, .trace = bytes});
    assert_string_equal(f->told, "offer t us.g-1 by us/u-1.x");
    assert_int_equal(f->trace_len, sizeof traced);
    HEAR("us", CROSS_OFFER, cross_offer, {.ticket_id = (char *)"t", .match_id = (char *)"us.g-1", .owner = (char *)"u-1.x"});
    assert_int_equal(f->trace_len, 0);
}

static void a_ticket_of_another_region_is_offered_a_seat_in_its_own_trace_or_in_none(void **state)
{
    static const struct {
        size_t len;
        const char *bytes;
        bool good;
    } rows[] = {{25, "trace-of-a-move!its-span\1", true},
                {25, "trace-of-a-move!its-span\0", false},
                {24, "trace-of-a-move!its-span", false},
                {26, "trace-of-a-move!its-span\1\1", false},
                {0, "", false},
                {25, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0its-span\1", false}};
    RM(CrossTicket__LatencyMsEntry) e[] = {latency("eu", 70), latency("us", 80)}, *list[] = {&e[0], &e[1]};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        RM(CrossTicket) c = ticket("far");
        c.n_latency_ms = MER_COUNT(list);
        c.latency_ms = list;
        c.has_trace = true;
        c.trace = (ProtobufCBinaryData){rows[i].len, (uint8_t *)rows[i].bytes};
        HEAR("us", CROSS_TICKET, cross_ticket, c);
        open_own("near", 0);
        assert_int_equal(f->app.matcher.counts[ROUTER_M_OFFERED], 2);
        assert_string_equal(f->said, "us offer far by e-1.me");
        assert_int_equal(f->trace_len, rows[i].good ? rows[i].len : 0);
        HEAR("us", CROSS_DROP, cross_drop, {.ticket_id = (char *)"far"});
        router_match_cancel(&f->app.matcher, "near", &f->edge, f->app.loop.now_ms);
    }
    assert_int_equal(bad(), 0);
}

static void what_finds_no_way_is_said_to_who_sent_it(void **state)
{
    static const struct {
        enum mer_err err;
        const char *told;
    } row[] = {{MER_ECLOSED, "unsent to us/"}, {MER_ENOTFOUND, "unsent to us/ none"}, {MER_EBUSY, "unsent to us/u-1.x"}};
    IM(FarMessage) out = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    (void)state;
    out.region = (char *)"us";
    out.edge = (char *)"u-1.x";
    for (size_t i = 0; i < MER_COUNT(row); i++) {
        f->send_result = row[i].err;
        router_far_out(&f->app.crossing, &f->edge, &out);
        assert_string_equal(f->told, row[i].told);
    }
    f->send_result = MER_OK;
    HEAR("us", FAR_EDGE, far_edge, {.to = (char *)"e-9.gone", .from = (char *)"u-1.x"});
    assert_string_equal(f->said, "us lost by u-1.x to e-9.gone");
    f->edge.draining = true;
    HEAR("us", FAR_EDGE, far_edge, {.from = (char *)"u-1.x"});
    assert_string_equal(f->said, "us lost by u-1.x to ");
    HEAR("us", FAR_LOST, far_lost, {.to = (char *)"e-1.me", .edge = (char *)"u-1.x"});
    assert_string_equal(f->told, "unsent to us/u-1.x");
    unsigned told = f->to_edges;
    HEAR("us", FAR_LOST, far_lost, {.to = (char *)"e-9.gone", .edge = (char *)"u-1.x"});
    assert_int_equal(f->to_edges, told);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_patient_ticket_is_told_with_what_is_known_of_its_way),
        T(what_cannot_be_told_is_told_with_the_next_step),
        T(a_ticket_of_another_region_meets_one_of_ours),
        T(a_region_that_is_drained_or_does_not_know_yet_hosts_nobody_else),
        T(a_region_that_goes_takes_its_tickets_along),
        T(an_offer_goes_to_the_ticket_s_edge_and_its_answer_back),
        T(a_ticket_that_is_not_to_be_had_is_refused_at_once),
        T(nobody_speaks_for_another_region),
        T(tickets_out_of_range_are_not_taken),
        T(who_does_not_lead_does_nothing),
        T(what_edges_say_passes_through),
        T(a_trace_passes_through_a_router_that_does_not_trace),
        T(a_router_that_traces_puts_itself_into_the_chain),
        T(a_ticket_s_trace_goes_where_the_ticket_is_told_and_comes_back_with_the_offer),
        T(a_ticket_of_another_region_is_offered_a_seat_in_its_own_trace_or_in_none),
        T(what_finds_no_way_is_said_to_who_sent_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
