/* SPDX-License-Identifier: Apache-2.0
 * control.c - see control.h. Everything is answered at once. Owner: the agent. Next: override.h. */
#include "geo/control.h"

#include <stdio.h>
#include <string.h>

#include <meridian/ask.h>
#include <meridian/link.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "geo/agent_private.h"
#include "geo/override.h"

#include "meridian/internal/v1/internal.pb-c.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x
#define ANSWER(x) MERIDIAN__CONTROL__V1__ANSWER__BODY_##x

enum { M_ASKED, M_BAD, M_REFUSED, M_DONE, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_ASKED] = {"meridian_geo_control_asks_total", "questions and orders of operators"},
    [M_BAD] = {"meridian_geo_control_bad_messages_total", "control links closed because of a message that is none"},
    [M_REFUSED] = {"meridian_geo_control_refused_total", "asks of operators that were not answered with OK"},
    [M_DONE] = {"meridian_geo_control_orders_total", "overrides that were made or taken back"},
};

struct geo_control {
    struct geo_agent *agent;
    struct mer_links *links;
    uint8_t *scratch;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* ---- answering ----------------------------------------------------------------------------------------------------------------------- */

static void answer_with(struct geo_control *c, struct mer_link *l, CV1(Answer) * answer)
{
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ANSWER;
    m.answer = answer;
    c->values[M_REFUSED] += answer->code != CODE(OK);
    size_t size = meridian__control__v1__control_message__get_packed_size(&m);
    MER_ASSERT(size <= MER_LINK_PAYLOAD_MAX); /* GEO_REGIONS_MAX regions with bounded texts */
    meridian__control__v1__control_message__pack(&m, c->scratch);
    if (mer_link_send(l, c->scratch, size) != MER_OK)
        mer_link_reset(l); /* who does not read his answers asks again */
}

static void say(struct geo_control *c, struct mer_link *l, uint64_t id, CV1(AnswerCode) code, const char *why)
{
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    a.id = id;
    a.code = code;
    a.why = (char *)why;
    answer_with(c, l, &a);
}

static CV1(Override) override_of(const struct geo_wished *w)
{
    static const CV1(Override)
        names[GEO_WISH_KINDS] = {MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_NONE, MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_DOWN,
                                 MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_UP, MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_SHARE};
    return names[w->kind];
}

static void tell_wish(const struct geo_agent *a, uint32_t i, CV1(GeoRegion) * r)
{
    const struct geo_wished *w = &a->wished[i], *told = &a->told[i];
    uint64_t wall_ms = mer_clock_wall_ms(&a->clock);
    bool mine = w->kind != GEO_WISH_NOTHING, theirs = told->kind == GEO_WISH_DRAIN;
    r->has_override = mine;
    r->override = override_of(w);
    r->has_expires_ms = mine && w->until_ms > 0;
    r->expires_ms = w->until_ms > wall_ms ? w->until_ms - wall_ms : 0;
    r->has_draining = theirs;
    r->draining = theirs;
    if (mine || theirs) {
        r->by = (char *)(mine ? w->by : told->by);
        r->reason = (char *)(mine ? w->reason : told->reason);
    }
}

enum { WHY_BYTES = 300 };

static void tell_region(const struct geo_agent *a, uint32_t i, CV1(GeoRegion) * r, char why[WHY_BYTES])
{
    const struct geo_region_state *s = &a->policy.region[i];
    const struct geo_report report = geo_reports_of(a->reports, i);
    *r = (CV1(GeoRegion))MERIDIAN__CONTROL__V1__GEO_REGION__INIT;
    r->name = a->footprint.region[i].name;
    r->health = (char *)(s->health == GEO_UP ? "up" : "down");
    r->out = s->out;
    r->guarded = s->guarded;
    r->stuck = s->stuck;
    r->share_percent = s->share;
    r->share_to = s->share > 0 ? a->footprint.region[s->share_to].name : NULL;
    geo__agent_reason(a, i, why, WHY_BYTES);
    r->why = why;
    r->since_ms = a->loop.now_ms - a->changed_ms[i];
    r->has_report_age_ms = r->has_players = report.known;
    r->report_age_ms = report.age_ms;
    r->players = report.players;
    r->has_load_permille = a->reading[i].load_permille >= 0;
    r->load_permille = r->has_load_permille ? (uint32_t)a->reading[i].load_permille : 0;
    tell_wish(a, i, r);
}

static void ask_geo(struct geo_control *c, struct mer_link *l, uint64_t id)
{
    const struct geo_agent *a = c->agent;
    CV1(GeoRegion) row[GEO_REGIONS_MAX], *rows[GEO_REGIONS_MAX];
    char why[GEO_REGIONS_MAX][WHY_BYTES];
    CV1(GeoState) g = MERIDIAN__CONTROL__V1__GEO_STATE__INIT;
    CV1(Answer) answer = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    for (uint32_t i = 0; i < a->footprint.count; i++) {
        tell_region(a, i, &row[i], why[i]);
        rows[i] = &row[i];
    }
    g.agent = (char *)a->incarnation;
    g.all_out = a->policy.all_out;
    g.pending = a->pending;
    g.n_regions = a->footprint.count;
    g.regions = rows;
    answer.id = id;
    answer.code = CODE(OK);
    answer.body_case = ANSWER(GEO);
    answer.geo = &g;
    answer_with(c, l, &answer);
}

/* ---- overrides ----------------------------------------------------------------------------------------------------------------------- */

/* Who is there beside who he says he is: "ana (certificate ana)". */
static void sign(struct mer_link *l, struct geo_wished *w)
{
    char who[80], said[GEO_WISH_BY_BYTES];
    mer_link_who(l, who, sizeof who);
    snprintf(said, sizeof said, "%.*s", (int)sizeof said - 1, w->by);
    if (who[0] != '\0')
        snprintf(w->by, sizeof w->by, "%s (%s)", said, who);
}

static void ask_override(struct geo_control *c, struct mer_link *l, const CV1(Ask) * ask)
{
    struct geo_agent *a = c->agent;
    struct geo_wish wishes[GEO_REGIONS_MAX];
    struct geo_wished w;
    struct mer_msg msg = {{0}};
    uint64_t wall_ms = mer_clock_wall_ms(&a->clock);
    uint32_t region;
    bool force = ask->geo_override->has_force && ask->geo_override->force;
    enum mer_err err = geo_override_read(ask, &a->footprint, &region, &w, &msg);
    if (err != MER_OK) {
        say(c, l, ask->id, err == MER_ENOTFOUND ? CODE(NOT_FOUND) : CODE(INVALID), msg.text);
        return;
    }
    for (uint32_t i = 0; i < a->footprint.count; i++)
        geo_wish_of(&a->wished[i], &a->told[i], wall_ms, a->loop.now_ms, &wishes[i]);
    err = geo_override_check(&a->policy, wishes, region, &w, force, &msg);
    if (err == MER_OK && !(ask->has_dry_run && ask->dry_run)) {
        w.until_ms += w.until_ms > 0 ? wall_ms : 0;
        sign(l, &w);
        err = geo__agent_wish(a, region, &w);
        if (err != MER_OK)
            mer_msgf(&msg, "the journal could not be written: nothing was done");
        c->values[M_DONE] += err == MER_OK;
    }
    say(c, l, ask->id, err == MER_OK ? CODE(OK) : err == MER_EBUSY ? CODE(REFUSED) : CODE(UNAVAILABLE), msg.text);
}

/* ---- links --------------------------------------------------------------------------------------------------------------------------- */

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct geo_control *c = ctx;
    CV1(ControlMessage) *m = mer_ask_read(payload, len);
    if (m == NULL) {
        c->values[M_BAD]++;
        mer_link_reset(l);
        return;
    }
    const char *wrong = mer_ask_objection(m->ask, m->ask->body_case == ASK(GEO_OVERRIDE));
    c->values[M_ASKED]++;
    if (wrong != NULL)
        say(c, l, m->ask->id, CODE(INVALID), wrong);
    else if (m->ask->body_case == ASK(GEO))
        ask_geo(c, l, m->ask->id);
    else if (m->ask->body_case == ASK(GEO_OVERRIDE))
        ask_override(c, l, m->ask);
    else
        say(c, l, m->ask->id, CODE(INVALID), "that is for a router, or newer than this geo agent");
    meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *peer)
{
    (void)ctx, (void)l, (void)peer;
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    (void)ctx, (void)l, (void)why; /* nothing waits for anybody */
}

