/* SPDX-License-Identifier: Apache-2.0
 * link.c - the life of links: listening, dialling again and again, silence, closing.
 *
 *   dialled:  DOWN --timer--> CONNECTING --open--> OPENING --hello--> UP
 *   accepted:                                      OPENING --hello--> UP        any --close, error, silence--> DOWN
 *
 * DOWN of an accepted link is its end; a dialled one waits 50 ms .. 2 s (full jitter) and tries again until it is closed. Attempts are
 * forgotten only after a link was up for a while, so a peer that refuses us after the hello is not hammered.
 *
 * A stream is let go before anybody is told (its callbacks are cut off), so memory of link and stream never depend on each other's order.
 * Next: link_frame.c. */
#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#include "link_private.h"

enum {
    TICK_MS = 500,   /* half a heartbeat: silence is noticed within 3.5 s */
    STALL_MS = 1000, /* a tick this late: we slept, not the peer */
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 2000,
    STABLE_MS = 2000, /* up for so long: the next attempt is the first again */
    CONNECT_MS = 3000,
    STREAM_LIMIT = 2 * MER_LINK_QUEUE_MAX, /* above the queue, so that heads still fit */
};

/* Names become meridian_link_<name of the links>_<this>: a process has several `links`. */
static const struct mer_metric_def metric_defs[M_COUNT] = {
    [M_UP] = {"up", "links that are up now", MER_GAUGE},
    [M_OPENED] = {"opened_total", "links that came up"},
    [M_CLOSED] = {"closed_total", "links closed by us or by the peer"},
    [M_HOSTILE] = {"hostile_total", "links closed because the peer broke the protocol"},
    [M_DUPLICATE] = {"duplicate_total", "links that lost to another one of the same pair"},
    [M_SILENT] = {"silent_total", "links closed because nothing was heard for 3 s"},
    [M_DIAL_FAILED] = {"dial_failed_total", "attempts that got no connection"},
    [M_REFUSED] = {"refused_total", "accepted connections refused: too many links"},
    [M_TLS_FAILED] = {"tls_failed_total", "connections that ended before they were a link because of TLS: certificate, version, or no TLS"},
    [M_IMPOSTOR] = {"impostors_total", "links refused because the certificate names somebody else than the hello"},
    [M_IN] = {"messages_received_total", "messages received"},
    [M_OUT] = {"messages_sent_total", "messages sent"},
    [M_BYTES_IN] = {"received_bytes_total", "bytes received, with heads"},
    [M_BYTES_OUT] = {"sent_bytes_total", "bytes sent, with heads"},
    [M_REPEATED] = {"repeated_total", "messages dropped because their sequence was seen before"},
    [M_HEARTBEATS] = {"heartbeats_total", "frames sent without a message"},
    [M_BUSY] = {"busy_total", "messages refused or links closed because a queue was full"},
};

static void dial(struct mer_link *l);
static void link_free(struct mer_deferred *d);
static void on_timer(struct mer_timer *t);

/* ---- streams ------------------------------------------------------------------------------------------------------------------------- */

static void ignore_open(void *ctx)
{
    (void)ctx;
}
static void ignore_data(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
}
static void ignore_close(void *ctx, enum mer_err why, const char *text)
{
    (void)ctx, (void)why, (void)text;
}
static const struct mer_stream_cbs cut_off = {ignore_open, ignore_data, ignore_close};

static void stream_on_open(void *ctx)
{
    struct mer_link *l = ctx;
    if (l->state != LINK_CONNECTING) /* accepted: the peer speaks first */
        return;
    l->state = LINK_OPENING;
    mer__link_say_hello(l);
}

static void stream_on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct mer_link *l = ctx;
    l->heard_ms = l->links->conf.loop->now_ms;
    l->links->values[M_BYTES_IN] += len;
    if (mer_link_reader_feed(&l->reader, data, len) != MER_OK)
        mer__link_down(l, M_BUSY, mer_err_text(MER_ENOMEM));
    else
        mer__link_frames(l);
}

static void stream_on_close(void *ctx, enum mer_err why, const char *text)
{
    struct mer_link *l = ctx;
    l->absent = l->state == LINK_CONNECTING && why == MER_EREFUSED ? l->absent + (l->absent < UINT8_MAX) : 0;
    enum link_metric cause = why == MER_ETLS && l->state != LINK_UP ? M_TLS_FAILED : l->state == LINK_CONNECTING ? M_DIAL_FAILED : M_CLOSED;
    mer__link_down(l, cause, text != NULL && *text ? text : mer_err_text(why));
}
static const struct mer_stream_cbs stream_cbs = {stream_on_open, stream_on_data, stream_on_close};

