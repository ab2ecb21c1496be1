/* SPDX-License-Identifier: Apache-2.0
 * routers.c - the edge's links to its region's routers (routers.h).
 *
 * Who leads is what the routers say, judged by the epoch of the lease: the highest ever seen counts, everything below is refused and
 * counted (a router that slept through the loss of its lease still thinks it leads). A leader that comes back over a new
 * link is handed everything again: what was in flight is unknown, and handing in is idempotent.
 *
 * Timer: `report`, every second while there are routers. */
#include "edge/bus/routers.h"

#include <string.h>

#include <meridian/mem.h>

enum { REPORT_MS = 1000, KINDS = 64 /* above every kind's number */ };

struct router {
    struct edge_routers *all;
    struct mer_link *link;
};

enum { M_UP, M_LEADER, M_EPOCH, M_LEADERS, M_REFUSED, M_BAD, M_IGNORED, M_SENT, M_UNSENT, M_RECEIVED, M_REPORTS, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_UP] = {"meridian_edge_routers_up", "routers this edge is linked to", MER_GAUGE},
    [M_LEADER] = {"meridian_edge_routers_leader", "1 while one of them leads", MER_GAUGE},
    [M_EPOCH] = {"meridian_edge_routers_epoch", "highest epoch of a leader seen", MER_GAUGE},
    [M_LEADERS] = {"meridian_edge_routers_leaders_total", "times a router was taken as leader"},
    [M_REFUSED] = {"meridian_edge_routers_refused_total", "instructions refused: lower epoch, or not of the leader"},
    [M_BAD] = {"meridian_edge_routers_bad_total", "links closed because of a message that is none"},
    [M_IGNORED] = {"meridian_edge_routers_ignored_total", "messages of a kind nobody here handles"},
    [M_SENT] = {"meridian_edge_routers_sent_total", "messages to the leader"},
    [M_UNSENT] = {"meridian_edge_routers_unsent_total", "messages not sent: no leader, or its link is full"},
    [M_RECEIVED] = {"meridian_edge_routers_received_total", "instructions of the leader"},
    [M_REPORTS] = {"meridian_edge_routers_reports_total", "reports sent"},
};

