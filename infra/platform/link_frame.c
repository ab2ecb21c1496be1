/* SPDX-License-Identifier: Apache-2.0
 * link_frame.c - what is said on a link: hello, messages with sequence and acknowledgement, credit, heartbeats.
 *
 * Every check on what a peer says is here (hostile input: closed with a reason, counted). The dialling side says hello first, the accepting
 * one answers: an accepted link is up when it answered, a dialled one when the answer came. A message repeats nothing and skips nothing:
 * the stream below is reliable, so a skipped sequence is a bug or an attack; a repeated one is dropped and counted.
 * Next: link.c. */
#include <string.h>

#include <meridian/mem.h>
#include <meridian/tls.h>

#include "link_private.h"

enum { VERSION = 1, ID_MAX = 96, CREDIT_MAX = 1024 * 1024, HEAD = 4 };

static void hostile(struct mer_link *l, const char *why)
{
    mer__link_down(l, M_HOSTILE, why);
}

static enum mer_err write_frame(struct mer_link *l, const Meridian__Internal__V1__LinkFrame *f)
{
    struct mer_links *ls = l->links;
    size_t n = meridian__internal__v1__link_frame__get_packed_size(f);
    if (n > MER_LINK_FRAME_MAX)
        return MER_ERANGE;
    ls->scratch[0] = (uint8_t)(n >> 24);
    ls->scratch[1] = (uint8_t)(n >> 16);
    ls->scratch[2] = (uint8_t)(n >> 8);
    ls->scratch[3] = (uint8_t)n;
    meridian__internal__v1__link_frame__pack(f, ls->scratch + HEAD);
    enum mer_err err = mer_stream_write(l->stream, ls->scratch, HEAD + n);
    if (err == MER_OK) {
        l->sent_ms = ls->conf.loop->now_ms;
        ls->values[M_BYTES_OUT] += HEAD + n;
    }
    return err;
}

/* Heads that go along with every frame; a grant when it is worth one. */
static void fill_heads(struct mer_link *l, Meridian__Internal__V1__LinkFrame *f, uint32_t grant_from)
{
    f->seq = l->seq_out;
    f->ack = l->seq_in;
    if (l->owed >= grant_from) {
        f->has_credit = 1;
        f->credit = l->owed;
    }
}

static void granted(struct mer_link *l, const Meridian__Internal__V1__LinkFrame *f)
{
    if (f->has_credit) {
        l->allowed += f->credit;
        l->owed -= f->credit;
    }
}

static void send_bare(struct mer_link *l, Meridian__Internal__V1__LinkFrame *f)
{
    fill_heads(l, f, 1);
    if (write_frame(l, f) != MER_OK) {
        mer__link_down(l, M_BUSY, "the peer does not read");
        return;
    }
    granted(l, f);
    l->links->values[M_HEARTBEATS]++;
}

void mer__link_heartbeat(struct mer_link *l)
{
    Meridian__Internal__V1__LinkFrame f = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    send_bare(l, &f);
}

/* ---- round trip ---------------------------------------------------------------------------------------------------------------------- */

static uint64_t mono_us(const struct mer_link *l)
{
    const struct mer_clock *c = &l->links->conf.loop->clock;
    return c->mono_us(c->ctx);
}

void mer__link_ping(struct mer_link *l)
{
    Meridian__Internal__V1__LinkFrame f = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    l->ping_ms = l->links->conf.loop->now_ms;
    if (l->pinged_us == 0) {
        l->pinged_us = mono_us(l);
        f.has_ping = 1;
        f.ping = ++l->ping;
    }
    send_bare(l, &f);
}

static void take_ping(struct mer_link *l, uint32_t ping)
{
    Meridian__Internal__V1__LinkFrame f = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    f.has_pong = 1;
    f.pong = ping;
    send_bare(l, &f);
}

/* Seven parts of what was known and one of what is new, as TCP does. */
static void take_pong(struct mer_link *l)
{
    uint64_t us = mono_us(l) - l->pinged_us;
    uint32_t sample = us < 1 ? 1 : us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)us;
    l->pinged_us = 0;
    l->rtt_us = l->rtt_us == 0 ? sample : (uint32_t)(((uint64_t)l->rtt_us * 7 + sample) / 8);
}

