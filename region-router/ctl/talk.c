/* SPDX-License-Identifier: Apache-2.0
 * talk.c - one question over a control link (ctl.h). A loop of its own for each process that is asked: there is nothing to share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meridian/link.h>
#include <meridian/loop.h>
#include <meridian/mem.h>
#include <meridian/tls.h>

#include "meridian/internal/v1/internal.pb-c.h"
#include "region-router/ctl/ctl.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

struct talk {
    const struct ctl_args *args;
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_links *links;
    struct mer_link *link;
    struct mer_timer timeout;
    char incarnation[64]; /* the links keep it */
    CV1(Answer) * answer;
    char why[128]; /* the last end of the link */
    bool was_up, elsewhere;
};

static void ask(struct talk *t)
{
    CV1(AskRouter) router = MERIDIAN__CONTROL__V1__ASK_ROUTER__INIT;
    CV1(AskTicket) ticket = MERIDIAN__CONTROL__V1__ASK_TICKET__INIT;
    CV1(AskPlayer) player = MERIDIAN__CONTROL__V1__ASK_PLAYER__INIT;
    CV1(AskGame) game = MERIDIAN__CONTROL__V1__ASK_GAME__INIT;
    CV1(DrainEdge) drain = MERIDIAN__CONTROL__V1__DRAIN_EDGE__INIT;
    CV1(UndrainEdge) undrain = MERIDIAN__CONTROL__V1__UNDRAIN_EDGE__INIT;
    CV1(AskRegions) regions = MERIDIAN__CONTROL__V1__ASK_REGIONS__INIT;
    CV1(AskOutbox) outbox = MERIDIAN__CONTROL__V1__ASK_OUTBOX__INIT;
    CV1(DrainRegion) drain_region = MERIDIAN__CONTROL__V1__DRAIN_REGION__INIT;
    CV1(UndrainRegion) undrain_region = MERIDIAN__CONTROL__V1__UNDRAIN_REGION__INIT;
    CV1(AskJournal) journal = MERIDIAN__CONTROL__V1__ASK_JOURNAL__INIT;
    CV1(AskGeo) geo = MERIDIAN__CONTROL__V1__ASK_GEO__INIT;
    CV1(GeoOverride) override = MERIDIAN__CONTROL__V1__GEO_OVERRIDE__INIT;
    CV1(Ask) a = MERIDIAN__CONTROL__V1__ASK__INIT;
    CV1(ControlMessage) m = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__INIT;
    ticket.ticket_id = player.user = game.game_id = drain.edge = (char *)t->args->subject;
    undrain.edge = drain_region.region = undrain_region.region = override.region = outbox.region = (char *)t->args->subject;
    drain.has_force = drain_region.has_force = override.has_force = true;
    drain.force = drain_region.force = override.force = t->args->force;
    drain_region.has_over_ms = true;
    drain_region.over_ms = t->args->over_ms;
    override.override = t->args->override;
    override.has_share_percent = t->args->share_percent > 0;
    override.share_percent = t->args->share_percent;
    override.has_for_ms = t->args->for_ms > 0;
    override.for_ms = t->args->for_ms;
    a.id = 1;
    a.by = (char *)t->args->by;
    a.reason = (char *)t->args->reason;
    a.has_dry_run = true;
    a.dry_run = t->args->dry_run;
    a.body_case = t->args->question;
    switch (a.body_case) {
    case ASK(TICKET):
        a.ticket = &ticket;
        break;
    case ASK(PLAYER):
        a.player = &player;
        break;
    case ASK(GAME):
        a.game = &game;
        break;
    case ASK(DRAIN_EDGE):
        a.drain_edge = &drain;
        break;
    case ASK(UNDRAIN_EDGE):
        a.undrain_edge = &undrain;
        break;
    case ASK(REGIONS):
        a.regions = &regions;
        break;
    case ASK(OUTBOX):
        a.outbox = &outbox;
        break;
    case ASK(DRAIN_REGION):
        a.drain_region = &drain_region;
        break;
    case ASK(UNDRAIN_REGION):
        a.undrain_region = &undrain_region;
        break;
    case ASK(JOURNAL):
        a.journal = &journal;
        break;
    case ASK(GEO):
        a.geo = &geo;
        break;
    case ASK(GEO_OVERRIDE):
        a.geo_override = &override;
        break;
    default:
        a.router = &router;
    }
    m.body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK;
    m.ask = &a;
    size_t size = meridian__control__v1__control_message__get_packed_size(&m);
    uint8_t *packed = mer_xmalloc(size);
    meridian__control__v1__control_message__pack(&m, packed);
    if (mer_link_send(t->link, packed, size) != MER_OK) {
        strcpy(t->why, "the question is too long");
        mer_loop_stop(&t->loop);
    }
    mer_free(&packed);
}

