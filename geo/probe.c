/* SPDX-License-Identifier: Apache-2.0
 * probe.c - probe.h.
 *
 *   IDLE --second--> OPENING --connected--> UPGRADING --101--> ECHOING --the same bytes--> good, IDLE
 *                        any --close, wrong answer, a second over--> bad, IDLE
 *
 * The client's side of RFC 6455 in its smallest form: one masked text frame there, the same unmasked back. It comes as a page of that port
 * would: an edge may refuse who names no origin, and always takes its own. */
#include "geo/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

static void begin(struct geo_probe *p);

static void end(struct geo_probe *p, enum geo_verdict verdict, const char *fmt, ...) MER_PRINTF(3, 4);
static void end(struct geo_probe *p, enum geo_verdict verdict, const char *fmt, ...)
{
    const struct geo_probe_conf *c = p->conf;
    struct mer_stream *stream = p->stream;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, args);
    va_end(args);
    uint64_t took_us = c->loop->clock.mono_us(c->loop->clock.ctx) - p->began_us;
    p->verdict = verdict;
    p->state = GEO_PROBE_IDLE;
    p->stream = NULL;
    if (verdict == GEO_GOOD)
        p->took_us = (uint32_t)took_us;
    *(verdict == GEO_BAD ? &p->bad : &p->good) += 1;
    if (stream != NULL)
        mer_stream_close(stream);
    uint64_t took_ms = took_us / 1000;
    mer_loop_arm(c->loop, &p->timer, took_ms < GEO_PROBE_PERIOD_MS ? GEO_PROBE_PERIOD_MS - took_ms : 1);
}

static void on_timer(struct mer_timer *t)
{
    struct geo_probe *p = MER_CONTAINER_OF(t, struct geo_probe, timer);
    static const char *const doing[] = {"", "connecting", "upgrading", "waiting for the echo"};
    if (p->state == GEO_PROBE_IDLE)
        begin(p);
    else
        end(p, GEO_BAD, "no end within %d ms: %s", GEO_PROBE_TIMEOUT_MS, doing[p->state]);
}

static void send_frame(struct geo_probe *p)
{
    uint8_t frame[6 + sizeof p->payload] = {0x81, 0x80 | sizeof p->payload};
    p->conf->rng.fill(p->conf->rng.ctx, frame + 2, 4);
    for (size_t i = 0; i < sizeof p->payload; i++) {
        p->payload[i] = (uint8_t)('a' + mer_rng_below(&p->conf->rng, 26));
        frame[6 + i] = p->payload[i] ^ frame[2 + i % 4];
    }
    if (mer_stream_write(p->stream, frame, sizeof frame) != MER_OK)
        end(p, GEO_BAD, "out of memory");
}

/* The heads of the answer, when they are all there. */
static void take_upgrade(struct geo_probe *p)
{
    uint8_t *stop = p->in.len == 0 ? NULL : memmem(p->in.data, p->in.len, "\r\n\r\n", 4);
    unsigned status = 0;
    if (stop == NULL)
        return;
    *stop = '\0';
    if (sscanf((char *)p->in.data, "HTTP/1.1 %3u", &status) != 1)
        end(p, GEO_BAD, "no HTTP answer");
    else if (status == 503)
        end(p, GEO_UNKNOWN, "busy");
    else if (status != 101)
        end(p, GEO_BAD, "status %u", status);
    if (p->state != GEO_PROBE_UPGRADING)
        return;
    mer_buf_consume(&p->in, (size_t)(stop - p->in.data) + 4);
    p->state = GEO_PROBE_ECHOING;
    send_frame(p);
}

static void take_echo(struct geo_probe *p)
{
    if (p->in.len < 2 + sizeof p->payload)
        return;
    bool same = p->in.data[0] == 0x81 && p->in.data[1] == sizeof p->payload && memcmp(p->in.data + 2, p->payload, sizeof p->payload) == 0;
    end(p, same ? GEO_GOOD : GEO_BAD, "%s", same ? "" : "another message came back");
}

static void on_open(void *ctx)
{
    struct geo_probe *p = ctx;
    char request[1024];
    uint8_t nonce[16], key[25];
    p->conf->rng.fill(p->conf->rng.ctx, nonce, sizeof nonce);
    EVP_EncodeBlock(key, nonce, sizeof nonce);
    int len = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s://%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: %s\r\n\r\n",
        p->conf->path, p->conf->name, p->conf->tls != NULL ? "https" : "http", p->conf->name, (char *)key);
    p->state = GEO_PROBE_UPGRADING;
    if (mer_stream_write(p->stream, request, (size_t)len) != MER_OK)
        end(p, GEO_BAD, "out of memory");
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct geo_probe *p = ctx;
    if (p->stream == NULL)
        return; /* ended; its last bytes */
    if (mer_buf_append(&p->in, data, len) != MER_OK) {
        end(p, GEO_BAD, "an answer of more than %d bytes", GEO_PROBE_ANSWER_MAX);
        return;
    }
    if (p->state == GEO_PROBE_UPGRADING)
        take_upgrade(p);
    if (p->state == GEO_PROBE_ECHOING)
        take_echo(p);
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    struct geo_probe *p = ctx;
    if (p->stream == NULL)
        return; /* by us, after its end */
    p->stream = NULL;
    end(p, GEO_BAD, "%s", why == MER_OK ? "closed by the other side" : text != NULL ? text : mer_err_text(why));
}

static const struct mer_stream_cbs cbs = {on_open, on_data, on_close};

static void begin(struct geo_probe *p)
{
    const struct geo_probe_conf *c = p->conf;
    struct mer_stream_conf sc = {.loop = c->loop,
                                 .cbs = &cbs,
                                 .ctx = p,
                                 .tls = c->tls,
                                 .tls_name = c->name,
                                 .connect_timeout_ms = GEO_PROBE_TIMEOUT_MS,
                                 .write_limit_bytes = GEO_PROBE_ANSWER_MAX};
    mer_buf_clear(&p->in);
    p->state = GEO_PROBE_OPENING;
    p->began_us = c->loop->clock.mono_us(c->loop->clock.ctx);
    if (mer_stream_connect(&p->stream, &sc, p->address) != MER_OK) {
        p->stream = NULL;
        end(p, GEO_UNKNOWN, "no probe could be made here");
        return;
    }
    mer_loop_arm(c->loop, &p->timer, GEO_PROBE_TIMEOUT_MS);
}

void geo_probe_start(struct geo_probe *p, const struct geo_probe_conf *conf, const char *address, uint16_t port)
{
    *p = (struct geo_probe){.conf = conf};
    snprintf(p->address, sizeof p->address, geo_address_is_v6(address) ? "[%s]:%u" : "%s:%u", address, port);
    mer_buf_init(&p->in, GEO_PROBE_ANSWER_MAX);
    mer_timer_init(&p->timer, on_timer);
    begin(p);
}

void geo_probe_stop(struct geo_probe *p)
{
    struct mer_stream *stream = p->stream;
    p->stream = NULL;
    mer_loop_disarm(p->conf->loop, &p->timer);
    if (stream != NULL)
        mer_stream_close(stream);
    mer_buf_deinit(&p->in);
}