struct edge_routers {
    struct edge_routers_conf conf;
    struct mer_links *links;
    struct router *router;  /* one an address */
    struct router *leader;  /* NULL: none */
    uint64_t highest_epoch; /* of all leaders seen */
    struct {
        edge_routers_cb cb;
        void *ctx;
    } handler[KINDS];
    struct mer_timer report;
    uint8_t *scratch;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

static enum mer_err send_on(struct edge_routers *r, struct mer_link *l, const Meridian__Internal__V1__RouterMessage *m)
{
    size_t size = meridian__internal__v1__router_message__get_packed_size(m);
    if (size > MER_LINK_PAYLOAD_MAX)
        return MER_ERANGE;
    meridian__internal__v1__router_message__pack(m, r->scratch);
    return mer_link_send(l, r->scratch, size);
}

/* ---- reports ------------------------------------------------------------------------------------------------------------------------- */

static void report_to(struct edge_routers *r, struct router *to)
{
    Meridian__Internal__V1__EdgeReport report = MERIDIAN__INTERNAL__V1__EDGE_REPORT__INIT;
    r->conf.report(r->conf.ctx, &report);
    Meridian__Internal__V1__RouterMessage m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    m.body_case = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_REPORT;
    m.edge_report = &report;
    if (send_on(r, to->link, &m) == MER_OK)
        r->values[M_REPORTS]++; /* else the next second tells */
}

void edge_routers_report_now(struct edge_routers *r)
{
    for (size_t i = 0; i < r->conf.address_count; i++)
        if (mer_link_is_up(r->router[i].link))
            report_to(r, &r->router[i]);
    mer_loop_arm(r->conf.loop, &r->report, REPORT_MS);
}

static void on_report_timer(struct mer_timer *t)
{
    edge_routers_report_now(MER_CONTAINER_OF(t, struct edge_routers, report));
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static void set_leader(struct edge_routers *r, struct router *leader)
{
    r->leader = leader;
    r->values[M_LEADER] = leader != NULL;
}

static void refuse(struct edge_routers *r, const struct router *from, uint64_t epoch)
{
    r->values[M_REFUSED]++;
    MER_LOG_RATE(r->conf.log, MER_WARN, "router.refused", KV_STR("router", mer_link_peer(from->link)->incarnation), KV_U64("epoch", epoch),
                 KV_U64("highest", r->highest_epoch));
}

static void take_role(struct edge_routers *r, struct router *from, const Meridian__Internal__V1__RouterRole *role)
{
    if (!role->leader) {
        if (r->leader == from)
            set_leader(r, NULL);
        return;
    }
    bool another_holds_it = r->leader != NULL && r->leader != from && role->epoch == r->highest_epoch;
    if (role->epoch < r->highest_epoch || another_holds_it) {
        refuse(r, from, role->epoch);
        return;
    }
    if (r->leader == from && role->epoch == r->highest_epoch)
        return; /* said again */
    r->highest_epoch = role->epoch;
    r->values[M_EPOCH] = role->epoch;
    r->values[M_LEADERS]++;
    set_leader(r, from);
    MER_LOG(r->conf.log, MER_INFO, "router.leads", KV_STR("router", mer_link_peer(from->link)->incarnation), KV_U64("epoch", role->epoch));
    r->conf.leader(r->conf.ctx, role->epoch);
}

/* False for what only edges say. */
static bool epoch_of(const Meridian__Internal__V1__RouterMessage *m, uint64_t *epoch)
{
    switch (m->body_case) {
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_TICKET_STATUS:
        *epoch = m->ticket_status->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_TICKET_ASK:
        *epoch = m->ticket_ask->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_SEAT_OFFER:
        *epoch = m->seat_offer->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_SEAT_RELEASE:
        *epoch = m->seat_release->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_GAME_CREATE:
        *epoch = m->game_create->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_LIST:
        *epoch = m->edge_list->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_CLAIM_GAMES:
        *epoch = m->claim_games->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_DRAIN_PLAN:
        *epoch = m->drain_plan->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_FAR_MESSAGE:
        *epoch = m->far_message->router_epoch;
        return m->far_message->has_router_epoch;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_FAR_UNSENT:
        *epoch = m->far_unsent->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_UNDRAIN:
        *epoch = m->edge_undrain->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_EDGE_DRAIN:
        *epoch = m->edge_drain->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_USER_NOTICE:
        *epoch = m->user_notice->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_TOLD:
        *epoch = m->presence_told->router_epoch;
        return true;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_PRESENCE_ASK:
        *epoch = m->presence_ask->router_epoch;
        return m->presence_ask->has_router_epoch;
    case MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_OTHER_REGIONS:
        *epoch = m->other_regions->router_epoch;
        return true;
    default:
        return false;
    }
}

static void take(struct edge_routers *r, struct router *from, const Meridian__Internal__V1__RouterMessage *m)
{
    if (m->body_case == MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_ROUTER_ROLE) {
        take_role(r, from, m->router_role);
        return;
    }
    uint64_t epoch = 0;
    if (!epoch_of(m, &epoch) || r->handler[m->body_case].cb == NULL) {
        r->values[M_IGNORED]++; /* a newer version's kind */
        return;
    }
    if (from != r->leader || epoch != r->highest_epoch) {
        refuse(r, from, epoch);
        return;
    }
    r->values[M_RECEIVED]++;
    r->handler[m->body_case].cb(r->handler[m->body_case].ctx, m);
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct edge_routers *r = ctx;
    Meridian__Internal__V1__RouterMessage *m = meridian__internal__v1__router_message__unpack(NULL, len, payload);
    if (m == NULL) {
        r->values[M_BAD]++;
        MER_LOG_RATE(r->conf.log, MER_WARN, "router.bad_message", KV_STR("router", mer_link_peer(l)->incarnation));
        mer_link_reset(l);
        return;
    }
    take(r, mer_link_user(l), m);
    meridian__internal__v1__router_message__free_unpacked(m, NULL);
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *who)
{
    (void)who;
    struct edge_routers *r = ctx;
    r->values[M_UP]++;
    report_to(r, mer_link_user(l));
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    (void)why;
    struct edge_routers *r = ctx;
    r->values[M_UP]--;
    if (r->leader == mer_link_user(l))
        set_leader(r, NULL);
}

static const struct mer_link_cbs link_cbs = {on_up, on_message, on_down};

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err open_links(struct edge_routers *r)
{
    const struct edge_routers_conf *c = &r->conf;
    struct mer_links_conf lc = {.loop = c->loop,
                                .log = c->log,
                                .rng = c->rng,
                                .metrics = c->metrics,
                                .cbs = &link_cbs,
                                .ctx = r,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE,
                                .region = c->region,
                                .id = c->id,
                                .incarnation = c->incarnation,
                                .tls_client = c->tls_client,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER,
                                .name = "routers"};
    enum mer_err err = mer_links_create(&r->links, &lc);
    for (size_t i = 0; err == MER_OK && i < c->address_count; i++) {
        r->router[i].all = r;
        err = mer_link_dial(r->links, c->addresses[i], &r->router[i], &r->router[i].link);
    }
    return err;
}

enum mer_err edge_routers_create(struct edge_routers **out, const struct edge_routers_conf *conf)
{
    struct edge_routers *r = mer_try_calloc(1, sizeof *r);
    if (r == NULL)
        return MER_ENOMEM;
    r->conf = *conf;
    mer_timer_init(&r->report, on_report_timer);
    mer_metrics_add(conf->metrics, &r->set, metrics, M_COUNT, r->values);
    r->scratch = mer_try_malloc(MER_LINK_PAYLOAD_MAX);
    r->router = mer_try_calloc(conf->address_count + 1, sizeof *r->router);
    enum mer_err err = r->scratch == NULL || r->router == NULL ? MER_ENOMEM : open_links(r);
    if (err != MER_OK) {
        edge_routers_destroy(r);
        return err;
    }
    mer_loop_arm(conf->loop, &r->report, REPORT_MS);
    *out = r;
    return MER_OK;
}

void edge_routers_on(struct edge_routers *r, Meridian__Internal__V1__RouterMessage__BodyCase kind, edge_routers_cb cb, void *ctx)
{
    MER_ASSERT((unsigned)kind < KINDS);
    r->handler[kind].cb = cb;
    r->handler[kind].ctx = ctx;
}

enum mer_err edge_routers_send(struct edge_routers *r, const Meridian__Internal__V1__RouterMessage *m)
{
    enum mer_err err = r->leader != NULL ? send_on(r, r->leader->link, m) : MER_ECLOSED;
    r->values[err == MER_OK ? M_SENT : M_UNSENT]++;
    return err;
}

bool edge_routers_have_leader(const struct edge_routers *r)
{
    return r->leader != NULL;
}

void edge_routers_destroy(struct edge_routers *r)
{
    if (r == NULL)
        return;
    mer_links_destroy(r->links);
    mer_loop_disarm(r->conf.loop, &r->report);
    mer_metrics_remove(&r->set);
    free(r->router);
    free(r->scratch);
    free(r);
}
