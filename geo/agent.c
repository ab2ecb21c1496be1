/* SPDX-License-Identifier: Apache-2.0
 * agent.c - agent.h.
 *
 *   probes, reports, wishes --second--> policy --changed--> journal, state file --> gdnsd
 *
 * A region is bad when none of its addresses answers a probe, or its leader says that no edge takes anybody. Routers that say nothing are
 * no sign: they may be cut off from here, and the players are what counts.
 *
 * The state file is written only when its content changes and never twice within STATE_APART_MS: gdnsd starts its settling time of 1.02 s
 * anew with every write, and would never see a file that is rewritten more often. A write that fails is tried again every second.
 *
 * Timer: `tick`, every second from birth to end. Owner: agent_main.c. Next: policy.h, probe.h, reports.h. */
#include "geo/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/json.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "geo/journal.h"
#include "geo/probe.h"
#include "geo/reports.h"
#include "geo/wish.h"

enum { TICK_MS = 1000, STATE_APART_MS = 1500 };

enum { A_OUT, A_SHEDDING, A_STUCK, A_GUARDED, A_WISHED, A_ALL_OUT, A_WRITTEN, A_WRITE_FAILED, A_STATE_AGE, A_COUNT };
static const struct mer_metric_def defs[A_COUNT] = {
    [A_OUT] = {"meridian_geo_regions_out", "regions that DNS does not name", MER_GAUGE},
    [A_SHEDDING] = {"meridian_geo_regions_shedding", "regions that send a share of their new players elsewhere", MER_GAUGE},
    [A_STUCK] = {"meridian_geo_regions_stuck", "regions that should shed, and nobody has room", MER_GAUGE},
    [A_GUARDED] = {"meridian_geo_regions_guarded", "regions that look dead and stay in, because too many do", MER_GAUGE},
    [A_WISHED] = {"meridian_geo_regions_wished", "regions that an operator drains or keeps in", MER_GAUGE},
    [A_ALL_OUT] = {"meridian_geo_all_out", "1: by the rules nobody would be left, so everybody is named", MER_GAUGE},
    [A_WRITTEN] = {"meridian_geo_state_writes_total", "state files written"},
    [A_WRITE_FAILED] = {"meridian_geo_state_write_failures_total", "state files that could not be written"},
    [A_STATE_AGE] = {"meridian_geo_state_age_seconds", "since the policy last ran and the state file was what it says", MER_GAUGE},
};

struct geo_agent {
    struct geo_config conf;
    struct geo_footprint footprint;
    struct mer_clock clock;
    struct mer_rng rng;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_loop loop;
    struct mer_process process;
    char incarnation[64];
    struct mer_admin *admin;
    SSL_CTX *tls;
    struct geo_probe_conf probe_conf;
    struct geo_probe probe[GEO_REGIONS_MAX][GEO_ADDRESSES_MAX];
    struct geo_reports *reports;
    struct geo_journal *journal;
    struct geo_policy policy;
    struct geo_reading reading[GEO_REGIONS_MAX];
    struct geo_wished wished[GEO_REGIONS_MAX];
    struct mer_buf written; /* what the state file says */
    bool pending;           /* it should say something else */
    uint64_t written_ms;
    struct mer_timer tick;
    uint64_t values[A_COUNT];
    struct mer_metric_set set;
};

/* ---- looking ---------------------------------------------------------------------------------------------------------------------------
 */

static void read_region(struct geo_agent *a, uint32_t i, char *why, size_t size)
{
    const struct geo_region *r = &a->footprint.region[i];
    const struct geo_report report = geo_reports_of(a->reports, i);
    uint32_t good = 0, unknown = 0;
    snprintf(why, size, "well");
    for (uint32_t k = 0; k < r->address_count; k++) {
        const struct geo_probe *p = &a->probe[i][k];
        good += p->verdict == GEO_GOOD;
        unknown += p->verdict == GEO_UNKNOWN;
        if (p->verdict == GEO_BAD)
            snprintf(why, size, "probe of %s: %s", p->address, p->why);
    }
    enum geo_verdict verdict = good > 0 ? GEO_GOOD : unknown > 0 ? GEO_UNKNOWN : GEO_BAD;
    if (verdict == GEO_GOOD && report.known && !report.ready) {
        verdict = GEO_BAD;
        snprintf(why, size, "no edge takes new players");
    }
    uint64_t room = report.capacity < r->capacity_players ? report.capacity : r->capacity_players;
    a->reading[i] = (struct geo_reading){verdict, -1};
    if (report.known && room > 0)
        a->reading[i].load_permille = (int32_t)(report.players >= room * 2 ? 2000 : report.players * 1000 / room);
}