bool mer_link_absent(const struct mer_link *l)
{
    return l->absent >= ABSENT_DIALS;
}

static void let_stream_go(struct mer_link *l)
{
    struct mer_stream *s = l->stream;
    l->stream = NULL;
    mer_stream_set_ctx(s, &cut_off, NULL);
    mer_stream_flush(s);
    mer_stream_close(s);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

static struct mer_link *link_new(struct mer_links *ls, bool dialled)
{
    struct mer_link *l = mer_try_calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->links = ls;
    l->dialled = dialled;
    mer_list_init(&l->node);
    mer_timer_init(&l->timer, on_timer);
    mer_link_reader_init(&l->reader);
    mer_buf_init(&l->waiting, 0);
    mer_deferred_init(&l->free_later, link_free);
    mer_list_push_back(&ls->all, &l->node);
    return l;
}

static void forget_peer(struct mer_link *l)
{
    free((char *)l->peer.region);
    free((char *)l->peer.id);
    free((char *)l->peer.incarnation);
    l->peer = (struct mer_link_peer){0};
}

static void link_free(struct mer_deferred *d)
{
    struct mer_link *l = MER_CONTAINER_OF(d, struct mer_link, free_later);
    forget_peer(l);
    mer_link_reader_deinit(&l->reader);
    mer_buf_deinit(&l->waiting);
    mer_free(&l->address);
    mer_free(&l->expect);
    mer_free(&l->twin);
    free(l);
}

static void release(struct mer_link *l)
{
    struct mer_links *ls = l->links;
    if (!l->dialled)
        ls->accepted--;
    l->closed = true;
    mer_loop_disarm(ls->conf.loop, &l->timer);
    mer_list_remove(&l->node);
    mer_loop_defer(ls->conf.loop, &l->free_later);
}

static void arm_retry(struct mer_link *l)
{
    unsigned shift = l->attempts < 6 ? l->attempts : 6;
    uint32_t cap = RETRY_MIN_MS << shift;
    if (cap > RETRY_MAX_MS)
        cap = RETRY_MAX_MS;
    l->attempts++;
    mer_loop_arm(l->links->conf.loop, &l->timer, 1 + mer_rng_below(&l->links->conf.rng, cap));
}

/* Numbers of one life; memory of the reader stays while a frame of it may be on the stack. */
static void reset(struct mer_link *l)
{
    forget_peer(l);
    mer_link_reader_clear(&l->reader);
    mer_buf_clear(&l->waiting);
    mer_buf_trim(&l->waiting);
    l->seq_out = l->seq_in = l->acked = 0;
    l->credit = l->owed = 0;
    l->allowed = MER_LINK_CREDIT;
    l->ping = l->rtt_us = 0;
    l->pinged_us = 0;
}

static void start_life(struct mer_link *l, enum link_state state)
{
    struct mer_loop *loop = l->links->conf.loop;
    reset(l);
    l->state = state;
    l->heard_ms = l->sent_ms = l->ticked_ms = loop->now_ms;
    mer_loop_arm(loop, &l->timer, TICK_MS);
}

void mer__link_down(struct mer_link *l, enum link_metric cause, const char *why)
{
    struct mer_links *ls = l->links;
    if (l->state == LINK_DOWN)
        return;
    bool was_up = l->state == LINK_UP;
    l->state = LINK_DOWN;
    mer_loop_disarm(ls->conf.loop, &l->timer);
    ls->values[cause]++;
    if (cause == M_HOSTILE || cause == M_TLS_FAILED || cause == M_IMPOSTOR)
        MER_LOG_RATE(ls->conf.log, MER_WARN, cause == M_IMPOSTOR ? "link.impostor" : "link.refused", KV_STR("links", ls->conf.name),
                     KV_STR("peer", l->peer.incarnation), KV_STR("address", mer_stream_peer(l->stream)), KV_STR("why", why));
    else if (was_up)
        MER_LOG(ls->conf.log, MER_INFO, "link.down", KV_STR("links", ls->conf.name), KV_STR("peer", l->peer.incarnation),
                KV_STR("why", why));
    let_stream_go(l);
    if (was_up) {
        ls->values[M_UP]--;
        if (ls->conf.loop->now_ms - l->up_ms >= STABLE_MS)
            l->attempts = 0;
        l->in_down = true;
        if (!ls->destroyed)
            ls->conf.cbs->on_down(ls->conf.ctx, l, why);
        l->in_down = false;
    }
    if (l->closed || !l->dialled)
        release(l);
    else
        arm_retry(l);
}

void mer__link_lost_to_twin(struct mer_link *l, const char *incarnation)
{
    if (l->dialled && l->twin == NULL)
        l->twin = mer_try_strdup(incarnation); /* without memory it is only dialled too often */
    mer__link_down(l, M_DUPLICATE, "another link of this pair won");
}

static bool twin_is_up(const struct mer_link *l)
{
    MER_LIST_EACH (it, &l->links->all) {
        const struct mer_link *o = MER_LIST_ENTRY(it, struct mer_link, node);
        if (o != l && o->state == LINK_UP && strcmp(o->peer.incarnation, l->twin) == 0)
            return true;
    }
    return false;
}

static void dial(struct mer_link *l)
{
    const struct mer_links_conf *c = &l->links->conf;
    if (l->twin != NULL) {
        if (twin_is_up(l)) {
            mer_loop_arm(c->loop, &l->timer, TICK_MS);
            return;
        }
        mer_free(&l->twin);
    }
    struct mer_stream_conf sc = {.loop = c->loop,
                                 .cbs = &stream_cbs,
                                 .ctx = l,
                                 .tls = c->tls_client,
                                 .tls_any_name = c->tls_identity,
                                 .connect_timeout_ms = CONNECT_MS,
                                 .write_limit_bytes = STREAM_LIMIT};
    if (mer_stream_connect(&l->stream, &sc, l->address) != MER_OK) {
        l->links->values[M_DIAL_FAILED]++;
        arm_retry(l);
        return;
    }
    start_life(l, LINK_CONNECTING);
}

static void on_accept(void *ctx, struct mer_stream *s)
{
    struct mer_links *ls = ctx;
    struct mer_link *l = ls->accepted < ls->conf.accepted_max ? link_new(ls, false) : NULL;
    if (l == NULL) {
        ls->values[M_REFUSED]++;
        mer_stream_set_ctx(s, &cut_off, NULL);
        mer_stream_close(s);
        return;
    }
    ls->accepted++;
    l->stream = s;
    mer_stream_set_ctx(s, &stream_cbs, l);
    start_life(l, LINK_OPENING);
}

static void on_timer(struct mer_timer *t)
{
    struct mer_link *l = MER_CONTAINER_OF(t, struct mer_link, timer);
    struct mer_loop *loop = l->links->conf.loop;
    if (l->state == LINK_DOWN) {
        dial(l);
        return;
    }
    uint64_t now = loop->now_ms;
    if (now - l->ticked_ms > TICK_MS + STALL_MS)
        l->heard_ms = now; /* what the peer said meanwhile is still in the kernel */
    l->ticked_ms = now;
    if (now - l->heard_ms >= MER_LINK_SILENCE_MS) {
        mer__link_down(l, M_SILENT, l->state == LINK_UP ? "silent" : "no hello in time");
        return;
    }
    mer_loop_arm(loop, &l->timer, TICK_MS);
    if (l->state != LINK_UP)
        return;
    if (l->links->conf.between_regions && now - l->ping_ms >= MER_LINK_HEARTBEAT_MS - TICK_MS / 2)
        mer__link_ping(l);
    else if (now - l->sent_ms >= MER_LINK_HEARTBEAT_MS - TICK_MS / 2)
        mer__link_heartbeat(l);
}

/* ---- public -------------------------------------------------------------------------------------------------------------------------- */

static void links_free(struct mer_deferred *d)
{
    struct mer_links *ls = MER_CONTAINER_OF(d, struct mer_links, free_later);
    SSL_CTX_free(ls->conf.tls_client);
    SSL_CTX_free(ls->conf.tls_server);
    free(ls->scratch);
    free(ls);
}

void mer_links_set_tls(struct mer_links *ls, SSL_CTX *client, SSL_CTX *server)
{
    SSL_CTX *old_client = ls->conf.tls_client, *old_server = ls->conf.tls_server;
    if (client != NULL)
        SSL_CTX_up_ref(client);
    if (server != NULL)
        SSL_CTX_up_ref(server);
    ls->conf.tls_client = client;
    ls->conf.tls_server = server;
    if (ls->listener != NULL)
        mer_listener_set_tls(ls->listener, server);
    SSL_CTX_free(old_client);
    SSL_CTX_free(old_server);
}

enum mer_err mer_links_create(struct mer_links **out, const struct mer_links_conf *conf)
{
    struct mer_links *ls = mer_try_calloc(1, sizeof *ls);
    uint8_t *scratch = mer_try_malloc(MER_LINK_FRAME_MAX + 4);
    if (ls == NULL || scratch == NULL) {
        free(ls);
        free(scratch);
        return MER_ENOMEM;
    }
    ls->conf = *conf;
    ls->conf.tls_client = ls->conf.tls_server = NULL;
    mer_links_set_tls(ls, conf->tls_client, conf->tls_server);
    ls->scratch = scratch;
    if (ls->conf.name == NULL)
        ls->conf.name = "peer";
    if (ls->conf.accepted_max == 0)
        ls->conf.accepted_max = MER_LINK_ACCEPTED_MAX;
    mer_list_init(&ls->all);
    mer_deferred_init(&ls->free_later, links_free);
    for (size_t i = 0; i < M_COUNT; i++) {
        (void)snprintf(ls->names[i], sizeof ls->names[i], "meridian_link_%s_%s", ls->conf.name, metric_defs[i].name);
        ls->defs[i] = metric_defs[i];
        ls->defs[i].name = ls->names[i];
    }
    mer_metrics_add(conf->metrics, &ls->set, ls->defs, M_COUNT, ls->values);
    *out = ls;
    return MER_OK;
}

enum mer_err mer_links_listen(struct mer_links *ls, const char *address, struct mer_msg *msg)
{
    MER_ASSERT(ls->listener == NULL);
    struct mer_stream_conf sc = {.loop = ls->conf.loop,
                                 .cbs = &cut_off,
                                 .tls = ls->conf.tls_server,
                                 .connect_timeout_ms = CONNECT_MS,
                                 .write_limit_bytes = STREAM_LIMIT};
    return mer_listener_open(&ls->listener, &sc, address, on_accept, ls, msg);
}

const char *mer_links_address(const struct mer_links *ls)
{
    return mer_listener_address(ls->listener);
}

enum mer_err mer_link_dial(struct mer_links *ls, const char *address, void *user, struct mer_link **out)
{
    struct mer_link *l = link_new(ls, true);
    if (l == NULL)
        return MER_ENOMEM;
    l->user = user;
    l->address = mer_try_strdup(address);
    if (l->address == NULL) {
        release(l);
        return MER_ENOMEM;
    }
    mer_loop_arm(ls->conf.loop, &l->timer, 0); /* from the loop: the caller sets things up first */
    *out = l;
    return MER_OK;
}

enum mer_err mer_link_expect(struct mer_link *l, const char *incarnation)
{
    char *copy = mer_try_strdup(incarnation);
    if (copy == NULL)
        return MER_ENOMEM;
    free(l->expect);
    l->expect = copy;
    return MER_OK;
}

bool mer_link_is_up(const struct mer_link *l)
{
    return l->state == LINK_UP;
}

void *mer_link_user(const struct mer_link *l)
{
    return l->user;
}

void mer_link_set_user(struct mer_link *l, void *user)
{
    l->user = user;
}

const struct mer_link_peer *mer_link_peer(const struct mer_link *l)
{
    return l->state == LINK_UP ? &l->peer : NULL;
}

void mer_link_who(const struct mer_link *l, char *out, size_t size)
{
    char name[65] = "";
    uint32_t uid;
    X509 *cert = l->stream != NULL ? mer_stream_peer_cert(l->stream) : NULL;
    out[0] = '\0';
    if (cert != NULL) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
        for (char *c = name; *c != '\0'; c++)
            *c = *c < ' ' || *c > '~' ? '?' : *c; /* only our own authority signs, but it goes into logs and terminals */
        snprintf(out, size, "certificate %s", name);
        X509_free(cert);
    } else if (l->stream != NULL && mer_stream_peer_uid(l->stream, &uid)) {
        snprintf(out, size, "uid %u", uid);
    }
}

size_t mer_link_queued(const struct mer_link *l)
{
    return l->state == LINK_UP ? l->waiting.len + mer_stream_unsent(l->stream) : 0;
}

uint32_t mer_link_rtt_us(const struct mer_link *l)
{
    return l->state == LINK_UP ? l->rtt_us : 0;
}

void mer_link_close(struct mer_link *l)
{
    if (l->closed)
        return;
    l->closed = true;
    if (l->state != LINK_DOWN)
        mer__link_down(l, M_CLOSED, "closed by us");
    else if (!l->in_down)
        release(l);
}

void mer_link_reset(struct mer_link *l)
{
    mer__link_down(l, M_HOSTILE, "the peer sent what is no message");
}

void mer_links_destroy(struct mer_links *ls)
{
    if (ls == NULL || ls->destroyed)
        return;
    ls->destroyed = true;
    if (ls->listener != NULL)
        mer_listener_close(ls->listener);
    ls->listener = NULL;
    while (!mer_list_empty(&ls->all))
        mer_link_close(MER_LIST_ENTRY(ls->all.next, struct mer_link, node));
    mer_metrics_remove(&ls->set);
    mer_loop_defer(ls->conf.loop, &ls->free_later);
}