static void on_up(void *ctx, struct mer_link *l, const struct mer_link_peer *peer)
{
    struct talk *t = ctx;
    (void)l;
    t->was_up = true;
    t->elsewhere = t->args->region != NULL && t->args->whom != CTL_AGENTS && strcmp(t->args->region, peer->region) != 0;
    if (t->elsewhere)
        mer_loop_stop(&t->loop);
    else
        ask(t);
}

static void on_message(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len)
{
    struct talk *t = ctx;
    CV1(ControlMessage) *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    (void)l;
    if (m != NULL && m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ANSWER) {
        t->answer = m->answer;
        m->answer = NULL;
        m->body_case = MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY__NOT_SET;
        mer_loop_stop(&t->loop);
    }
    if (m != NULL)
        meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void on_down(void *ctx, struct mer_link *l, const char *why)
{
    struct talk *t = ctx;
    (void)l;
    if (t->answer == NULL)
        snprintf(t->why, sizeof t->why, "%s", why);
}

static void on_timeout(struct mer_timer *timer)
{
    mer_loop_stop(&MER_CONTAINER_OF(timer, struct talk, timeout)->loop);
}

static const struct mer_link_cbs cbs = {on_up, on_message, on_down};

static enum mer_err run(struct talk *t, const char *address, SSL_CTX *tls)
{
    struct mer_links_conf lc = {.loop = &t->loop,
                                .log = &t->log,
                                .rng = mer_rng_system(),
                                .metrics = &t->metrics,
                                .cbs = &cbs,
                                .ctx = t,
                                .role = MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL,
                                .region = CTL_REGION,
                                .id = "ctl",
                                .incarnation = t->incarnation,
                                .tls_client = tls,
                                .tls_identity = true,
                                .peer_roles = 1u << (t->args->whom == CTL_AGENTS ? MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO
                                                                                 : MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER),
                                .name = "control"};
    snprintf(t->incarnation, sizeof t->incarnation, "ctl.%ld", (long)getpid());
    enum mer_err err = mer_links_create(&t->links, &lc);
    if (err == MER_OK)
        err = mer_link_dial(t->links, address, NULL, &t->link);
    if (err == MER_OK) {
        mer_timer_init(&t->timeout, on_timeout);
        mer_loop_arm(&t->loop, &t->timeout, t->args->timeout_ms);
        mer_loop_run(&t->loop);
        mer_loop_disarm(&t->loop, &t->timeout);
    }
    if (t->links != NULL)
        mer_links_destroy(t->links);
    return err;
}

/* Why a unix socket cannot be opened by us, as far as its file tells; NULL: it does not. */
static const char *shut(const char *address)
{
    bool open = strncmp(address, "unix:", 5) != 0 || access(address + 5, W_OK) == 0;
    return open ? NULL : strerror(errno);
}

enum mer_err ctl_talk(const struct ctl_args *a, const char *address, CV1(Answer) * *answer, struct mer_msg *msg)
{
    struct talk t = {.args = a};
    SSL_CTX *tls = NULL;
    const char *why = shut(address);
    if (why != NULL && errno == EACCES) { /* waiting would not help */
        mer_msgf(msg, "%s: %s", address, why);
        return MER_ECLOSED;
    }
    if (a->cert != NULL && mer_tls_peer_create(&tls, false, a->ca, a->cert, a->key, msg) != MER_OK)
        return MER_ETLS;
    mer_log_init(&t.log, STDERR_FILENO, MER_ERROR, mer_clock_system());
    mer_metrics_init(&t.metrics);
    if (mer_loop_init(&t.loop, mer_clock_system()) != 0) {
        SSL_CTX_free(tls);
        mer_msgf(msg, "no event loop");
        return MER_EIO;
    }
    enum mer_err err = run(&t, address, tls);
    why = t.was_up ? NULL : shut(address);
    mer_loop_deinit(&t.loop);
    SSL_CTX_free(tls);
    *answer = t.answer;
    if (t.elsewhere)
        return MER_ENOTFOUND;
    if (err != MER_OK)
        mer_msgf(msg, "%s: %s", address, mer_err_text(err));
    else if (t.answer == NULL)
        mer_msgf(msg, "%s: %s%s%s%s", address,
                 t.why[0] != 0 ? t.why
                 : t.was_up    ? "no answer in time"
                               : "nobody there in time",
                 why != NULL ? " (" : "", why != NULL ? why : "", why != NULL ? ")" : "");
    return err != MER_OK ? err : t.answer != NULL ? MER_OK : t.was_up ? MER_ETIMEOUT : MER_ECLOSED;
}