void mer__link_say_hello(struct mer_link *l)
{
    const struct mer_links_conf *c = &l->links->conf;
    Meridian__Internal__V1__Hello h = MERIDIAN__INTERNAL__V1__HELLO__INIT;
    h.version = VERSION;
    h.role = (Meridian__Internal__V1__Role)c->role;
    h.region = (char *)c->region;
    h.id = (char *)c->id;
    h.incarnation = (char *)c->incarnation;
    h.credit = MER_LINK_CREDIT;
    Meridian__Internal__V1__LinkFrame f = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    f.hello = &h;
    if (write_frame(l, &f) != MER_OK)
        mer__link_down(l, M_BUSY, "hello could not be sent");
}

static enum mer_err transmit(struct mer_link *l, const void *payload, size_t len)
{
    Meridian__Internal__V1__LinkFrame f = MERIDIAN__INTERNAL__V1__LINK_FRAME__INIT;
    fill_heads(l, &f, MER_LINK_CREDIT / 4);
    f.seq = l->seq_out + 1;
    f.has_payload = 1;
    f.payload.data = (uint8_t *)payload;
    f.payload.len = len;
    enum mer_err err = write_frame(l, &f);
    if (err != MER_OK)
        return err;
    granted(l, &f);
    l->seq_out++;
    l->credit--;
    l->links->values[M_OUT]++;
    return MER_OK;
}

enum mer_err mer_link_send(struct mer_link *l, const void *payload, size_t len)
{
    if (l->state != LINK_UP)
        return MER_ECLOSED;
    if (len == 0 || len > MER_LINK_PAYLOAD_MAX)
        return MER_ERANGE;
    if (l->waiting.len + mer_stream_unsent(l->stream) + len > MER_LINK_QUEUE_MAX) {
        l->links->values[M_BUSY]++;
        return MER_EBUSY;
    }
    if (l->credit > 0 && l->waiting.len == 0)
        return transmit(l, payload, len);
    uint32_t n = (uint32_t)len;
    enum mer_err err = mer_buf_reserve(&l->waiting, sizeof n + len);
    if (err != MER_OK)
        return err;
    memcpy(l->waiting.data + l->waiting.len, &n, sizeof n);
    memcpy(l->waiting.data + l->waiting.len + sizeof n, payload, len);
    l->waiting.len += sizeof n + len;
    return MER_OK;
}

static void send_waiting(struct mer_link *l)
{
    size_t at = 0;
    while (l->credit > 0 && at < l->waiting.len) {
        uint32_t n;
        memcpy(&n, l->waiting.data + at, sizeof n);
        if (transmit(l, l->waiting.data + at + sizeof n, n) != MER_OK) {
            mer__link_down(l, M_BUSY, "the peer does not read"); /* a later message must not overtake this one */
            return;
        }
        at += sizeof n + n;
    }
    mer_buf_consume(&l->waiting, at);
    mer_buf_trim(&l->waiting);
}

/* [A-Za-z0-9._-]{1,96}: it goes into logs and keys. */
static bool name_ok(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > ID_MAX)
        return false;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* NULL, or why this peer is not wanted. */
static bool of_no_region(uint32_t role)
{
    return role == MERIDIAN__INTERNAL__V1__ROLE__ROLE_GEO || role == MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL;
}