/* Wishes are in wall time, the policy in monotonic time. */
static void read_wishes(const struct geo_agent *a, struct geo_wish *wishes)
{
    uint64_t wall_ms = mer_clock_wall_ms(&a->clock), now_ms = a->loop.now_ms;
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        const struct geo_wished *w = &a->wished[i];
        uint64_t ago_ms = wall_ms > w->at_ms ? wall_ms - w->at_ms : 0;
        bool long_ago = ago_ms > now_ms;
        wishes[i] = (struct geo_wish){.drain = w->kind == GEO_WISH_DRAIN,
                                      .drain_from_ms = long_ago ? 0 : now_ms - ago_ms,
                                      .drain_over_ms = long_ago ? 0 : w->over_ms,
                                      .force_in = w->kind == GEO_WISH_FORCE_IN};
    }
}

/* ---- the state file --------------------------------------------------------------------------------------------------------------------
 */

static bool write_file(const char *path, const struct mer_buf *text)
{
    char fresh[4096];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return false;
    FILE *out = fopen(fresh, "wbe");
    if (out == NULL)
        return false;
    bool good = fwrite(text->data, text->len, 1, out) == 1 && fflush(out) == 0 && fsync(fileno(out)) == 0;
    good = fclose(out) == 0 && good;
    return good && rename(fresh, path) == 0;
}

static void write_state(struct geo_agent *a)
{
    struct mer_buf text;
    mer_buf_init(&text, 0);
    bool apart = a->written_ms == 0 || a->loop.now_ms - a->written_ms >= STATE_APART_MS;
    bool good = geo_policy_write(&a->policy, &text) == MER_OK;
    bool same = good && text.len == a->written.len && memcmp(text.data, a->written.data, text.len) == 0;
    if (good && !same && apart) {
        a->written_ms = a->loop.now_ms;
        good = write_file(a->conf.state_file, &text);
        a->values[good ? A_WRITTEN : A_WRITE_FAILED]++;
        if (good) {
            struct mer_buf before = a->written;
            a->written = text;
            text = before;
            same = true;
        } else {
            MER_LOG(&a->log, MER_ERROR, "state.write", KV_STR("file", a->conf.state_file), KV_STR("why", strerror(errno)));
        }
    }
    a->pending = !same;
    mer_buf_deinit(&text);
}

/* ---- every second ----------------------------------------------------------------------------------------------------------------------
 */

static void tell(struct geo_agent *a, const struct geo_region_state *before, char why[][256])
{
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        const struct geo_region_state *s = &a->policy.region[i];
        if (before[i].out == s->out && before[i].share == s->share && (s->share == 0 || before[i].share_to == s->share_to))
            continue;
        bool wished = a->wished[i].kind == GEO_WISH_DRAIN;
        char text[300];
        snprintf(text, sizeof text, "%s%s", wished ? "drain: " : "", wished ? a->wished[i].reason : why[i]);
        if (!wished && s->share > 0)
            snprintf(text, sizeof text, "load %d of 1000", (int)a->reading[i].load_permille);
        if (geo_journal_answer(a->journal, mer_clock_wall_ms(&a->clock), &a->policy, i, text) != MER_OK)
            MER_LOG(&a->log, MER_ERROR, "journal.write", KV_STR("file", a->conf.journal), KV_STR("why", strerror(errno)));
        MER_LOG(&a->log, MER_WARN, "region.answer", KV_STR("name", a->footprint.region[i].name), KV_BOOL("out", s->out),
                KV_U64("share", s->share), KV_STR("to", s->share > 0 ? a->footprint.region[s->share_to].name : NULL), KV_STR("why", text));
    }
}

