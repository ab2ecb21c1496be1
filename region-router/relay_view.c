/* SPDX-License-Identifier: Apache-2.0
 * relay_view.c - what waits for each other region, for people: metrics, /status, and what operators ask (relay_shell.h). */
#include <inttypes.h>
#include <stdio.h>

#include "region-router/app.h"
#include "region-router/relay_private.h"

static const struct mer_metric_def peer_metrics[ROUTER_RP_COUNT] = {
    [ROUTER_RP_WAITING] = {"meridian_router_relay_waiting", "events in the outbox for that region, as last looked at", MER_GAUGE},
    [ROUTER_RP_WAITED] = {"meridian_router_relay_waiting_seconds", "for how long there has always been something in it; alarm above 10 s",
                          MER_GAUGE_US},
    [ROUTER_RP_COUNTS + ROUTER_R_BATCHES] = {"meridian_router_relay_batches_total", "batches sent"},
    [ROUTER_RP_COUNTS + ROUTER_R_EVENTS] = {"meridian_router_relay_events_total", "events that the other region has, trimmed here"},
    [ROUTER_RP_COUNTS + ROUTER_R_LOST] = {"meridian_router_relay_lost_total", "batches without an answer"},
    [ROUTER_RP_COUNTS + ROUTER_R_FAILED] = {"meridian_router_relay_failed_total", "reads, sends and trims to be tried again"},
    [ROUTER_RP_COUNTS + ROUTER_R_STRAY] = {"meridian_router_relay_stray_total", "answers to nothing"},
};

/* Since this process began, over all its terms. */
static uint64_t total(const struct router_relay_peer *p, int k)
{
    return p->totals[k] + p->relay.counts[k];
}

static void refresh(struct mer_metric_set *set)
{
    struct router_relay_peer *p = MER_CONTAINER_OF(set, struct router_relay_peer, set);
    p->values[ROUTER_RP_WAITING] = p->relay.waiting;
    p->values[ROUTER_RP_WAITED] = p->waiting_since_ms != 0 ? (p->all->app->loop.now_ms - p->waiting_since_ms) * 1000 : 0;
    for (int k = 0; k < ROUTER_R_COUNT; k++)
        p->values[ROUTER_RP_COUNTS + k] = total(p, k);
}

uint64_t router_relays_waiting(const struct router_relays *rs, const char *region)
{
    const struct router_relay_peer *p = router__relay_peer((struct router_relays *)rs, region);
    return p != NULL ? p->relay.waiting : 0;
}

size_t router_relays_outbox(const struct router_relays *rs, size_t i, struct router_relays_outbox *out)
{
    if (i >= rs->peer_count)
        return rs->peer_count;
    const struct router_relay_peer *p = &rs->peer[i];
    *out = (struct router_relays_outbox){.region = p->name,
                                         .relay = &p->relay,
                                         .waiting_ms = p->waiting_since_ms != 0 ? rs->app->loop.now_ms - p->waiting_since_ms : 0,
                                         .refused = p->refused,
                                         .settled = total(p, ROUTER_R_EVENTS),
                                         .failed = total(p, ROUTER_R_FAILED) + total(p, ROUTER_R_LOST)};
    return rs->peer_count;
}

enum mer_err router_relays_status(const struct router_relays *rs, struct mer_buf *out)
{
    enum mer_err err = mer_buf_appends(out, "[");
    for (size_t i = 0; i < rs->peer_count && err == MER_OK; i++) {
        const struct router_relay_peer *p = &rs->peer[i];
        err = mer_buf_appendf(
            out, "%s{\"region\":\"%s\",\"up\":%s,\"waiting\":%" PRIu64 ",\"onTheWay\":%u,\"incoming\":%u,\"events\":%" PRIu64 "}",
            i > 0 ? "," : "", p->name, p->relay.up ? "true" : "false", p->relay.waiting, p->relay.busy, p->incoming,
            total(p, ROUTER_R_EVENTS));
    }
    return err == MER_OK ? mer_buf_appends(out, "]") : err;
}

void router__relay_peer_init(struct router_relays *rs, struct router_relay_peer *p, const char *name)
{
    p->all = rs;
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->label, sizeof p->label, "peer=\"%s\"", name);
    for (int k = 0; k < ROUTER_RP_COUNT; k++) {
        p->defs[k] = peer_metrics[k];
        p->defs[k].labels = p->label;
    }
    mer_metrics_add(&rs->app->metrics, &p->set, p->defs, ROUTER_RP_COUNT, p->values);
    p->set.refresh = refresh;
}
