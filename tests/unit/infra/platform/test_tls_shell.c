/* SPDX-License-Identifier: Apache-2.0
 * test_tls_shell.c - the policy of the contexts, seen in handshakes between two SSLs in memory. Certificates are made at test time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <meridian/clock.h>
#include <meridian/tls.h>

#include "certs.h"

enum { PATH_BYTES = 64, LINE_HEX = 160 };

struct fix {
    char dir[PATH_BYTES], ca[PATH_BYTES + 8], cert[PATH_BYTES + 8], key[PATH_BYTES + 8], other_ca[PATH_BYTES + 8], tickets[PATH_BYTES + 8];
    struct mer_msg msg;
};

/* ---- certificates ---- */

static X509 *cert_make(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();
    X509V3_CTX ctx;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static void pem_write(const char *path, X509 *x, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}

static void text_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Lines of ticket keys, each made of one hex digit. */
static void tickets_write(struct fix *f, const char *digits)
{
    FILE *out = fopen(f->tickets, "w");
    assert_non_null(out);
    for (; *digits; digits++) {
        for (int i = 0; i < LINE_HEX; i++)
            fputc(*digits, out);
        fputc('\n', out);
    }
    fclose(out);
}

static int setup(void **state)
{
    static struct fix f = {.dir = "/tmp/meridian-tls-XXXXXX"};
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.ca, sizeof(f.ca), "%s/ca", f.dir);
    snprintf(f.cert, sizeof(f.cert), "%s/cert", f.dir);
    snprintf(f.key, sizeof(f.key), "%s/key", f.dir);
    snprintf(f.other_ca, sizeof(f.other_ca), "%s/other", f.dir);
    snprintf(f.tickets, sizeof(f.tickets), "%s/tickets", f.dir);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
    X509 *ca = cert_make("ca", ca_key, NULL, ca_key), *cert = cert_make("leaf", key, ca, ca_key);
    X509 *other = cert_make("other", other_key, NULL, other_key);
    pem_write(f.ca, ca, NULL);
    pem_write(f.cert, cert, NULL);
    pem_write(f.key, NULL, key);
    pem_write(f.other_ca, other, NULL);
    X509_free(ca);
    X509_free(cert);
    X509_free(other);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    unlink(f->ca);
    unlink(f->cert);
    unlink(f->key);
    unlink(f->other_ca);
    unlink(f->tickets);
    return rmdir(f->dir);
}

/* ---- handshakes ---- */

struct pair {
    SSL *client, *server;
};

static void pair_open(struct pair *p, SSL_CTX *client, SSL_CTX *server)
{
    BIO *a, *b;
    p->client = SSL_new(client);
    p->server = SSL_new(server);
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(p->client, a, a);
    SSL_set_bio(p->server, b, b);
    SSL_set_connect_state(p->client);
    SSL_set_accept_state(p->server);
}

static void pair_close(struct pair *p)
{
    SSL_free(p->client);
    SSL_free(p->server);
    ERR_clear_error();
}

/* Both sides until they are done and one byte went each way (tickets of TLS 1.3 come with the data). */
static bool pair_run(struct pair *p)
{
    char c = 'x', got_client = 0, got_server = 0;
    bool sent_client = false, sent_server = false;
    for (int i = 0; i < 50 && !(got_client && got_server); i++) {
        SSL_do_handshake(p->client);
        SSL_do_handshake(p->server);
        sent_client = sent_client || (SSL_is_init_finished(p->client) && SSL_write(p->client, &c, 1) == 1);
        sent_server = sent_server || (SSL_is_init_finished(p->server) && SSL_write(p->server, &c, 1) == 1);
        if (SSL_read(p->server, &c, 1) == 1)
            got_server = 1;
        if (SSL_read(p->client, &c, 1) == 1)
            got_client = 1;
    }
    return got_client && got_server;
}

static SSL_CTX *client_context(int highest)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_proto_version(ctx, highest);
    return ctx;
}