static void on_tick(struct mer_timer *t)
{
    struct geo_agent *a = MER_CONTAINER_OF(t, struct geo_agent, tick);
    static const struct geo_region_state fresh[GEO_REGIONS_MAX];
    struct geo_region_state before[GEO_REGIONS_MAX];
    struct geo_wish wishes[GEO_REGIONS_MAX];
    char why[GEO_REGIONS_MAX][256];
    MER_ASSERT(sizeof before == sizeof fresh);
    memcpy(before, a->policy.region, sizeof before);
    for (uint32_t i = 0; i < a->footprint.count; i++)
        read_region(a, i, why[i], sizeof why[i]);
    read_wishes(a, wishes);
    bool changed = geo_policy_step(&a->policy, a->reading, wishes, a->loop.now_ms);
    if (changed)
        tell(a, before, why);
    if (changed || a->pending)
        write_state(a);
    mer_loop_arm(&a->loop, &a->tick, TICK_MS);
}

static void refresh(struct mer_metric_set *set)
{
    struct geo_agent *a = MER_CONTAINER_OF(set, struct geo_agent, set);
    memset(a->values, 0, A_WRITTEN * sizeof *a->values);
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        const struct geo_region_state *s = &a->policy.region[i];
        a->values[A_OUT] += s->out;
        a->values[A_SHEDDING] += s->share > 0;
        a->values[A_STUCK] += s->stuck;
        a->values[A_GUARDED] += s->guarded;
        a->values[A_WISHED] += a->wished[i].kind != GEO_WISH_NOTHING;
    }
    a->values[A_ALL_OUT] = a->policy.all_out;
    a->values[A_STATE_AGE] = a->pending ? (a->loop.now_ms - a->written_ms) / 1000 : 0;
}

/* ---- the admin port --------------------------------------------------------------------------------------------------------------------
 */

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
            "\"%s\", \"wish\": \"%s\", \"loadPermille\": %d, \"players\": %llu, \"reported\": %s, \"probes\": [",
            i > 0 ? "," : "", a->footprint.region[i].name, s->health == GEO_UP ? "up" : "down", s->out ? "true" : "false",
            s->guarded ? "true" : "false", s->stuck ? "true" : "false", s->share, s->share > 0 ? a->footprint.region[s->share_to].name : "",
            geo_wish_names[a->wished[i].kind], (int)a->reading[i].load_permille, (unsigned long long)r.players, r.known ? "true" : "false");
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
    } else {
        w.at_ms = mer_clock_wall_ms(&a->clock);
        if (geo_journal_wish(a->journal, region, &w) != MER_OK) {
            mer_msgf(&msg, "the journal could not be written: %s", strerror(errno));
            code = 500;
        }
    }
    if (code != 200)
        return mer_buf_appendf(out, "{\"error\": \"%s\"}\n", msg.text) == MER_OK ? code : 500;
    a->wished[region] = w;
    MER_LOG(&a->log, MER_WARN, "region.wish", KV_STR("name", a->footprint.region[region].name), KV_STR("wish", geo_wish_names[w.kind]),
            KV_U64("over_ms", w.over_ms), KV_STR("reason", w.reason), KV_STR("by", w.by));
    return status(a, NULL, out);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------
 */

static void start_probes(struct geo_agent *a)
{
    a->probe_conf = (struct geo_probe_conf){.loop = &a->loop,
                                            .rng = a->rng,
                                            .tls = a->tls,
                                            .name = a->conf.probe_name[0] != '\0' ? a->conf.probe_name : a->footprint.zone,
                                            .path = a->conf.probe_path};
    for (uint32_t i = 0; i < a->footprint.count; i++)
        for (uint32_t k = 0; k < a->footprint.region[i].address_count; k++)
            geo_probe_start(&a->probe[i][k], &a->probe_conf, a->footprint.region[i].address[k], (uint16_t)a->conf.probe_port);
}

