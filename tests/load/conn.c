/* SPDX-License-Identifier: Apache-2.0
 * conn.c - a client's connection above the bytes: upgrade, messages from frames, pings answered, close frames understood.
 *
 * Input is looked at where it was read; only what is left of an unfinished frame is kept in `in`, so an idle connection holds no buffer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/net_private.h"
#include "tests/load/ws.h"

enum { CLOSE_PROTOCOL = 1002, MESSAGE_MAX = 1 << 20 };

static enum mer_err write_get(struct load_conn *c)
{
    return mer_buf_appendf(&c->out, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c->get, c->url->authority);
}

static enum mer_err write_upgrade(struct load_conn *c)
{
    char key[LOAD_WS_KEY_BYTES];
    bool back = c->session != NULL && c->session[0] != 0;
    load_ws_key(c->net->rng, key, c->accept);
    return mer_buf_appendf(&c->out,
                           "GET %s%s%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                           c->url->path, back ? "?session=" : "", back ? c->session : "", c->url->authority, key, c->net->subprotocol);
}

void load__conn_request(struct load_conn *c)
{
    enum mer_err err = c->get ? write_get(c) : write_upgrade(c);
    if (err != MER_OK || !load__conn_flush(c))
        load__conn_fail_text(c, "cut by the peer");
}

static void fail_protocol(struct load_conn *c)
{
    uint8_t code[2] = {CLOSE_PROTOCOL >> 8, CLOSE_PROTOCOL & 255};
    (void)!load_conn_send(c, LOAD_WS_CLOSE, code, sizeof(code)); /* the socket may be gone already */
    load__conn_fail_text(c, "the server broke the WebSocket protocol");
}

/* "code;retry=MS;region=NAME;edge=ID" */
static void closed_by_server(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct load_end end = {.close_code = 1005};
    if (len >= 2) {
        end.close_code = data[0] << 8 | data[1];
        snprintf(end.reason, sizeof(end.reason), "%.*s", (int)(len - 2), (const char *)data + 2);
    }
    const char *retry = strstr(end.reason, "retry=");
    if (retry)
        end.retry_ms = (uint32_t)strtoul(retry + 6, NULL, 10);
    (void)!load_conn_send(c, LOAD_WS_CLOSE, data, len < 2 ? 0 : 2); /* the answer; the socket may be gone already */
    load__conn_fail(c, &end);
}

static void control(struct load_conn *c, uint8_t opcode, const uint8_t *data, size_t len)
{
    if (opcode == LOAD_WS_CLOSE)
        closed_by_server(c, data, len);
    else if (opcode == LOAD_WS_PING)
        (void)!load_conn_send(c, LOAD_WS_PONG, data, len); /* a failing socket is noticed when it is read */
}

static void frame(struct load_conn *c, const struct load_frame *f, const uint8_t *data)
{
    bool first = f->opcode != LOAD_WS_CONT;
    if (f->opcode & 8) {
        control(c, f->opcode, data, f->len);
        return;
    }
    if (first == (c->message_opcode != 0) || c->message.len + f->len > MESSAGE_MAX) {
        fail_protocol(c);
        return;
    }
    if (first && f->fin) {
        c->cbs->on_message(c, data, f->len);
        return;
    }
    if (first)
        c->message_opcode = f->opcode;
    if (mer_buf_append(&c->message, data, f->len) != MER_OK) {
        load__conn_fail_text(c, "out of memory");
        return;
    }
    if (!f->fin)
        return;
    struct mer_buf whole = c->message;
    mer_buf_init(&c->message, 0);
    c->message_opcode = 0;
    c->cbs->on_message(c, whole.data, whole.len);
    mer_buf_deinit(&whole);
}

/* Bytes used up. */
static size_t upgrade(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct load_end end = {0};
    int used = load_ws_answer((const char *)data, len, c->accept, c->net->subprotocol, &end.status, &end.retry_ms);
    if (used == 0)
        return 0;
    if (used < 0 || end.status != 101) {
        snprintf(end.reason, sizeof(end.reason), used < 0 ? "not HTTP" : "the upgrade was refused");
        load__conn_fail(c, &end);
        return 0;
    }
    c->state = LOAD_CONN_OPEN;
    c->cbs->on_open(c);
    return (size_t)used;
}

/* Whole frames out of data; returns bytes used up. */
static size_t consume(struct load_conn *c, const uint8_t *data, size_t len)
{
    uint32_t generation = c->generation;
    size_t used = c->state == LOAD_CONN_UPGRADE ? upgrade(c, data, len) : 0;
    while (c->generation == generation && c->state == LOAD_CONN_OPEN) {
        struct load_frame f;
        int got = load_ws_frame(data + used, len - used, &f);
        if (got < 0) {
            fail_protocol(c);
            break;
        }
        if (got == 0 || len - used < f.header + f.len)
            break;
        const uint8_t *payload = data + used + f.header;
        used += f.header + f.len;
        frame(c, &f, payload);
    }
    return used;
}

void load__conn_input(struct load_conn *c, const uint8_t *data, size_t len)
{
    uint32_t generation = c->generation;
    struct mer_buf joined = c->in;
    if (joined.len > 0) {
        mer_buf_init(&c->in, 0); /* ours until the end: callbacks may close the connection */
        if (mer_buf_append(&joined, data, len) != MER_OK) {
            mer_buf_deinit(&joined);
            load__conn_fail_text(c, "out of memory");
            return;
        }
        data = joined.data;
        len = joined.len;
    } else {
        joined = (struct mer_buf){0};
    }
    size_t used = consume(c, data, len);
    if (c->generation == generation && c->state != LOAD_CONN_DOWN && used < len &&
        mer_buf_append(&c->in, data + used, len - used) != MER_OK)
        load__conn_fail_text(c, "out of memory");
    mer_buf_deinit(&joined);
}

enum mer_err load_conn_send(struct load_conn *c, uint8_t opcode, const void *data, size_t len)
{
    if (c->state != LOAD_CONN_OPEN)
        return MER_ECLOSED;
    enum mer_err err = load_ws_pack(&c->out, opcode, data, len, c->net->rng);
    if (err != MER_OK)
        return err;
    (void)load__conn_flush(c); /* a failed socket is readable: told from there */
    return MER_OK;
}
