/* SPDX-License-Identifier: Apache-2.0
 * agent.c - agent.h.
 *
 *   probes, reports, wishes --second--> policy --changed--> journal, state file --> gdnsd
 *
 * A region is bad when none of its addresses answers a probe, its leader says that no edge takes anybody, or its routers say that nobody
 * can lead: its Redis is gone, so nobody gets a game there, and probes do not see that. Routers that say nothing are no sign: they may be
 * cut off from here, and the players are what counts.
 *
 * The state file is written only when its content changes and never twice within STATE_APART_MS: gdnsd starts its settling time of 1.02 s
 * anew with every write, and would never see a file that is rewritten more often. A write that fails is tried again every second.
 *
 * Timer: `tick`, every second from birth to end. Owner: agent_main.c. Next: policy.h, probe.h, reports.h. */
#include "geo/agent_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "geo/control.h"

enum { TICK_MS = 1000, STATE_APART_MS = 1500, TOLD_APART_MS = 5000 /* reports travel and clocks drift: still the same drain */ };

static const struct mer_metric_def defs[A_COUNT] = {
    [A_OUT] = {"meridian_geo_regions_out", "regions that DNS does not name", MER_GAUGE},
    [A_SHEDDING] = {"meridian_geo_regions_shedding", "regions that send a share of their new players elsewhere", MER_GAUGE},
    [A_STUCK] = {"meridian_geo_regions_stuck", "regions that should shed, and nobody has room", MER_GAUGE},
    [A_GUARDED] = {"meridian_geo_regions_guarded", "regions that look dead and stay in, because too many do", MER_GAUGE},
    [A_WISHED] = {"meridian_geo_regions_wished", "regions whose answer an operator overrides at this agent", MER_GAUGE},
    [A_TOLD] = {"meridian_geo_regions_draining", "regions that say that an operator drains them", MER_GAUGE},
    [A_ALL_OUT] = {"meridian_geo_all_out", "1: by the rules nobody would be left, so everybody is named", MER_GAUGE},
    [A_WRITTEN] = {"meridian_geo_state_writes_total", "state files written"},
    [A_WRITE_FAILED] = {"meridian_geo_state_write_failures_total", "state files that could not be written"},
    [A_STATE_AGE] = {"meridian_geo_state_age_seconds", "since the policy last ran and the state file was what it says", MER_GAUGE},
};

/* ---- looking ------------------------------------------------------------------------------------------------------------------------- */

static void read_region(struct geo_agent *a, uint32_t i)
{
    char why[sizeof a->why[i]] = "well";
    const struct geo_region *r = &a->footprint.region[i];
    const struct geo_report report = geo_reports_of(a->reports, i);
    uint32_t good = 0, unknown = 0;
    for (uint32_t k = 0; k < r->address_count; k++) {
        const struct geo_probe *p = &a->probe[i][k];
        good += p->verdict == GEO_GOOD;
        unknown += p->verdict == GEO_UNKNOWN;
        if (p->verdict == GEO_BAD)
            snprintf(why, sizeof why, "probe of %s: %s", p->address, p->why);
    }
    enum geo_verdict verdict = good > 0 ? GEO_GOOD : unknown > 0 ? GEO_UNKNOWN : GEO_BAD;
    if (verdict == GEO_GOOD && report.known && !report.ready) {
        verdict = GEO_BAD;
        snprintf(why, sizeof why, "no edge takes new players");
    } else if (verdict == GEO_GOOD && report.leaderless) {
        verdict = GEO_BAD;
        snprintf(why, sizeof why, "no router can lead");
    }
    uint64_t room = report.capacity < r->capacity_players ? report.capacity : r->capacity_players;
    a->reading[i] = (struct geo_reading){verdict, -1};
    if (report.known && room > 0)
        a->reading[i].load_permille = (int32_t)(report.players >= room * 2 ? 2000 : report.players * 1000 / room);
    memcpy(a->why[i], why, sizeof why);
}

/* ---- wishes -------------------------------------------------------------------------------------------------------------------------- */

enum mer_err geo__agent_wish(struct geo_agent *a, uint32_t region, const struct geo_wished *w)
{
    struct geo_wished now = *w;
    now.at_ms = mer_clock_wall_ms(&a->clock);
    if (geo_journal_wish(a->journal, region, &now) != MER_OK)
        return MER_EIO;
    a->wished[region] = now;
    MER_LOG(&a->log, MER_WARN, "region.wish", KV_STR("name", a->footprint.region[region].name), KV_STR("wish", geo_wish_names[w->kind]),
            KV_U64("over_ms", w->over_ms), KV_U64("share", w->share), KV_U64("until_ms", w->until_ms), KV_STR("reason", w->reason),
            KV_STR("by", w->by));
    return MER_OK;
}

