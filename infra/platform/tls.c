/* SPDX-License-Identifier: Apache-2.0
 * tls.c - OpenSSL contexts with our policy, and the ticket keys that edges share.
 *
 * Tickets instead of a session cache: a player who comes back lands on any edge, and an idle connection costs no cache entry. Keys come
 * from a file, first one encrypts, all decrypt, so that a rotation (new key in front, later the oldest away) is never seen by a player; a
 * ticket of an older key is answered with a new one. Tickets are AES-256-CBC, then HMAC-SHA256, as RFC 5077 recommends.
 *
 * Invariants: a context's ticket keys are replaced whole or not at all; OpenSSL's error queue is empty after a failure.
 * Owner: the caller owns the context (SSL_CTX_free), the context owns its keys. */
#include <meridian/tls.h>

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <meridian/mem.h>

enum {
    TICKET_NAME_BYTES = 16, /* OpenSSL's */
    TICKET_MAC_BYTES = 32,
    TICKET_AES_BYTES = 32,
    TICKET_LINE_BYTES = TICKET_NAME_BYTES + TICKET_MAC_BYTES + TICKET_AES_BYTES,
    TICKET_KEYS_MAX = 8,          /* a day's worth at a rotation every three hours */
    TICKET_LIFE_S = 24 * 60 * 60, /* no longer than keys live */
};

struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES], mac[TICKET_MAC_BYTES], aes[TICKET_AES_BYTES];
};
_Static_assert(sizeof(struct ticket_key) == TICKET_LINE_BYTES, "a line of the file is the struct");

struct ticket_keys {
    size_t count;
    struct ticket_key keys[TICKET_KEYS_MAX];
};

/* The reason of OpenSSL's last failure; empties its queue. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "unknown reason";
}

/* ---- ticket keys ---- */

static void ticket_keys_destroy(struct ticket_keys *k)
{
    if (!k)
        return;
    OPENSSL_cleanse(k, sizeof(*k));
    mer_free(&k);
}

/* Signature by OpenSSL: called when a context goes. */
static void on_context_freed(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
    (void)parent, (void)ad, (void)index, (void)argl, (void)argp;
    ticket_keys_destroy(ptr);
}

