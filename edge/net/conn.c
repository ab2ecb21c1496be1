/* SPDX-License-Identifier: Apache-2.0
 * conn.c - a connection's life after the upgrade: reading, control frames, the close handshake, its one timer.
 *
 * One timer carries all deadlines: the next ping or the end of the linger (due_ms), the end of the peer's silence, a message that takes too
 * long, an outbox that is stuck. Firing looks at each and arms for the nearest; a deadline that moved away costs one firing in vain, which
 * is cheaper than moving the timer with every message.
 *
 * Nobody is called from below edge_conn_send and edge_conn_close: an end is queued and told at the end of the turn (net.c). A message
 * callback may therefore close, or lose through a full area, its own connection: memory stays until then, the loops here look at the state.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "edge/net/net_private.h"

static uint64_t now_ms(const struct edge_conn *c)
{
    return c->net->conf.loop->now_ms;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A 32-bit time near now in full. */
static uint64_t widen(uint64_t now, uint32_t t)
{
    return now + (uint64_t)(int64_t)(int32_t)(t - (uint32_t)now);
}

static uint64_t silent_at(const struct edge_conn *c)
{
    return widen(now_ms(c), c->heard_ms) + (uint64_t)EDGE__HEARTBEATS * c->net->conf.heartbeat_ms;
}

static uint64_t message_at(const struct edge_conn *c)
{
    return c->reader == NULL ? UINT64_MAX : c->reader->since_ms + c->net->conf.message_ms;
}

void edge__conn_arm(struct edge_conn *c)
{
    uint64_t due = widen(now_ms(c), c->due_ms);
    if (c->state == EDGE__OPEN)
        due = min_u64(min_u64(due, silent_at(c)), min_u64(message_at(c), edge__out_deadline_ms(c)));
    mer_wheel_arm(&c->net->conf.loop->wheel, &c->timer, due);
}

void edge__conn_queue_end(struct edge_conn *c)
{
    if (c->flags & EDGE__QUEUED)
        return;
    c->flags |= EDGE__QUEUED;
    c->next = NULL;
    *c->net->ended_tail = c;
    c->net->ended_tail = &c->next;
    edge__net_work(c->net);
}

void edge__conn_drop(struct edge_conn *c)
{
    if (c->state == EDGE__DEAD)
        return;
    c->state = EDGE__DEAD;
    if (c->close_code == 0)
        c->close_code = EDGE_CLOSE_LOST;
    mer_wheel_disarm(&c->net->conf.loop->wheel, &c->timer);
    close(c->fd); /* leaves the epoll set with it: nobody else has this description */
    c->fd = -1;
    edge__conn_queue_end(c);
}

void edge__conn_sent_all(struct edge_conn *c)
{
    if (c->state != EDGE__DRAINING || (c->flags & EDGE__FIN_SENT))
        return;
    c->flags |= EDGE__FIN_SENT;
    if (c->ssl != NULL) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }
    shutdown(c->fd, SHUT_WR);
}

static void closing_begins(struct edge_conn *c, enum edge__state state, uint16_t code)
{
    if (c->state == EDGE__DEAD)
        return;
    if (c->close_code == 0) { /* the linger counts from the first step */
        c->close_code = code;
        c->due_ms = (uint32_t)now_ms(c) + c->net->conf.linger_ms;
    }
    c->state = (uint8_t)state;
    edge__conn_arm(c);
    edge__conn_queue_end(c);
    if (c->cork == 0 && c->outbox == NULL)
        edge__conn_sent_all(c);
}

