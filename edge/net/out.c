/* SPDX-License-Identifier: Apache-2.0
 * out.c - writing to players. What is sent during a turn is corked in one area shared by all connections: frames of one connection that
 * follow each other lie in one segment, others are chained, and at the end of the turn each connection gets one system call. Only what the
 * kernel does not take is copied to memory of the connection's own (the outbox), which later frames then join directly, and which is freed
 * when it is empty.
 *
 * Why no buffer a connection: at a million connections nearly all are idle, and an echo needs its 34 bytes for microseconds.
 *
 * Invariants: a connection has a cork or an outbox, never both with content; a segment holds whole frames; nothing here calls back to the
 * owner of a connection. Slow readers: bounded in bytes (checked when a frame is added) and time (the connection's timer). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <openssl/err.h>

#include <meridian/mem.h>

#include "edge/net/net_private.h"

enum { IOVECS = 64 };

static size_t unsent(const struct edge_outbox *o)
{
    return o->buf.len - o->head;
}

/* How far the frames that begin at p reach beyond `sent` bytes of them. */
static size_t frame_rest(const uint8_t *p, size_t sent)
{
    size_t at = 0;
    while (at < sent)
        at += edge_frame_out_len(p + at);
    return at - sent;
}

static void want_write(struct edge_conn *c, bool want)
{
    if (want == ((c->flags & EDGE__WANT_WRITE) != 0))
        return;
    c->flags ^= EDGE__WANT_WRITE;
    struct epoll_event ev = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(c->net->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* > 0: taken; 0: not now; -1: lost. */
static ssize_t write_tls(struct edge_conn *c, const uint8_t *p, size_t n)
{
    ERR_clear_error();
    int got = SSL_write(c->ssl, p, (int)(n < EDGE__RECORD_BYTES ? n : EDGE__RECORD_BYTES));
    if (got > 0)
        return got;
    int why = SSL_get_error(c->ssl, got);
    return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
}

static ssize_t write_plain(struct edge_conn *c, const uint8_t *p, size_t n)
{
    ssize_t got = send(c->fd, p, n, MSG_NOSIGNAL);
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static ssize_t write_some(struct edge_conn *c, const uint8_t *p, size_t n)
{
    ssize_t got = c->ssl != NULL ? write_tls(c, p, n) : write_plain(c, p, n);
    if (got > 0)
        c->net->values[EDGE__M_BYTES_OUT] += (uint64_t)got;
    return got;
}

static struct edge_outbox *need_outbox(struct edge_conn *c)
{
    if (c->outbox == NULL) {
        c->outbox = mer_try_calloc(1, sizeof(*c->outbox));
        if (c->outbox == NULL)
            return NULL;
        mer_buf_init(&c->outbox->buf, 0);
        c->outbox->mark_ms = c->net->conf.loop->now_ms;
    }
    return c->outbox;
}

void edge__out_free(struct edge_conn *c)
{
    if (c->outbox == NULL)
        return;
    mer_buf_deinit(&c->outbox->buf);
    mer_free(&c->outbox);
}

/* Out of memory for a player's bytes loses the player, who comes back. */
static bool outbox_add(struct edge_conn *c, const void *p, size_t n)
{
    struct edge_outbox *o = need_outbox(c);
    if (o == NULL || mer_buf_append(&o->buf, p, n) != MER_OK) {
        edge__conn_drop(c);
        return false;
    }
    return true;
}

static void outbox_progress(struct edge_conn *c, size_t n)
{
    struct edge_outbox *o = c->outbox;
    const uint8_t *next = o->buf.data + o->head + o->frame_rest;
    o->frame_rest = n <= o->frame_rest ? o->frame_rest - n : frame_rest(next, n - o->frame_rest);
    o->head += n;
    o->tls_tried = 0;
    if (n < o->mark) {
        o->mark -= n;
        return;
    }
    o->mark = unsent(o);
    o->mark_ms = c->net->conf.loop->now_ms;
}

void edge__out_writable(struct edge_conn *c)
{
    struct edge_outbox *o = c->outbox;
    while (o != NULL && unsent(o) != 0) {
        ssize_t got = write_some(c, o->buf.data + o->head, unsent(o));
        if (got < 0) {
            edge__conn_drop(c);
            return;
        }
        if (got == 0) {
            o->tls_tried = c->ssl == NULL ? 0 : unsent(o) < EDGE__RECORD_BYTES ? unsent(o) : EDGE__RECORD_BYTES;
            if (o->head > unsent(o)) {
                mer_buf_consume(&o->buf, o->head);
                o->head = 0;
            }
            want_write(c, true);
            if (c->state == EDGE__OPEN)
                edge__conn_arm(c);
            return;
        }
        outbox_progress(c, (size_t)got);
    }
    edge__out_free(c);
    want_write(c, false);
    edge__conn_sent_all(c);
}

void edge__out_cut(struct edge_conn *c)
{
    struct edge_outbox *o = c->outbox;
    if (o == NULL)
        return;
    size_t keep = o->frame_rest;
    while (keep < o->tls_tried)
        keep += edge_frame_out_len(o->buf.data + o->head + keep);
    o->buf.len = o->head + keep;
}

uint64_t edge__out_deadline_ms(const struct edge_conn *c)
{
    return c->outbox == NULL ? UINT64_MAX : c->outbox->mark_ms + c->net->conf.outbox_ms;
}

static struct edge__segment *segment_at(struct edge_net *n, uint32_t at)
{
    return (struct edge__segment *)(void *)(n->area + at);
}

/* What a connection's cork still has from `s` on, the first `skip` bytes of it gone, goes to the outbox. */
static void cork_to_outbox(struct edge_conn *c, const struct edge__segment *s, size_t skip)
{
    if (!outbox_add(c, s->bytes + skip, s->len - skip))
        return;
    c->outbox->frame_rest = frame_rest(s->bytes, skip);
    while (s->next != 0) {
        s = segment_at(c->net, s->next);
        if (!outbox_add(c, s->bytes, s->len))
            return;
    }
    c->outbox->mark = unsent(c->outbox);
    if (c->ssl != NULL) { /* the record that did not go is tried again as it was */
        edge__out_writable(c);
        return;
    }
    want_write(c, true);
    if (c->state == EDGE__OPEN)
        edge__conn_arm(c);
}

/* Several segments in one system call. Returns the first segment that was not wholly taken, NULL when all was; *skip: what of it was. */
static struct edge__segment *write_chain(struct edge_conn *c, struct edge__segment *s, size_t *skip)
{
    while (s != NULL) {
        struct iovec v[IOVECS];
        int n = 0;
        struct edge__segment *end = s;
        for (; end != NULL && n < IOVECS; end = end->next != 0 ? segment_at(c->net, end->next) : NULL)
            v[n++] = (struct iovec){end->bytes, end->len};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
        ssize_t got = sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            edge__conn_drop(c);
            return NULL;
        }
        size_t left = got > 0 ? (size_t)got : 0;
        c->net->values[EDGE__M_BYTES_OUT] += left;
        for (; s != end && left >= s->len; s = s->next != 0 ? segment_at(c->net, s->next) : NULL)
            left -= s->len;
        if (s != end) {
            *skip = left;
            return s;
        }
    }
    return NULL;
}

static void flush_one(struct edge_conn *c, struct edge__segment *s)
{
    size_t skip = 0;
    if (c->ssl == NULL && s->next != 0) {
        s = write_chain(c, s, &skip);
    } else {
        while (s != NULL) {
            ssize_t got = write_some(c, s->bytes + skip, s->len - skip);
            if (got < 0) {
                edge__conn_drop(c);
                return;
            }
            skip += (size_t)got;
            if (skip < s->len && (got == 0 || c->ssl == NULL))
                break;
            if (skip == s->len) {
                s = s->next != 0 ? segment_at(c->net, s->next) : NULL;
                skip = 0;
            }
        }
    }
    if (s != NULL)
        cork_to_outbox(c, s, skip);
    else if (c->state != EDGE__OPEN)
        edge__conn_sent_all(c);
}

void edge__out_flush_all(struct edge_net *n)
{
    for (uint32_t i = 0; i < n->cork_count; i++) {
        struct edge_conn *c = n->corks[i].c;
        c->cork = 0;
        if (c->state != EDGE__DEAD)
            flush_one(c, segment_at(n, n->corks[i].first));
    }
    n->cork_count = 0;
    n->area_len = 0;
}

/* Room for n bytes at the end of what the connection has corked; NULL when the area is full. */
static uint8_t *cork_room(struct edge_conn *c, size_t n)
{
    struct edge_net *net = c->net;
    struct edge__cork *k = c->cork != 0 ? &net->corks[c->cork - 1] : NULL;
    if (k != NULL) {
        struct edge__segment *last = segment_at(net, k->last);
        uint8_t *end = last->bytes + last->len;
        if (end == net->area + net->area_len && n <= EDGE__AREA_BYTES - net->area_len) {
            last->len += (uint32_t)n;
            net->area_len += (uint32_t)n;
            return end;
        }
    }
    uint32_t at = (net->area_len + 7) & ~7u;
    if (at + sizeof(struct edge__segment) + n > EDGE__AREA_BYTES || (k == NULL && net->cork_count == EDGE__CORKS))
        return NULL;
    struct edge__segment *s = segment_at(net, at);
    s->next = 0;
    s->len = (uint32_t)n;
    net->area_len = at + (uint32_t)(sizeof(*s) + n);
    if (k != NULL) {
        segment_at(net, k->last)->next = at;
    } else {
        if (net->cork_count == 0)
            edge__net_work(net);
        k = &net->corks[net->cork_count++];
        k->c = c;
        k->first = at;
        c->cork = net->cork_count;
    }
    k->last = at;
    return s->bytes;
}

static void frame_to_outbox(struct edge_conn *c, const uint8_t *header, size_t h, const void *data, size_t len)
{
    size_t before = c->outbox != NULL ? unsent(c->outbox) : 0;
    if (before != 0 && before + h + len > c->net->conf.outbox_bytes && c->state == EDGE__OPEN) {
        edge__conn_too_slow(c);
        return;
    }
    if (!outbox_add(c, header, h) || (len != 0 && !outbox_add(c, data, len)))
        return;
    if (before == 0) {
        c->outbox->mark = unsent(c->outbox);
        edge__out_writable(c);
    }
}

void edge__out_frame(struct edge_conn *c, uint8_t opcode, const void *data, size_t len)
{
    uint8_t header[EDGE_FRAME_OUT_HEADER_MAX];
    size_t h = edge_frame_header(header, opcode, len);
    uint8_t *room = NULL;
    if (c->outbox == NULL) {
        room = cork_room(c, h + len);
        if (room == NULL) { /* full: everybody's goes now */
            edge__out_flush_all(c->net);
            if (c->state == EDGE__DEAD)
                return;
            if (c->outbox == NULL)
                room = cork_room(c, h + len);
        }
    }
    if (room == NULL) {
        frame_to_outbox(c, header, h, data, len);
        return;
    }
    memcpy(room, header, h);
    if (len != 0)
        memcpy(room + h, data, len);
}
