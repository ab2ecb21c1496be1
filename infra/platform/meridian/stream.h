/* SPDX-License-Identifier: Apache-2.0
 * stream.h - a byte stream to a peer on the loop: TCP ("host:port", "[v6]:port") or unix ("unix:/path"), with optional TLS over memory
 * BIOs. Used by links and Redis connections (few; player connections are the edge's own).
 *
 * Writes of a turn are collected and leave as one system call when the owner calls mer_stream_flush (or at the end of the turn). Callbacks:
 * on_open once, then on_data any number of times, then exactly one on_close, which comes also when connecting failed; never before
 * mer_stream_connect/accept returned. The stream may be closed from inside any callback; its memory is freed after on_close returned.
 * SIGPIPE must be ignored (mer_process_raise_limits does it): a peer that went is an error of the write. */
#pragma once

#include <openssl/ssl.h>

#include <meridian/buf.h>
#include <meridian/loop.h>

struct mer_stream;
struct mer_stream_cbs {
    void (*on_open)(void *ctx);                                  /* connected, TLS done */
    void (*on_data)(void *ctx, const uint8_t *data, size_t len); /* borrowed */
    void (*on_close)(void *ctx, enum mer_err why,
                     const char *text); /* MER_OK: by us or clean end; MER_EREFUSED: the host is there and nobody listens at the address */
};

struct mer_stream_conf {
    struct mer_loop *loop;
    const struct mer_stream_cbs *cbs;
    void *ctx;
    SSL_CTX *tls;         /* NULL: plain; kept (up-ref'd) */
    const char *tls_name; /* name to verify as client; NULL: the host of the address */
    bool tls_any_name;    /* the chain alone is verified: the caller looks at the certificate himself */
    uint32_t connect_timeout_ms;
    size_t write_limit_bytes; /* queued but unsent: beyond it mer_stream_write answers MER_EBUSY */
};

/* Host names are resolved by libuv's asynchronous getaddrinfo. */
MER_MUST_CHECK enum mer_err mer_stream_connect(struct mer_stream **out, const struct mer_stream_conf *conf, const char *address);
MER_MUST_CHECK enum mer_err mer_stream_write(struct mer_stream *s, const void *data, size_t len);
void mer_stream_flush(struct mer_stream *s);
/* Bytes accepted by write and not yet taken by the kernel. */
size_t mer_stream_unsent(const struct mer_stream *s);
void mer_stream_close(struct mer_stream *s);
/* The same without last words: what the kernel still holds is thrown away, so that nothing of it can arrive later, when nobody wants it any
 * more (TCP; a unix socket holds nothing back). on_close says MER_OK. */
void mer_stream_reset(struct mer_stream *s);
/* The peer's certificate; NULL when plain. Caller frees. */
X509 *mer_stream_peer_cert(const struct mer_stream *s);
/* The address of who connected to us, or that was dialled, for logs; never NULL. */
const char *mer_stream_peer(const struct mer_stream *s);
/* Who connected to our unix socket, by the kernel's word; false: it is none, or not known. */
bool mer_stream_peer_uid(const struct mer_stream *s, uint32_t *uid);
/* For callers that set their own context after accept. */
void mer_stream_set_ctx(struct mer_stream *s, const struct mer_stream_cbs *cbs, void *ctx);

struct mer_listener;
/* on_accept must take the stream (set_ctx) or close it. conf gives loop, tls and limits for accepted streams. A stale unix socket file is
 * replaced. */
MER_MUST_CHECK enum mer_err mer_listener_open(struct mer_listener **out, const struct mer_stream_conf *conf, const char *address,
                                              void (*on_accept)(void *ctx, struct mer_stream *s), void *ctx, struct mer_msg *msg);
/* Address actually bound, as a peer of this host would connect to it. */
const char *mer_listener_address(const struct mer_listener *l);
/* For streams that are accepted from now on; ctx is ref'd. Those that are there keep what they have. */
void mer_listener_set_tls(struct mer_listener *l, SSL_CTX *ctx);
void mer_listener_close(struct mer_listener *l);