static enum mer_err create_parts(struct geo_agent *a, struct mer_msg *msg)
{
    enum mer_err err = MER_OK;
    if (a->conf.probe_tls_ca[0] != '\0')
        err = mer_tls_peer_create(&a->tls, false, a->conf.probe_tls_ca, NULL, NULL, msg);
    if (err == MER_OK)
        err = geo_journal_open(&a->journal, a->conf.journal, &a->footprint, a->wished, msg);
    struct geo_reports_conf rc = {&a->loop, &a->log, a->rng, &a->metrics, &a->footprint, &a->conf, a->incarnation};
    if (err == MER_OK)
        err = geo_reports_create(&a->reports, &rc, msg);
    if (err == MER_OK)
        err = mer_admin_open(&a->admin, &a->loop, &a->process, &a->metrics, a->conf.admin_listen, msg);
    return err;
}

enum mer_err geo_agent_create(struct geo_agent **out, struct geo_config *conf, struct geo_footprint *footprint, struct mer_msg *msg)
{
    struct geo_agent *a = mer_xcalloc(1, sizeof *a);
    char id[64];
    a->conf = *conf;
    a->footprint = *footprint;
    memset(conf, 0, sizeof *conf);
    memset(footprint, 0, sizeof *footprint);
    a->clock = mer_clock_system();
    a->rng = mer_rng_system();
    mer_log_init(&a->log, STDERR_FILENO, (enum mer_level)a->conf.log_level, a->clock);
    mer_metrics_init(&a->metrics);
    snprintf(id, sizeof id, "%s.", a->conf.id);
    mer_id_make(&a->rng, id, 5, a->incarnation, sizeof a->incarnation);
    snprintf(a->log.process, sizeof a->log.process, "%s", a->incarnation);
    mer_process_raise_limits();
    if (mer_loop_init(&a->loop, a->clock) != 0) {
        mer_msgf(msg, "no event loop");
        mer_conf_free(geo_config_items, geo_config_item_count, &a->conf);
        geo_footprint_deinit(&a->footprint);
        mer_free(&a);
        return MER_EIO;
    }
    mer_process_init(&a->process, &a->loop, &a->log, &a->metrics);
    mer_metrics_add_process(&a->metrics, &a->loop);
    mer_metrics_add(&a->metrics, &a->set, defs, A_COUNT, a->values);
    a->set.refresh = refresh;
    mer_timer_init(&a->tick, on_tick);
    mer_buf_init(&a->written, 0);
    geo_policy_init(&a->policy, &a->footprint, a->loop.now_ms);
    enum mer_err err = create_parts(a, msg);
    if (err != MER_OK) {
        geo_agent_destroy(a);
        return err;
    }
    mer_admin_route(a->admin, "GET", "/status", status, a);
    mer_admin_route(a->admin, "POST", "/wish", wish, a);
    start_probes(a);
    a->pending = true; /* whatever an earlier agent wrote */
    mer_loop_arm(&a->loop, &a->tick, TICK_MS);
    mer_process_ready(&a->process);
    *out = a;
    return MER_OK;
}

int geo_agent_run(struct geo_agent *a)
{
    mer_loop_run(&a->loop);
    return 0;
}

void geo_agent_destroy(struct geo_agent *a)
{
    if (a == NULL)
        return;
    mer_loop_disarm(&a->loop, &a->tick);
    for (uint32_t i = 0; i < a->footprint.count; i++)
        for (uint32_t k = 0; k < a->footprint.region[i].address_count; k++)
            if (a->probe[i][k].conf != NULL)
                geo_probe_stop(&a->probe[i][k]);
    if (a->admin != NULL)
        mer_admin_close(a->admin);
    geo_reports_destroy(a->reports);
    mer_process_deinit(&a->process);
    mer_loop_deinit(&a->loop);
    if (a->journal != NULL)
        geo_journal_close(a->journal);
    SSL_CTX_free(a->tls);
    mer_buf_deinit(&a->written);
    mer_conf_free(geo_config_items, geo_config_item_count, &a->conf);
    geo_footprint_deinit(&a->footprint);
    mer_free(&a);
}