/* A handshake, offering `session` where not NULL; the session that came of it in *next where wanted. Was it a resumption? */
static bool resumes(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session, SSL_SESSION **next)
{
    struct pair p;
    pair_open(&p, client, server);
    if (session)
        SSL_set_session(p.client, session);
    assert_true(pair_run(&p));
    bool reused = SSL_session_reused(p.server);
    if (next)
        *next = SSL_get1_session(p.client);
    SSL_shutdown(p.client); /* a session of a connection that broke would be void */
    pair_close(&p);
    return reused;
}

static SSL_CTX *server_context(struct fix *f, bool tickets)
{
    SSL_CTX *ctx = NULL;
    enum mer_err err = mer_tls_server_create(&ctx, f->cert, f->key, tickets ? f->tickets : NULL, &f->msg);
    if (err)
        fail_msg("%s", f->msg.text);
    return ctx;
}

static void players_speak_tls_1_2_or_later(void **state)
{
    struct fix *f = *state;
    SSL_CTX *server = server_context(f, false);
    static const struct {
        int version;
        bool good;
    } rows[] = {{TLS1_3_VERSION, true}, {TLS1_2_VERSION, true}, {TLS1_1_VERSION, false}};
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        SSL_CTX *client = client_context(rows[i].version);
        SSL_CTX_set_security_level(client, 0); /* 1.1 is not the client's to refuse */
        SSL_CTX_set_min_proto_version(client, rows[i].version);
        struct pair p;
        pair_open(&p, client, server);
        assert_int_equal(pair_run(&p), rows[i].good);
        if (rows[i].good)
            assert_int_equal(SSL_version(p.server), rows[i].version);
        pair_close(&p);
        SSL_CTX_free(client);
    }
    SSL_CTX_free(server);
}

static void alpn_is_http_1_1_or_a_refusal(void **state)
{
    struct fix *f = *state;
    SSL_CTX *server = server_context(f, false);
    static const struct {
        const char *offer;
        bool good;
    } rows[] = {{"", true}, {"\x08http/1.1", true}, {"\x02h2\x08http/1.1", true}, {"\x02h2", false}, {"\x08http/1.0", false}};
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        SSL_CTX *client = client_context(TLS1_3_VERSION);
        struct pair p;
        const unsigned char *chosen;
        unsigned n;
        pair_open(&p, client, server);
        SSL_set_alpn_protos(p.client, (const unsigned char *)rows[i].offer, (unsigned)strlen(rows[i].offer));
        assert_int_equal(pair_run(&p), rows[i].good);
        SSL_get0_alpn_selected(p.client, &chosen, &n);
        assert_int_equal(n, rows[i].good && *rows[i].offer ? 8 : 0);
        pair_close(&p);
        SSL_CTX_free(client);
    }
    SSL_CTX_free(server);
}

static void the_modes_and_options_are_set(void **state)
{
    struct fix *f = *state;
    SSL_CTX *server = server_context(f, false);
    long modes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
    assert_int_equal(SSL_CTX_get_mode(server) & modes, modes);
    assert_true(SSL_CTX_get_options(server) & SSL_OP_NO_RENEGOTIATION);
    assert_true(SSL_CTX_get_options(server) & SSL_OP_NO_COMPRESSION);
    assert_int_equal(SSL_CTX_get_session_cache_mode(server), SSL_SESS_CACHE_OFF);
    assert_int_equal(SSL_CTX_get_max_early_data(server), 0);
    SSL_CTX_free(server);
}