static const char *judge_hello(struct mer_link *l, const Meridian__Internal__V1__Hello *h)
{
    const struct mer_links_conf *c = &l->links->conf;
    if (h->version != VERSION)
        return "hello: another version of the link layer";
    if (h->role <= MERIDIAN__INTERNAL__V1__ROLE__ROLE_UNSPECIFIED || h->role > MERIDIAN__INTERNAL__V1__ROLE__ROLE_CTL)
        return "hello: unknown role";
    if (c->peer_roles != 0 && (c->peer_roles & 1u << h->role) == 0)
        return "hello: this role has no business here";
    if (!name_ok(h->region) || !name_ok(h->id) || !name_ok(h->incarnation))
        return "hello: not a name";
    if (c->between_regions && strcmp(h->region, c->region) == 0)
        return "hello: our own region";
    bool worldwide = c->between_regions || of_no_region(c->role) || of_no_region(h->role);
    if (!worldwide && strcmp(h->region, c->region) != 0)
        return "hello: another region";
    if (strcmp(h->incarnation, c->incarnation) == 0)
        return "hello: that is ourselves";
    if (l->expect != NULL && strcmp(h->incarnation, l->expect) != 0) {
        l->absent = ABSENT_DIALS;
        return "hello: somebody else is at this address";
    }
    if (h->credit == 0 || h->credit > CREDIT_MAX)
        return "hello: credit out of range";
    struct mer_link_peer peer = {.role = h->role, .region = h->region, .id = h->id, .incarnation = h->incarnation};
    return c->admit != NULL ? c->admit(c->ctx, l, &peer) : NULL;
}

/* Does the certificate say what the hello says? */
static bool is_impostor(const struct mer_link *l, const Meridian__Internal__V1__Hello *h)
{
    static const char *const roles[] = {NULL, "edge", "router", "geo", "ctl"};
    const struct mer_links_conf *c = &l->links->conf;
    if (!c->tls_identity || (l->dialled ? c->tls_client : c->tls_server) == NULL)
        return false;
    X509 *cert = mer_stream_peer_cert(l->stream);
    const char *role = (unsigned)h->role < MER_COUNT(roles) ? roles[h->role] : NULL;
    bool same = cert != NULL && role != NULL && mer_tls_identity_is(cert, h->region, role);
    X509_free(cert);
    return !same;
}

static bool dialled_by_smaller(const struct mer_link *l, const char *peer)
{
    bool ours_smaller = strcmp(l->links->conf.incarnation, peer) < 0;
    return l->dialled == ours_smaller;
}

/* Is there room for this link beside the others of the pair? May bring an older one down; false when `l` went down itself. */
static bool settle_twins(struct mer_link *l, const Meridian__Internal__V1__Hello *h)
{
    const char *peer = h->incarnation;
    MER_LIST_EACH_SAFE (it, &l->links->all) {
        struct mer_link *o = MER_LIST_ENTRY(it, struct mer_link, node);
        if (o == l)
            continue;
        /* Of its own region: a certificate of one region must not push out the links of another. */
        if (o->state == LINK_UP && strcmp(o->peer.incarnation, peer) == 0 && strcmp(o->peer.region, h->region) == 0) {
            if (o->dialled != l->dialled && dialled_by_smaller(o, peer)) {
                if (!l->dialled) /* so that the other side knows whom it reached, and does not dial again and again */
                    mer__link_say_hello(l);
                mer__link_lost_to_twin(l, peer);
                return false;
            }
            mer__link_lost_to_twin(o, peer);
            return l->stream != NULL; /* the user may have closed it meanwhile */
        }
        /* Ours, which would win, is on its way: not bringing this one up at all loses nothing. */
        bool dialling = o->dialled && (o->state == LINK_CONNECTING || o->state == LINK_OPENING);
        if (!l->dialled && dialling && o->expect != NULL && strcmp(o->expect, peer) == 0 && dialled_by_smaller(o, peer)) {
            mer__link_lost_to_twin(l, peer);
            return false;
        }
    }
    return true;
}

static bool keep_peer(struct mer_link *l, const Meridian__Internal__V1__Hello *h)
{
    l->peer.role = h->role;
    l->peer.region = mer_try_strdup(h->region);
    l->peer.id = mer_try_strdup(h->id);
    l->peer.incarnation = mer_try_strdup(h->incarnation);
    return l->peer.region != NULL && l->peer.id != NULL && l->peer.incarnation != NULL;
}

