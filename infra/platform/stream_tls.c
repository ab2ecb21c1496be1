/* SPDX-License-Identifier: Apache-2.0
 * stream_tls.c - TLS of a stream over two memory BIOs: OpenSSL never sees the socket, so reads and writes stay the loop's.
 *
 * What is written before the handshake is done waits in `plain`. A client verifies the chain by its context and the name (or the IP
 * address) by the SSL's own parameters; without a name (unix socket) the chain alone decides. */
#include "stream_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { TLS_CHUNK_BYTES = 16 * 1024 }; /* one record */

static bool is_ip(const char *name)
{
    unsigned char a[16];
    return inet_pton(AF_INET, name, a) == 1 || inet_pton(AF_INET6, name, a) == 1;
}

static bool set_name(SSL *ssl, const char *name)
{
    if (is_ip(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

enum mer_err mer__stream_tls_start(struct mer_stream *s, SSL_CTX *ctx, bool server, const char *verify_name)
{
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!ssl || !in || !out || (!server && verify_name && !set_name(ssl, verify_name))) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        ERR_clear_error();
        return MER_ENOMEM;
    }
    BIO_set_mem_eof_return(in, -1); /* empty means "later", not the end */
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    s->ssl = ssl;
    s->from_peer = in;
    s->to_peer = out;
    return MER_OK;
}

static void tls_fail(struct mer_stream *s, const char *what)
{
    char text[STREAM_TEXT_BYTES];
    long verify = SSL_get_verify_result(s->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (verify != X509_V_OK && !s->open)
        reason = X509_verify_cert_error_string(verify);
    snprintf(text, sizeof(text), "%s: %s", what, reason ? reason : "protocol error");
    ERR_clear_error();
    mer__stream_fail(s, MER_ETLS, text);
}

/* What OpenSSL wants to send. */
static void collect(struct mer_stream *s)
{
    char *data;
    long n = BIO_get_mem_data(s->to_peer, &data);
    if (n <= 0)
        return;
    enum mer_err err = mer_buf_append(&s->out, data, (size_t)n);
    (void)BIO_reset(s->to_peer);
    if (err != MER_OK)
        mer__stream_fail(s, err, mer_err_text(err));
}

void mer__stream_tls_output(struct mer_stream *s)
{
    while (s->open && s->plain.len > 0) {
        int n = (int)(s->plain.len < TLS_CHUNK_BYTES ? s->plain.len : TLS_CHUNK_BYTES);
        ERR_clear_error();
        n = SSL_write(s->ssl, s->plain.data, n);
        if (n <= 0) {
            tls_fail(s, "writing");
            return;
        }
        mer_buf_consume(&s->plain, (size_t)n);
    }
    mer_buf_trim(&s->plain);
    collect(s);
}

/* true when the handshake is done and the stream still there */
static bool handshake(struct mer_stream *s)
{
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    int e = r == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, r);
    mer_stream_flush(s); /* also an alert that explains the failure */
    if (s->closing)
        return false;
    if (r == 1) {
        mer__stream_opened(s);
        return !s->closing;
    }
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        tls_fail(s, "handshake");
    return false;
}

void mer__stream_tls_input(struct mer_stream *s, const uint8_t *data, size_t len)
{
    if (len > 0 && BIO_write(s->from_peer, data, (int)len) != (int)len) {
        mer__stream_fail(s, MER_ENOMEM, mer_err_text(MER_ENOMEM));
        return;
    }
    if (!s->open && !handshake(s))
        return;
    uint8_t clear[TLS_CHUNK_BYTES];
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(s->ssl, clear, sizeof(clear));
        if (n > 0) {
            s->cbs->on_data(s->ctx, clear, (size_t)n);
            if (s->closing)
                return;
            continue;
        }
        int e = SSL_get_error(s->ssl, n);
        if (e == SSL_ERROR_ZERO_RETURN)
            mer__stream_fail(s, MER_OK, "ended by the peer");
        else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            tls_fail(s, "reading");
        break;
    }
    if (!s->closing && BIO_ctrl_pending(s->to_peer) > 0) /* key updates and the like */
        mer_loop_defer(s->loop, &s->flush);
}

void mer__stream_tls_goodbye(struct mer_stream *s)
{
    (void)SSL_shutdown(s->ssl);
    ERR_clear_error();
    char *data;
    long n = BIO_get_mem_data(s->to_peer, &data);
    if (n > 0 && mer_buf_append(&s->out, data, (size_t)n) != MER_OK)
        return; /* the peer will see a cut instead */
    (void)BIO_reset(s->to_peer);
}

X509 *mer_stream_peer_cert(const struct mer_stream *s)
{
    return s->ssl ? SSL_get1_peer_certificate(s->ssl) : NULL;
}