static void a_client_cannot_renegotiate(void **state)
{
    struct fix *f = *state;
    SSL_CTX *server = server_context(f, false), *client = client_context(TLS1_2_VERSION);
    struct pair p;
    char c;
    pair_open(&p, client, server);
    assert_true(pair_run(&p));
    assert_int_equal(SSL_renegotiate(p.client), 1);
    SSL_do_handshake(p.client);
    assert_true(SSL_read(p.server, &c, 1) <= 0);
    SSL_read(p.client, &c, 1);
    assert_int_equal(SSL_num_renegotiations(p.server), 0);
    pair_close(&p);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void without_a_key_file_there_are_no_tickets(void **state)
{
    struct fix *f = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < MER_COUNT(versions); i++) {
        SSL_CTX *server = server_context(f, false), *client = client_context(versions[i]);
        SSL_SESSION *s = NULL;
        resumes(client, server, NULL, &s);
        assert_int_equal(SSL_SESSION_has_ticket(s), 0);
        assert_false(resumes(client, server, s, NULL));
        SSL_SESSION_free(s);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

static void a_ticket_is_good_at_every_edge_until_its_key_is_gone(void **state)
{
    struct fix *f = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < MER_COUNT(versions); i++) {
        SSL_CTX *client = client_context(versions[i]);
        SSL_SESSION *old = NULL, *renewed = NULL;
        tickets_write(f, "a");
        SSL_CTX *one = server_context(f, true);
        assert_false(resumes(client, one, NULL, &old));
        assert_true(SSL_SESSION_has_ticket(old));

        tickets_write(f, "ba"); /* rotated: the old key still decrypts */
        SSL_CTX *two = server_context(f, true);
        assert_true(resumes(client, two, old, &renewed));

        tickets_write(f, "b"); /* the old key is gone; who was there meanwhile has a ticket of the new one */
        assert_int_equal(mer_tls_tickets_reload(two, f->tickets, &f->msg), MER_OK);
        assert_false(resumes(client, two, old, NULL));
        assert_true(resumes(client, two, renewed, NULL));

        SSL_SESSION_free(old);
        SSL_SESSION_free(renewed);
        SSL_CTX_free(client);
        SSL_CTX_free(one);
        SSL_CTX_free(two);
    }
}

static void a_bad_ticket_file_keeps_the_old_keys_and_says_where(void **state)
{
    struct fix *f = *state;
    char text[4 * LINE_HEX];
    tickets_write(f, "a");
    SSL_CTX *server = server_context(f, true), *client = client_context(TLS1_3_VERSION);
    SSL_SESSION *s = NULL;
    resumes(client, server, NULL, &s);

    static const char *const bad[] = {"", "\n\n", "aa\n", "zz", "123456789"};
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        text_write(f->tickets, bad[i]);
        assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_EINVALID);
        assert_non_null(strstr(f->msg.text, f->tickets));
    }
    static const char *const bad_keys[] = {"aba", "123456789", "abg"};
    for (size_t i = 0; i < MER_COUNT(bad_keys); i++) {
        tickets_write(f, bad_keys[i]);
        assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_EINVALID);
    }
    snprintf(text, sizeof(text), "%0*d\n%0*d\n", LINE_HEX, 0, LINE_HEX + 1, 0);
    text_write(f->tickets, text);
    assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_EINVALID);
    assert_non_null(strstr(f->msg.text, "tickets:2:"));
    unlink(f->tickets);
    assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_EIO);

    assert_true(resumes(client, server, s, NULL));
    tickets_write(f, "12345678");
    assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_OK);
    snprintf(text, sizeof(text), "\r\n%0*d\r\n%0*d", LINE_HEX, 0, LINE_HEX, 1); /* other line ends, none at the end */
    text_write(f->tickets, text);
    assert_int_equal(mer_tls_tickets_reload(server, f->tickets, &f->msg), MER_EINVALID); /* both begin with the same 16 bytes */
    SSL_SESSION_free(s);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void files_that_do_not_fit_are_named(void **state)
{
    struct fix *f = *state;
    SSL_CTX *ctx = NULL;
    char other_key[PATH_BYTES + 8];
    snprintf(other_key, sizeof(other_key), "%s/okey", f->dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    pem_write(other_key, NULL, key);
    EVP_PKEY_free(key);
    assert_int_equal(mer_tls_server_create(&ctx, "/nonexistent", f->key, NULL, &f->msg), MER_ETLS);
    assert_non_null(strstr(f->msg.text, "/nonexistent"));
    assert_int_equal(mer_tls_server_create(&ctx, f->key, f->key, NULL, &f->msg), MER_ETLS);
    assert_int_equal(mer_tls_server_create(&ctx, f->cert, f->cert, NULL, &f->msg), MER_ETLS);
    assert_int_equal(mer_tls_server_create(&ctx, f->cert, other_key, NULL, &f->msg), MER_ETLS);
    assert_non_null(strstr(f->msg.text, "okey"));
    assert_int_equal(mer_tls_server_create(&ctx, f->cert, f->key, "/nonexistent", &f->msg), MER_EIO);
    assert_int_equal(mer_tls_peer_create(&ctx, true, f->ca, NULL, NULL, &f->msg), MER_EINVALID);
    assert_int_equal(mer_tls_peer_create(&ctx, false, f->ca, f->cert, NULL, &f->msg), MER_EINVALID);
    assert_int_equal(mer_tls_peer_create(&ctx, false, "/nonexistent", NULL, NULL, &f->msg), MER_ETLS);
    assert_int_equal(mer_tls_peer_create(&ctx, false, f->key, NULL, NULL, &f->msg), MER_ETLS);
    assert_null(ctx);
    assert_int_equal(ERR_peek_error(), 0);
    unlink(other_key);
}

static void peers_show_certificates_of_the_right_authority_over_tls_1_3(void **state)
{
    struct fix *f = *state;
    const struct {
        const char *server_ca, *client_ca;
        bool client_cert, old_client, good;
    } rows[] = {
        {f->ca, f->ca, true, false, true},        {f->ca, f->ca, false, false, false}, {f->other_ca, f->ca, true, false, false},
        {f->ca, f->other_ca, true, false, false}, {f->ca, f->ca, true, true, false},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        SSL_CTX *server = NULL, *client = NULL;
        const char *cert = rows[i].client_cert ? f->cert : NULL;
        assert_int_equal(mer_tls_peer_create(&server, true, rows[i].server_ca, f->cert, f->key, &f->msg), MER_OK);
        assert_int_equal(mer_tls_peer_create(&client, false, rows[i].client_ca, cert, cert ? f->key : NULL, &f->msg), MER_OK);
        if (rows[i].old_client) {
            SSL_CTX_set_min_proto_version(client, TLS1_2_VERSION);
            SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
        }
        struct pair p;
        pair_open(&p, client, server);
        assert_int_equal(pair_run(&p), rows[i].good);
        pair_close(&p);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

/* ---- who a certificate is ---- */

static void a_certificate_is_who_its_only_name_says(void **state)
{
    static const struct {
        const char *san;
        bool is; /* router of eu */
    } rows[] = {
        {"URI:meridian://eu/router", true},
        {"URI:meridian://eu/router,URI:meridian://eu/router", false},
        {"URI:meridian://eu/router,DNS:localhost", false},
        {"DNS:localhost,URI:meridian://eu/router", false},
        {"URI:meridian://asia/router", false},
        {"URI:meridian://eu/edge", false},
        {"URI:meridian://eu/router2", false},
        {"URI:meridian://eu/route", false},
        {"URI:meridian://eu/router/", false},
        {"URI:meridian://EU/router", false},
        {"URI:http://eu/router", false},
        {"DNS:meridian://eu/router", false},
        {"email:router@eu", false},
        {"IP:127.0.0.1", false},
    };
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = certs_make("ca", "critical,CA:TRUE", NULL, key);
    assert_false(mer_tls_identity_is(ca, "eu", "router")); /* no name at all */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        X509 *cert = certs_make("x", rows[i].san, ca, key);
        if (mer_tls_identity_is(cert, "eu", "router") != rows[i].is)
            fail_msg("%s", rows[i].san);
        assert_false(mer_tls_identity_is(cert, "eu", ""));
        X509_free(cert);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
}

static void a_name_with_a_nul_in_it_is_not_the_name_before_the_nul(void **state)
{
    static const char uri[] = "meridian://eu/router\0.example";
    (void)state;
    X509 *cert = X509_new();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, uri, sizeof(uri) - 1);
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    sk_GENERAL_NAME_push(names, name);
    assert_int_equal(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0), 1);
    assert_false(mer_tls_identity_is(cert, "eu", "router"));
    GENERAL_NAMES_free(names);
    X509_free(cert);
}

static void what_is_left_is_the_shorter_of_certificate_and_authority(void **state)
{
    static const struct {
        long own, authority;
        int64_t left;
    } rows[] = {{1000, 5000, 1000}, {5000, 1000, 1000}, {-10, 5000, -10}, {100L * 365 * 86400, 90L * 365 * 86400, 90LL * 365 * 86400}};
    uint64_t now_ms = mer_clock_system().wall_ms(NULL);
    int64_t left;
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        X509 *ca = certs_make_until("ca", "critical,CA:TRUE", NULL, key, rows[i].authority);
        X509 *cert = certs_make_until("x", "URI:meridian://eu/router", ca, key, rows[i].own);
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        assert_false(mer_tls_seconds_left(ctx, now_ms, &left)); /* no certificate */
        assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
        assert_false(mer_tls_seconds_left(ctx, now_ms, &left)); /* nobody signed it */
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
        assert_true(mer_tls_seconds_left(ctx, now_ms, &left));
        assert_true(left >= rows[i].left - 2 && left <= rows[i].left + 2);
        SSL_CTX_free(ctx);
        X509_free(cert);
        X509_free(ca);
    }
    EVP_PKEY_free(key);
}