static void send_close(struct edge_conn *c, uint16_t code, const char *reason)
{
    uint8_t payload[2 + EDGE_CLOSE_REASON_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = reason != NULL ? strnlen(reason, EDGE_CLOSE_REASON_MAX) : 0;
    if (len != 0)
        memcpy(payload + 2, reason, len);
    edge__out_frame(c, EDGE_OP_CLOSE, payload, 2 + len);
}

/* The peer broke a rule: it is told why and not listened to any more. */
static void fault(struct edge_conn *c, uint16_t code)
{
    if (c->state == EDGE__OPEN)
        send_close(c, code, NULL);
    closing_begins(c, EDGE__DRAINING, code);
}

void edge__conn_too_slow(struct edge_conn *c)
{
    edge__count(c->net, EDGE__M_SLOW);
    edge__out_cut(c);
    c->state = EDGE__DRAINING; /* so that the close frame itself is not one too many */
    send_close(c, EDGE_CLOSE_TOO_SLOW, "too_slow");
    closing_begins(c, EDGE__DRAINING, EDGE_CLOSE_TOO_SLOW);
}

void edge_conn_close(struct edge_conn *c, uint16_t code, const char *reason)
{
    MER_ASSERT(code >= EDGE_CLOSE_DONE && code < 5000 && code != EDGE_CLOSE_NONE && code != EDGE_CLOSE_LOST);
    if (c->state != EDGE__OPEN)
        return;
    send_close(c, code, reason);
    if (c->state == EDGE__OPEN)
        closing_begins(c, EDGE__CLOSING, code);
}

bool edge_conn_is_open(const struct edge_conn *c)
{
    return c->state == EDGE__OPEN;
}

size_t edge_conn_unsent(const struct edge_conn *c)
{
    return c->outbox != NULL ? c->outbox->buf.len - c->outbox->head : 0;
}

void edge_conn_send(struct edge_conn *c, enum edge_opcode op, const void *data, size_t len)
{
    if (c->state != EDGE__OPEN)
        return;
    edge__count(c->net, EDGE__M_MESSAGES_OUT);
    edge__out_frame(c, (uint8_t)op, data, len);
}

static void close_came(struct edge_conn *c, const struct edge_event *ev)
{
    uint16_t code = EDGE_CLOSE_NONE, refused = edge_close_parse(ev->data, ev->len, &code);
    if (refused != 0) {
        fault(c, refused);
        return;
    }
    if (c->state == EDGE__OPEN)
        edge__out_frame(c, EDGE_OP_CLOSE, ev->data, ev->len);
    closing_begins(c, EDGE__DRAINING, code);
}

static void control_came(struct edge_conn *c, const struct edge_event *ev)
{
    if (ev->opcode == EDGE_OP_CLOSE) {
        close_came(c, ev);
        return;
    }
    if (!mer_bucket_take(&c->control, c->net->conf.control, now_ms(c))) {
        edge__count(c->net, EDGE__M_FLOODS);
        fault(c, EDGE_CLOSE_POLICY);
        return;
    }
    if (ev->opcode == EDGE_OP_PING && c->state == EDGE__OPEN)
        edge__out_frame(c, EDGE_OP_PONG, ev->data, ev->len);
}

static void feed(struct edge_conn *c, uint8_t *data, size_t len)
{
    const struct edge_net *n = c->net;
    const struct edge_reader_limits limits = {n->conf.max_message_bytes, n->conf.max_fragments};
    bool had_reader = c->reader != NULL;
    while (len != 0 && c->state < EDGE__DRAINING) {
        struct edge_event ev;
        size_t used;
        edge_reader_next(&c->reader, &limits, data, len, &used, &ev);
        data += used;
        len -= used;
        if (ev.kind == EDGE_EVENT_MESSAGE) {
            edge__count(c->net, EDGE__M_MESSAGES_IN);
            if (c->state == EDGE__OPEN)
                n->ops[c->kind]->message(c, (enum edge_opcode)ev.opcode, ev.data, ev.len);
        } else if (ev.kind == EDGE_EVENT_CONTROL) {
            control_came(c, &ev);
        } else if (ev.kind == EDGE_EVENT_FAIL) {
            fault(c, ev.code);
        }
        edge_reader_settle(&c->reader);
    }
    if (c->reader != NULL && c->reader->since_ms == 0) {
        c->reader->since_ms = now_ms(c);
        if (!had_reader && c->state == EDGE__OPEN)
            edge__conn_arm(c);
    }
}

/* > 0: bytes; 0: nothing now; -1: it ended. */
static ssize_t read_plain(struct edge_conn *c)
{
    ssize_t got = recv(c->fd, c->net->in, EDGE__IN_BYTES, 0);
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t read_tls(struct edge_conn *c)
{
    ERR_clear_error();
    int got = SSL_read(c->ssl, c->net->in, EDGE__IN_BYTES);
    if (got > 0)
        return got;
    int why = SSL_get_error(c->ssl, got);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void readable(struct edge_conn *c)
{
    /* A TLS record is read whole, so what is left after the last round is still the kernel's and wakes us again. */
    int rounds = c->ssl != NULL ? EDGE__RECORDS : 1;
    while (rounds-- > 0 && c->state != EDGE__DEAD) {
        ssize_t got = c->ssl != NULL ? read_tls(c) : read_plain(c);
        if (got == 0)
            return;
        if (got < 0) {
            edge__conn_drop(c);
            return;
        }
        c->net->values[EDGE__M_BYTES_IN] += (uint64_t)got;
        c->heard_ms = (uint32_t)now_ms(c);
        feed(c, c->net->in, (size_t)got);
    }
}

void edge__conn_event(struct edge_conn *c, uint32_t events)
{
    if (c->state != EDGE__DEAD && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        readable(c);
    if (c->state != EDGE__DEAD && (events & EPOLLOUT))
        edge__out_writable(c);
}

static void on_timer(struct mer_timer *t)
{
    struct edge_conn *c = MER_CONTAINER_OF(t, struct edge_conn, timer);
    struct edge_net *n = c->net;
    uint64_t now = now_ms(c);
    bool due = widen(now, c->due_ms) <= now;
    if (c->state != EDGE__OPEN) {
        if (due)
            edge__conn_drop(c);
        else
            edge__conn_arm(c);
        return;
    }
    if (silent_at(c) <= now) {
        edge__count(n, EDGE__M_DEAD);
        edge__conn_drop(c);
    } else if (message_at(c) <= now) {
        edge__count(n, EDGE__M_FLOODS);
        fault(c, EDGE_CLOSE_POLICY);
    } else if (edge__out_deadline_ms(c) <= now) {
        edge__conn_too_slow(c);
    } else {
        if (due) {
            edge__count(n, EDGE__M_PINGS);
            c->due_ms = (uint32_t)now + n->conf.heartbeat_ms;
            edge__out_frame(c, EDGE_OP_PING, NULL, 0);
        }
        if (c->state == EDGE__OPEN)
            edge__conn_arm(c);
    }
}

struct edge_conn *edge__conn_open(struct edge_net *n, int fd, SSL *ssl, const struct edge_addr *peer, uint8_t kind, bool tracked)
{
    struct edge_conn *c = mer_slab_try_alloc(&n->slab);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (c == NULL || epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        edge__count(n, EDGE__M_REFUSED_MEMORY);
        if (c != NULL)
            mer_slab_free(&n->slab, c);
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    uint64_t now = n->conf.loop->now_ms;
    c->net = n;
    c->ssl = ssl;
    c->fd = fd;
    c->peer = *peer;
    c->kind = kind;
    c->flags = tracked ? EDGE__TRACKED : 0;
    c->heard_ms = (uint32_t)now;
    /* Random phases: a million clients that came back together must not be pinged together for ever. */
    c->due_ms = (uint32_t)now + 1 + mer_rng_below(&n->conf.rng, n->conf.heartbeat_ms);
    mer_bucket_init(&c->control, n->conf.control, now);
    mer_timer_init(&c->timer, on_timer);
    edge__conn_arm(c);
    n->conn_count++;
    edge__count(n, EDGE__M_OPENED);
    return c;
}

void edge__conn_early(struct edge_conn *c, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len && c->state < EDGE__DRAINING;) {
        size_t n = len - at < EDGE__IN_BYTES ? len - at : EDGE__IN_BYTES;
        memcpy(c->net->in, data + at, n);
        at += n;
        feed(c, c->net->in, n);
    }
    if (c->ssl != NULL && c->state != EDGE__DEAD)
        readable(c);
}

static void release(struct edge_conn *c)
{
    struct edge_net *n = c->net;
    if (c->flags & EDGE__TRACKED)
        edge_throttle_leave(&n->throttle, &c->peer, true);
    edge_reader_free(&c->reader);
    edge__out_free(c);
    SSL_free(c->ssl);
    n->conn_count--;
    mer_slab_free(&n->slab, c);
}

void edge__conn_end(struct edge_conn *c)
{
    struct edge_net *n = c->net;
    c->flags &= (uint8_t)~EDGE__QUEUED;
    if (!(c->flags & EDGE__TOLD)) {
        c->flags |= EDGE__TOLD;
        unsigned i = 0;
        while (edge__close_codes[i] != 0 && edge__close_codes[i] != c->close_code)
            i++;
        n->values[EDGE__M_CLOSED_FIRST + i]++;
        n->ops[c->kind]->closed(c, c->close_code);
    }
    if (c->state == EDGE__DEAD && !(c->flags & EDGE__QUEUED))
        release(c);
}
