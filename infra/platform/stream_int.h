/* SPDX-License-Identifier: Apache-2.0
 * stream_int.h - what stream.c, stream_tls.c and stream_listen.c share. */
#pragma once

#include <meridian/stream.h>

enum {
    STREAM_READ_BYTES = 32 * 1024, /* one read of the kernel's buffer; no special reason */
    STREAM_TEXT_BYTES = 160,
    STREAM_HOST_BYTES = 256,
};

struct mer_stream {
    struct mer_loop *loop;
    const struct mer_stream_cbs *cbs; /* NULL: accepted and not taken yet */
    void *ctx;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } h;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    struct mer_timer timer;     /* armed from connect/accept until on_open; firing closes: MER_ETIMEOUT */
    struct mer_deferred flush;  /* queued by a write, at the end of the turn */
    struct mer_buf plain;       /* TLS: written by the owner, not encrypted yet */
    struct mer_buf out, flying; /* for the kernel; flying is libuv's until its callback */
    size_t write_limit;
    SSL *ssl;
    BIO *from_peer, *to_peer; /* the SSL's */
    uint32_t port;
    bool is_unix, open, closing, writing, resolving, handle_closed;
    enum mer_err why;
    char text[STREAM_TEXT_BYTES];
    char host[STREAM_HOST_BYTES]; /* mer_stream_peer */
    uint8_t in[STREAM_READ_BYTES];
};

/* A stream with its libuv handle initialised; NULL when memory is out. */
struct mer_stream *mer__stream_new(const struct mer_stream_conf *conf, bool is_unix);
/* Of an accepted one, after uv_accept: starts reading and the handshake. */
void mer__stream_accepted(struct mer_stream *s, uint32_t timeout_ms);
/* Marks closed and starts the end; only the first reason counts. */
void mer__stream_fail(struct mer_stream *s, enum mer_err why, const char *text);
void mer__stream_opened(struct mer_stream *s);

struct mer__address {
    bool is_unix;
    char host[STREAM_HOST_BYTES]; /* or path */
    uint16_t port;
};
MER_MUST_CHECK enum mer_err mer__address_parse(struct mer__address *out, const char *text);

MER_MUST_CHECK enum mer_err mer__stream_tls_start(struct mer_stream *s, SSL_CTX *ctx, bool server, const char *verify_name);
/* The peer's bytes: handshake, then on_data with what they decrypt to. */
void mer__stream_tls_input(struct mer_stream *s, const uint8_t *data, size_t len);
/* Encrypts what is in plain and moves what TLS has to say into out. */
void mer__stream_tls_output(struct mer_stream *s);
/* close_notify into out. */
void mer__stream_tls_goodbye(struct mer_stream *s);