static void take_hello(struct mer_link *l, const Meridian__Internal__V1__LinkFrame *f)
{
    if (is_impostor(l, f->hello)) {
        mer__link_down(l, M_IMPOSTOR, "the certificate names somebody else");
        return;
    }
    const char *why = judge_hello(l, f->hello);
    if (why == NULL && (f->has_payload || f->has_ping || f->has_pong || f->seq != 0 || f->ack != 0))
        why = "hello: with something else";
    if (why != NULL) {
        hostile(l, why);
        return;
    }
    if (!settle_twins(l, f->hello))
        return;
    if (!keep_peer(l, f->hello)) {
        mer__link_down(l, M_BUSY, mer_err_text(MER_ENOMEM));
        return;
    }
    if (!l->dialled) {
        mer__link_say_hello(l);
        if (l->stream == NULL)
            return;
    }
    struct mer_links *ls = l->links;
    l->credit = f->hello->credit;
    l->state = LINK_UP;
    l->up_ms = ls->conf.loop->now_ms;
    ls->values[M_UP]++;
    ls->values[M_OPENED]++;
    MER_LOG(ls->conf.log, MER_INFO, "link.up", KV_STR("links", ls->conf.name), KV_STR("peer", l->peer.incarnation),
            KV_BOOL("dialled", l->dialled));
    ls->conf.cbs->on_up(ls->conf.ctx, l, &l->peer);
    if (l->state == LINK_UP && ls->conf.between_regions)
        mer__link_ping(l);
}

static void take_payload(struct mer_link *l, const ProtobufCBinaryData *payload)
{
    struct mer_links *ls = l->links;
    l->seq_in++;
    l->allowed--;
    l->owed++;
    ls->values[M_IN]++;
    ls->conf.cbs->on_message(ls->conf.ctx, l, payload->data, payload->len);
    if (l->state == LINK_UP && l->owed >= MER_LINK_CREDIT / 2)
        mer__link_heartbeat(l);
}

/* A frame of a link that is up. */
static void take_frame(struct mer_link *l, const Meridian__Internal__V1__LinkFrame *f)
{
    if (f->hello != NULL) {
        hostile(l, "a second hello");
    } else if (f->ack > l->seq_out || f->ack < l->acked) {
        hostile(l, "acknowledges what was never sent");
    } else if (f->has_credit && (f->credit > CREDIT_MAX || l->credit + f->credit > CREDIT_MAX)) {
        hostile(l, "credit out of range");
    } else if (f->has_pong && (l->pinged_us == 0 || f->pong != l->ping)) {
        hostile(l, "answers a ping that was not sent");
    } else if (!f->has_payload && f->seq != l->seq_in) {
        hostile(l, "heartbeat of another sequence: something was lost");
    } else if (f->has_payload && f->seq > l->seq_in + 1) {
        hostile(l, "a sequence was skipped");
    } else if (f->has_payload && f->payload.len == 0) {
        hostile(l, "empty payload");
    } else if (f->has_payload && f->seq == l->seq_in + 1 && l->allowed == 0) {
        hostile(l, "sent beyond its credit");
    } else {
        l->acked = f->ack;
        if (f->has_pong)
            take_pong(l);
        if (f->has_credit) {
            l->credit += f->credit;
            send_waiting(l);
        }
        if (l->state == LINK_UP && f->has_payload) {
            if (f->seq <= l->seq_in)
                l->links->values[M_REPEATED]++;
            else
                take_payload(l, &f->payload);
        }
        if (l->state == LINK_UP && f->has_ping)
            take_ping(l, f->ping);
    }
}

void mer__link_frames(struct mer_link *l)
{
    while (l->stream != NULL) {
        const uint8_t *data;
        size_t len;
        enum mer_err err = mer_link_reader_next(&l->reader, &data, &len);
        if (err == MER_EAGAIN)
            return;
        if (err != MER_OK) {
            hostile(l, "frame length out of range");
            return;
        }
        Meridian__Internal__V1__LinkFrame *f = meridian__internal__v1__link_frame__unpack(NULL, len, data);
        if (f == NULL)
            hostile(l, "not a link frame");
        else if (l->state == LINK_UP)
            take_frame(l, f);
        else if (f->hello == NULL)
            hostile(l, "the first frame is no hello");
        else
            take_hello(l, f);
        if (f != NULL)
            meridian__internal__v1__link_frame__free_unpacked(f, NULL);
    }
}
