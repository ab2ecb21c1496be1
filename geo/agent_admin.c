/* SPDX-License-Identifier: Apache-2.0
 * agent_admin.c - the agent on its admin port (agent.h). */
#include "geo/agent_private.h"

#include <errno.h>
#include <string.h>

#include <meridian/json.h>

static int status(void *ctx, const char *query, struct mer_buf *out)
{
    struct geo_agent *a = ctx;
    static const char *const verdicts[] = {"unknown", "good", "bad"};
    (void)query;
    enum mer_err err = mer_buf_appendf(out, "{\"allOut\": %s, \"pending\": %s, \"regions\": [", a->policy.all_out ? "true" : "false",
                                       a->pending ? "true" : "false");
    for (uint32_t i = 0; i < a->footprint.count && err == MER_OK; i++) {
        const struct geo_region_state *s = &a->policy.region[i];
        const struct geo_report r = geo_reports_of(a->reports, i);
        err = mer_buf_appendf(
            out,
            "%s\n  {\"name\": \"%s\", \"health\": \"%s\", \"out\": %s, \"guarded\": %s, \"stuck\": %s, \"share\": %u, \"to\": "
            "\"%s\", \"wish\": \"%s\", \"loadPermille\": %d, \"players\": %llu, \"reported\": %s, \"draining\": %s, \"probes\": [",
            i > 0 ? "," : "", a->footprint.region[i].name, s->health == GEO_UP ? "up" : "down", s->out ? "true" : "false",
            s->guarded ? "true" : "false", s->stuck ? "true" : "false", s->share, s->share > 0 ? a->footprint.region[s->share_to].name : "",
            geo_wish_names[a->wished[i].kind], (int)a->reading[i].load_permille, (unsigned long long)r.players, r.known ? "true" : "false",
            a->told[i].kind == GEO_WISH_DRAIN ? "true" : "false");
        for (uint32_t k = 0; k < a->footprint.region[i].address_count && err == MER_OK; k++) {
            const struct geo_probe *p = &a->probe[i][k];
            err = mer_buf_appendf(out, "%s{\"address\": \"%s\", \"verdict\": \"%s\", \"tookUs\": %u, \"why\": ", k > 0 ? ", " : "",
                                  p->address, verdicts[p->verdict], p->took_us);
            if (err == MER_OK)
                err = mer_json_write_string(p->why, strlen(p->why), out);
            if (err == MER_OK)
                err = mer_buf_appends(out, "}");
        }
        if (err == MER_OK)
            err = mer_buf_appends(out, "]}");
    }
    if (err == MER_OK)
        err = mer_buf_appends(out, "\n]}\n");
    return err == MER_OK ? 200 : 500;
}

static int wish(void *ctx, const char *query, struct mer_buf *out)
{
    struct geo_agent *a = ctx;
    struct geo_wished w;
    struct mer_msg msg = {{0}};
    uint32_t region;
    int code = 200;
    if (geo_wish_parse(query != NULL ? query : "", &a->footprint, &region, &w, &msg) != MER_OK) {
        code = 400;
    } else if (geo__agent_wish(a, region, &w) != MER_OK) {
        mer_msgf(&msg, "the journal could not be written: %s", strerror(errno));
        code = 500;
    }
    if (code != 200)
        return mer_buf_appendf(out, "{\"error\": \"%s\"}\n", msg.text) == MER_OK ? code : 500;
    return status(a, NULL, out);
}

void geo__agent_admin(struct geo_agent *a)
{
    mer_admin_route(a->admin, "GET", "/status", status, a);
    mer_admin_route(a->admin, "POST", "/wish", wish, a);
}