/* An operator's authority may sign through another certificate, which comes with ours. */
static void a_certificate_in_between_counts_too(void **state)
{
    uint64_t now_ms = mer_clock_system().wall_ms(NULL);
    int64_t left;
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = certs_make("ca", "critical,CA:TRUE", NULL, key);
    X509 *mid = certs_make_until("mid", "DNS:mid", ca, key, 500);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(mid, ext, -1);
    X509_EXTENSION_free(ext);
    assert_true(X509_sign(mid, key, EVP_sha256()) > 0);
    X509 *cert = certs_make_until("x", "URI:meridian://eu/router", mid, key, 1000);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_false(mer_tls_seconds_left(ctx, now_ms, &left));
    assert_int_equal(SSL_CTX_add1_chain_cert(ctx, mid), 1);
    assert_true(mer_tls_seconds_left(ctx, now_ms, &left));
    assert_true(left >= 498 && left <= 502);
    SSL_CTX_free(ctx);
    X509_free(cert);
    X509_free(mid);
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(players_speak_tls_1_2_or_later),
        cmocka_unit_test(alpn_is_http_1_1_or_a_refusal),
        cmocka_unit_test(the_modes_and_options_are_set),
        cmocka_unit_test(a_client_cannot_renegotiate),
        cmocka_unit_test(without_a_key_file_there_are_no_tickets),
        cmocka_unit_test(a_ticket_is_good_at_every_edge_until_its_key_is_gone),
        cmocka_unit_test(a_bad_ticket_file_keeps_the_old_keys_and_says_where),
        cmocka_unit_test(files_that_do_not_fit_are_named),
        cmocka_unit_test(a_certificate_is_who_its_only_name_says),
        cmocka_unit_test(a_name_with_a_nul_in_it_is_not_the_name_before_the_nul),
        cmocka_unit_test(what_is_left_is_the_shorter_of_certificate_and_authority),
        cmocka_unit_test(a_certificate_in_between_counts_too),
        cmocka_unit_test(peers_show_certificates_of_the_right_authority_over_tls_1_3),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
