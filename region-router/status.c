/* SPDX-License-Identifier: Apache-2.0
 * status.c - the admin port's /status: this router, its leadership, edges and regions as one JSON object. Owner: app.c. */
#include <inttypes.h>

#include "region-router/app.h"

int router__status(void *ctx, const char *query, struct mer_buf *out)
{
    struct router_app *app = ctx;
    const uint64_t *c = app->matcher.counts;
    uint64_t epoch = router__lead_epoch(app);
    const char *comma = "";
    (void)query;
    /* Names hold no character that JSON escapes: the links check them. */
    enum mer_err err = mer_buf_appendf(out,
                                       "{\"id\":\"%s\",\"incarnation\":\"%s\",\"region\":\"%s\",\"role\":\"%s\",\"epoch\":%" PRIu64
                                       ",\"holder\":\"%s\",\"tickets\":{\"waiting\":%" PRIu64 ",\"offered\":%" PRIu64 ",\"held\":%" PRIu64
                                       ",\"away\":%" PRIu64 "},\"matches\":%" PRIu64 ",\"edges\":[",
                                       app->conf.id, app->incarnation, app->conf.region, epoch != 0 ? "leader" : "standby", epoch,
                                       router_standby_holder(app->standby), c[ROUTER_M_WAITING], c[ROUTER_M_OFFERED], c[ROUTER_M_HELD],
                                       c[ROUTER_M_AWAY], c[ROUTER_M_MATCHES]);
    MER_LIST_EACH (it, &app->edges.edges) {
        const struct router_edge *e = MER_LIST_ENTRY(it, struct router_edge, node);
        if (err == MER_OK)
            err = mer_buf_appendf(out,
                                  "%s{\"id\":\"%s\",\"incarnation\":\"%s\",\"connections\":%u,\"sessions\":%u,\"games\":%u,"
                                  "\"loadPermille\":%u,\"draining\":%s,\"reportAgeMs\":%" PRIu64 "}",
                                  comma, e->id, e->incarnation, e->connections, e->sessions, e->games, e->load_permille,
                                  e->draining ? "true" : "false", e->reported ? app->loop.now_ms - e->reported_ms : 0);
        comma = ",";
    }
    if (err == MER_OK)
        err = mer_buf_appends(out, "],\"redis\":");
    if (err == MER_OK)
        err = router_keeper_status(app->keeper, out);
    if (err == MER_OK)
        err = mer_buf_appends(out, ",\"owners\":");
    if (err == MER_OK)
        err = router_claimer_status(&app->claimer, out);
    if (err == MER_OK)
        err = mer_buf_appends(out, ",\"regions\":");
    if (err == MER_OK)
        err = router_mesh_status(app->mesh, out);
    if (err == MER_OK)
        err = mer_buf_appends(out, ",\"relay\":");
    if (err == MER_OK)
        err = router_relays_status(app->relays, out);
    if (err == MER_OK)
        err = mer_buf_appends(out, "}\n");
    return err == MER_OK ? 200 : 500;
}