static const struct mer_link_cbs cbs = {on_up, on_message, on_down};

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

enum mer_err geo_control_create(struct geo_control **out, struct geo_agent *a, struct mer_msg *msg)
{
    const struct geo_config *conf = &a->conf;
    SSL_CTX *tls = NULL;
    struct geo_control *c;
    *out = NULL;
    if (conf->control_listen[0] == '\0')
        return MER_OK;
    bool secure = conf->tls_cert[0] != '\0' && strncmp(conf->control_listen, "unix:", 5) != 0; /* a file's rights say who may */
    if (secure && mer_tls_peer_create(&tls, true, conf->tls_ca, conf->tls_cert, conf->tls_key, msg) != MER_OK)
        return MER_ETLS;
    *out = c = mer_xcalloc(1, sizeof *c);
    c->agent = a;
    c->scratch = mer_xmalloc(MER_LINK_PAYLOAD_MAX);
    mer_metrics_add(&a->metrics, &c->set, metrics, M_COUNT, c->values);
    struct mer_links_conf lc = {.loop = &a->loop,
                                .log = &a->log,
                                .rng = a->rng,
                                .metrics = &a->metrics,
                                .cbs = &cbs,
                                .ctx = c,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO,
                                .region = "global",
                                .id = conf->id,
                                .incarnation = a->incarnation,
                                .tls_server = tls,
                                .tls_identity = true,
                                .peer_roles = 1u << MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL,
                                .name = "control"};
    enum mer_err err = mer_links_create(&c->links, &lc);
    SSL_CTX_free(tls); /* the links have their own reference */
    return err == MER_OK ? mer_links_listen(c->links, conf->control_listen, msg) : err;
}

void geo_control_destroy(struct geo_control *c)
{
    if (c == NULL)
        return;
    if (c->links != NULL)
        mer_links_destroy(c->links);
    mer_metrics_remove(&c->set);
    mer_free(&c->scratch);
    mer_free(&c);
}
