/* SPDX-License-Identifier: Apache-2.0
 * tls.h - OpenSSL contexts with our policy: TLS 1.2+ for players, 1.3 for links and Redis, X25519/P-256, SSL_MODE_RELEASE_BUFFERS, no
 * renegotiation, no 0-RTT, ALPN http/1.1 only (h2-only clients get no_application_protocol), session tickets from a shared, rotated key
 * file, no session cache. */
#pragma once

#include <openssl/ssl.h>

#include <meridian/err.h>

/* For players. Certificate chain and key are PEM files. ticket_key_file: 1-8 lines of 80 bytes in hex (name 16, HMAC 32, AES 32), the first
 * encrypts, all decrypt; NULL: no tickets. The context is the caller's (SSL_CTX_free). */
MER_MUST_CHECK enum mer_err mer_tls_server_create(SSL_CTX **out, const char *cert_file, const char *key_file, const char *ticket_key_file,
                                                  struct mer_msg *msg);
/* Re-reads the ticket keys of a context made above with a ticket file; a bad file keeps the old ones. */
MER_MUST_CHECK enum mer_err mer_tls_tickets_reload(SSL_CTX *ctx, const char *ticket_key_file, struct mer_msg *msg);
/* For links and Redis. ca_file verifies the peer; cert/key may be NULL for a client without a certificate; as a server the client's
 * certificate is required. The name is the caller's to check, per connection (SSL_set1_host). */
MER_MUST_CHECK enum mer_err mer_tls_peer_create(SSL_CTX **out, bool server, const char *ca_file, const char *cert_file,
                                                const char *key_file, struct mer_msg *msg);

/* Who a server of ours is: the certificate's only alternative name is the URI meridian://<region>/<role>. */
bool mer_tls_identity_is(const X509 *cert, const char *region, const char *role);
/* Seconds until the context's own certificate, or one above it up to the authority, expires; negative: since. False when it has none, or
 * no authority of the context stands above it. */
bool mer_tls_seconds_left(SSL_CTX *ctx, uint64_t wall_ms, int64_t *out);