/* Where a context keeps our pointer. A global, although C11 forbids them: the numbering is OpenSSL's and is one for the process. */
static int ticket_slot(void)
{
    static int slot = -1;
    if (slot < 0)
        slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
    return slot;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 160 hex digits to a key. */
static bool read_line(const char *line, size_t len, struct ticket_key *out)
{
    uint8_t *bytes = (uint8_t *)out;
    if (len != 2 * TICKET_LINE_BYTES)
        return false;
    for (size_t i = 0; i < TICKET_LINE_BYTES; i++) {
        int high = hex_digit((unsigned char)line[2 * i]), low = hex_digit((unsigned char)line[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool name_known(const struct ticket_keys *k, const uint8_t *name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (memcmp(k->keys[i].name, name, TICKET_NAME_BYTES) == 0)
            return true;
    }
    return false;
}

/* The file's lines to *k. Empty lines are allowed. */
static enum mer_err read_lines(struct ticket_keys *k, FILE *f, const char *file, struct mer_msg *msg)
{
    char line[2 * TICKET_LINE_BYTES + 3]; /* line end, NUL and one to notice what is longer */
    for (unsigned number = 1; fgets(line, sizeof(line), f); number++) {
        size_t len = strcspn(line, "\r\n");
        struct ticket_key key;
        const char *wrong = NULL;
        if (len == 0 && line[0] != '\0')
            continue;
        if (!read_line(line, len, &key))
            wrong = "not 80 bytes in hex";
        else if (name_known(k, key.name))
            wrong = "a name of 16 bytes that is there already";
        else if (k->count == TICKET_KEYS_MAX)
            wrong = "more than 8 keys";
        else
            k->keys[k->count++] = key;
        OPENSSL_cleanse(&key, sizeof(key));
        OPENSSL_cleanse(line, sizeof(line));
        if (wrong) {
            mer_msgf(msg, "%s:%u: %s", file, number, wrong);
            return MER_EINVALID;
        }
    }
    if (ferror(f)) {
        mer_msgf(msg, "%s: cannot be read", file);
        return MER_EIO;
    }
    if (k->count == 0) {
        mer_msgf(msg, "%s: holds no ticket key", file);
        return MER_EINVALID;
    }
    return MER_OK;
}

enum mer_err mer_tls_tickets_reload(SSL_CTX *ctx, const char *ticket_key_file, struct mer_msg *msg)
{
    FILE *f = fopen(ticket_key_file, "re");
    if (!f) {
        mer_msgf(msg, "%s: cannot be opened: %m", ticket_key_file);
        return MER_EIO;
    }
    struct ticket_keys *k = mer_try_calloc(1, sizeof(*k));
    enum mer_err err = k ? read_lines(k, f, ticket_key_file, msg) : MER_ENOMEM;
    fclose(f);
    struct ticket_keys *old = SSL_CTX_get_ex_data(ctx, ticket_slot());
    if (!err && SSL_CTX_set_ex_data(ctx, ticket_slot(), k) != 1)
        err = MER_ENOMEM;
    if (err == MER_ENOMEM)
        mer_msgf(msg, "%s: %s", ticket_key_file, mer_err_text(err));
    ticket_keys_destroy(err ? k : old);
    return err;
}

/* Sets cipher and MAC of one ticket; 0 on failure. */
static int ticket_crypt(const struct ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: 1 done, 2 done and send a new ticket, 0 this ticket is not ours (a full handshake follows), -1 failure. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    const struct ticket_keys *k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ticket_slot());
    if (!k)
        return encrypt ? -1 : 0;
    if (encrypt) {
        memcpy(name, k->keys[0].name, TICKET_NAME_BYTES);
        return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && ticket_crypt(&k->keys[0], iv, cipher, mac, 1) ? 1 : -1;
    }
    for (size_t i = 0; i < k->count; i++) {
        if (memcmp(name, k->keys[i].name, TICKET_NAME_BYTES) != 0)
            continue;
        if (!ticket_crypt(&k->keys[i], iv, cipher, mac, 0))
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

static enum mer_err tickets_start(SSL_CTX *ctx, const char *file, struct mer_msg *msg)
{
    if (!file) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ctx, 0) == 1 ? MER_OK : MER_ETLS;
    }
    /* one ticket: a browser keeps one connection here, and each ticket is work and bytes in every handshake */
    if (SSL_CTX_set_num_tickets(ctx, 1) != 1 || SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
        return MER_ETLS;
    SSL_CTX_set_timeout(ctx, TICKET_LIFE_S);
    return mer_tls_tickets_reload(ctx, file, msg);
}

/* ---- contexts ---- */

/* http/1.1 or nothing: an upgrade to a WebSocket over h2 is another protocol, which h2-only clients would expect. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase is an error at start, never a question on a terminal. */
static int on_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

/* What all contexts have in common. */
static SSL_CTX *context_create(const SSL_METHOD *method, int lowest)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    if (SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static enum mer_err use_certificate(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct mer_msg *msg)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        mer_msgf(msg, "%s: no certificate chain: %s", cert_file, reason());
        return MER_ETLS;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) { /* also: the key of another certificate */
        mer_msgf(msg, "%s: not the key of %s: %s", key_file, cert_file, reason());
        return MER_ETLS;
    }
    return MER_OK;
}

/* Hands the context out, or frees it when err says so. */
static enum mer_err finish(SSL_CTX **out, SSL_CTX *ctx, enum mer_err err)
{
    if (err) {
        ERR_clear_error();
        SSL_CTX_free(ctx);
    } else {
        *out = ctx;
    }
    return err;
}

enum mer_err mer_tls_server_create(SSL_CTX **out, const char *cert_file, const char *key_file, const char *ticket_key_file,
                                   struct mer_msg *msg)
{
    SSL_CTX *ctx = context_create(TLS_server_method(), TLS1_2_VERSION);
    if (!ctx) {
        mer_msgf(msg, "OpenSSL: %s", reason());
        return MER_ETLS;
    }
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    enum mer_err err = use_certificate(ctx, cert_file, key_file, msg);
    if (!err)
        err = tickets_start(ctx, ticket_key_file, msg);
    return finish(out, ctx, err);
}

enum mer_err mer_tls_peer_create(SSL_CTX **out, bool server, const char *ca_file, const char *cert_file, const char *key_file,
                                 struct mer_msg *msg)
{
    if (server && (!cert_file || !key_file)) {
        mer_msgf(msg, "a server needs a certificate and a key");
        return MER_EINVALID;
    }
    SSL_CTX *ctx = context_create(server ? TLS_server_method() : TLS_client_method(), TLS1_3_VERSION);
    if (!ctx) {
        mer_msgf(msg, "OpenSSL: %s", reason());
        return MER_ETLS;
    }
    enum mer_err err = tickets_start(ctx, NULL, msg);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!err && SSL_CTX_load_verify_file(ctx, ca_file) != 1) {
        mer_msgf(msg, "%s: no certificates to verify with: %s", ca_file, reason());
        err = MER_ETLS;
    }
    if (!err && cert_file)
        err = key_file ? use_certificate(ctx, cert_file, key_file, msg) : MER_EINVALID;
    if (err == MER_EINVALID)
        mer_msgf(msg, "%s: its key is missing", cert_file);
    return finish(out, ctx, err);
}

/* ---- who a certificate is ---- */

bool mer_tls_identity_is(const X509 *cert, const char *region, const char *role)
{
    char want[128];
    int n = snprintf(want, sizeof(want), "meridian://%s/%s", region, role);
    if (n < 0 || (size_t)n >= sizeof(want))
        return false;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool same = names && sk_GENERAL_NAME_num(names) == 1;
    if (same) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
        const ASN1_IA5STRING *uri = name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;
        same = uri && ASN1_STRING_length(uri) == n && memcmp(ASN1_STRING_get0_data(uri), want, (size_t)n) == 0;
    }
    GENERAL_NAMES_free(names);
    return same;
}

/* Seconds until the first of these expires; false: one of the times cannot be read. */
static bool shortest(const STACK_OF(X509) * chain, const ASN1_TIME *now, int64_t *out)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int days, seconds;
        if (ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(sk_X509_value(chain, i))) != 1)
            return false;
        int64_t left = (int64_t)days * 24 * 60 * 60 + seconds;
        least = left < least ? left : least;
    }
    *out = least;
    return least != INT64_MAX;
}

bool mer_tls_seconds_left(SSL_CTX *ctx, uint64_t wall_ms, int64_t *out)
{
    X509 *cert = SSL_CTX_get0_certificate(ctx);
    STACK_OF(X509) *between = NULL;
    X509_STORE_CTX *look = X509_STORE_CTX_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)(wall_ms / 1000));
    SSL_CTX_get0_chain_certs(ctx, &between);
    bool found = cert && look && now && X509_STORE_CTX_init(look, SSL_CTX_get_cert_store(ctx), cert, between) == 1;
    if (found) {
        X509_STORE_CTX_set_flags(look, X509_V_FLAG_NO_CHECK_TIME); /* how long is the question, also of what has expired */
        found = X509_verify_cert(look) == 1 && shortest(X509_STORE_CTX_get0_chain(look), now, out);
    }
    ASN1_TIME_free(now);
    X509_STORE_CTX_free(look);
    ERR_clear_error();
    return found;
}