/* What it said before holds while it is silent. */
static void on_drain(void *ctx, uint32_t region, const struct geo_wished *w)
{
    struct geo_agent *a = ctx;
    struct geo_wished *told = &a->told[region];
    uint64_t apart = told->at_ms > w->at_ms ? told->at_ms - w->at_ms : w->at_ms - told->at_ms;
    bool same = w->kind == told->kind && (w->kind == GEO_WISH_NOTHING || (apart < TOLD_APART_MS && w->over_ms == told->over_ms));
    if (same)
        return;
    if (geo_journal_told(a->journal, region, w) != MER_OK) /* it holds all the same: the region goes on saying it */
        MER_LOG(&a->log, MER_ERROR, "journal.write", KV_STR("file", a->conf.journal), KV_STR("why", strerror(errno)));
    *told = *w;
    MER_LOG(&a->log, MER_WARN, "region.drain", KV_STR("name", a->footprint.region[region].name),
            KV_BOOL("draining", w->kind == GEO_WISH_DRAIN), KV_STR("by", w->by), KV_STR("reason", w->reason));
}

/* Overrides end by themselves, and that is written down. */
static void read_wishes(struct geo_agent *a, struct geo_wish *wishes)
{
    uint64_t wall_ms = mer_clock_wall_ms(&a->clock);
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        struct geo_wished over = {.by = "meridian-geo", .reason = "its time was over"};
        if (a->wished[i].kind != GEO_WISH_NOTHING && geo_wish_is_over(&a->wished[i], wall_ms) && geo__agent_wish(a, i, &over) != MER_OK)
            MER_LOG_RATE(&a->log, MER_ERROR, "journal.write", KV_STR("file", a->conf.journal), KV_STR("why", strerror(errno)));
        geo_wish_of(&a->wished[i], &a->told[i], wall_ms, a->loop.now_ms, &wishes[i]);
    }
}

/* ---- the state file ------------------------------------------------------------------------------------------------------------------ */

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

/* ---- every second -------------------------------------------------------------------------------------------------------------------- */

void geo__agent_reason(const struct geo_agent *a, uint32_t i, char *out, size_t size)
{
    const struct geo_wished *w = &a->wished[i];
    if (w->kind != GEO_WISH_NOTHING)
        snprintf(out, size, "%s: %s", geo_wish_names[w->kind], w->reason);
    else if (a->told[i].kind == GEO_WISH_DRAIN)
        snprintf(out, size, "drain: %s", a->told[i].reason);
    else if (a->policy.region[i].share > 0)
        snprintf(out, size, "load %d of 1000", (int)a->reading[i].load_permille);
    else
        snprintf(out, size, "%s", a->why[i]);
}

static void tell(struct geo_agent *a, const struct geo_region_state *before)
{
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        const struct geo_region_state *s = &a->policy.region[i];
        if (before[i].out == s->out && before[i].share == s->share && (s->share == 0 || before[i].share_to == s->share_to))
            continue;
        char text[300];
        geo__agent_reason(a, i, text, sizeof text);
        a->changed_ms[i] = a->loop.now_ms;
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
    MER_ASSERT(sizeof before == sizeof fresh);
    memcpy(before, a->policy.region, sizeof before);
    for (uint32_t i = 0; i < a->footprint.count; i++)
        read_region(a, i);
    read_wishes(a, wishes);
    bool changed = geo_policy_step(&a->policy, a->reading, wishes, a->loop.now_ms);
    if (changed)
        tell(a, before);
    if (changed || a->pending)
        write_state(a);
    if (!a->pending)
        a->right_ms = a->loop.now_ms;
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
        a->values[A_TOLD] += a->told[i].kind == GEO_WISH_DRAIN;
    }
    a->values[A_ALL_OUT] = a->policy.all_out;
    a->values[A_STATE_AGE] = (a->loop.now_ms - a->right_ms) / 1000;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

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
        err = geo_journal_open(&a->journal, a->conf.journal, &a->footprint, a->wished, a->told, msg);
    struct geo_reports_conf rc = {&a->loop, &a->log, a->rng, &a->metrics, &a->footprint, &a->conf, a->incarnation, on_drain, a};
    if (err == MER_OK)
        err = geo_reports_create(&a->reports, &rc, msg);
    if (err == MER_OK)
        err = geo_control_create(&a->control, a, msg);
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
    for (uint32_t i = 0; i < a->footprint.count; i++)
        a->changed_ms[i] = a->loop.now_ms;
    enum mer_err err = create_parts(a, msg);
    if (err != MER_OK) {
        geo_agent_destroy(a);
        return err;
    }
    geo__agent_admin(a);
    start_probes(a);
    a->pending = true; /* whatever an earlier agent wrote */
    a->right_ms = a->loop.now_ms;
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
    geo_control_destroy(a->control);
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
