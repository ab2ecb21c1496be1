/* SPDX-License-Identifier: Apache-2.0
 * Who gets in between regions: mutual TLS 1.3, and the certificate says the same as the hello. The peers' contexts are made here by hand,
 * because ours would not do half of this. */
#include <openssl/pem.h>

#include <meridian/tls.h>

#include "certs.h"
#include "mesh_fix.h"

#define ROUTER MERIDIAN__INTERNAL__V1__ROLE__ROLE_ROUTER
#define EDGE MERIDIAN__INTERNAL__V1__ROLE__ROLE_EDGE
#define LEFT "meridian_router_mesh_certificate_left_seconds"

static EVP_PKEY *key;
static X509 *ca, *other_ca;
static long serial_seen; /* of our certificate, by a peer */
static unsigned sessions_kept;

static int group_setup(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    ca = certs_make("ours", "critical,CA:TRUE", NULL, key);
    other_ca = certs_make("another", "critical,CA:TRUE", NULL, key);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    X509_free(ca);
    X509_free(other_ca);
    EVP_PKEY_free(key);
    return 0;
}

/* ---- our files ----------------------------------------------------------------------------------------------------------------------- */

static char file_cert[64], file_key[64], file_ca[64];

static void write_cert(const char *file, X509 *cert)
{
    FILE *out = fopen(file, "we");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, cert), 1);
    fclose(out);
}

/* Our certificate, with a serial number of its own. */
static void write_ours(const char *san, X509 *issuer, long seconds, long serial)
{
    X509 *cert = certs_make_until("router", san, issuer, key, seconds);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_sign(cert, key, EVP_sha256());
    write_cert(file_cert, cert);
    X509_free(cert);
}

static char us_name[] = "us", line_eu[96], line_asia[] = "asia unix:/nowhere/asia";
static char *lines[] = {line_eu, line_asia};

/* Everything but the mesh: it is made by the test, when the peer is there. */
static struct fix *prepared(void)
{
    struct fix *f = fix_new();
    snprintf(file_cert, sizeof file_cert, "%s/cert.pem", f->dir);
    snprintf(file_key, sizeof file_key, "%s/key.pem", f->dir);
    snprintf(file_ca, sizeof file_ca, "%s/ca.pem", f->dir);
    write_ours("URI:meridian://us/router", ca, 3600, 10);
    write_cert(file_ca, ca);
    FILE *out = fopen(file_key, "we");
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(out);
    snprintf(line_eu, sizeof line_eu, "eu unix:%s/eu", f->dir);
    f->app.conf.region = f->app.conf.id = us_name;
    f->app.conf.mesh_tls_cert = file_cert;
    f->app.conf.mesh_tls_key = file_key;
    f->app.conf.mesh_tls_ca = file_ca;
    f->app.conf.mesh_listen = f->listen;
    f->app.conf.mesh_peers = (struct mer_strs){lines, 2};
    snprintf(f->app.incarnation, sizeof f->app.incarnation, "us-r1.x");
    return f;
}

static enum mer_err make_mesh(struct fix *f, struct mer_msg *msg)
{
    return router_mesh_create(&f->app.mesh, &f->app, msg);
}

static void done(struct fix *f)
{
    unlink(file_cert);
    unlink(file_key);
    unlink(file_ca);
    fix_free(f);
}

/* ---- peers --------------------------------------------------------------------------------------------------------------------------- */

static int look_at_ours(int ok, X509_STORE_CTX *c)
{
    (void)ok;
    if (X509_STORE_CTX_get_error_depth(c) == 0)
        serial_seen = ASN1_INTEGER_get(X509_get_serialNumber(X509_STORE_CTX_get_current_cert(c)));
    return 1; /* whatever we show: it is the other side that is tested */
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl, (void)session;
    sessions_kept++;
    return 0;
}

static SSL_CTX *context(const SSL_METHOD *method, X509 *cert, int highest)
{
    SSL_CTX *c = SSL_CTX_new(method);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, look_at_ours);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(c, on_session);
    SSL_CTX_set_max_proto_version(c, highest);
    if (cert != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(c, cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(c, key), 1);
    }
    return c;
}

struct stranger {
    const char *what, *san; /* san NULL: no certificate */
    const char *region;     /* what the hello says */
    uint32_t role;
    const char *metric; /* what counts it, NULL: comes in */
    bool another_ca, expired, plain;
    int highest;
};

static void open_stranger(struct fix *f, struct peer *p, const struct stranger *s)
{
    X509 *cert = s->san != NULL ? certs_make_until("peer", s->san, s->another_ca ? other_ca : ca, key, s->expired ? -60 : 3600) : NULL;
    int highest = s->highest != 0 ? s->highest : TLS1_3_VERSION;
    SSL_CTX *tls[2] = {context(TLS_client_method(), cert, highest), context(TLS_server_method(), cert, highest)};
    peer_open_tls(f, p, s->region, s->role, "stranger.x", s->plain ? NULL : tls);
    SSL_CTX_free(tls[0]);
    SSL_CTX_free(tls[1]);
    X509_free(cert);
}

/* ---- who gets in --------------------------------------------------------------------------------------------------------------------- */

#define TLS_FAILED "meridian_link_mesh_tls_failed_total"
#define IMPOSTOR "meridian_link_mesh_impostors_total"
#define HOSTILE "meridian_link_mesh_hostile_total"

static const struct stranger strangers[] = {
    {"the right one", "URI:meridian://eu/router", "eu", ROUTER, NULL},
    {"of another authority", "URI:meridian://eu/router", "eu", ROUTER, TLS_FAILED, .another_ca = true},
    {"expired", "URI:meridian://eu/router", "eu", ROUTER, TLS_FAILED, .expired = true},
    {"without a certificate", NULL, "eu", ROUTER, TLS_FAILED},
    {"TLS 1.2", "URI:meridian://eu/router", "eu", ROUTER, TLS_FAILED, .highest = TLS1_2_VERSION},
    {"no TLS at all", "URI:meridian://eu/router", "eu", ROUTER, TLS_FAILED, .plain = true},
    {"another region's certificate under a stolen name", "URI:meridian://asia/router", "eu", ROUTER, IMPOSTOR},
    {"our own certificate under a stolen name", "URI:meridian://us/router", "eu", ROUTER, IMPOSTOR},
    {"an edge that says it is a router", "URI:meridian://eu/edge", "eu", ROUTER, IMPOSTOR},
    {"a router that says it is an edge", "URI:meridian://eu/router", "eu", EDGE, IMPOSTOR},
    {"an edge", "URI:meridian://eu/edge", "eu", EDGE, HOSTILE},
    {"a certificate of two regions", "URI:meridian://eu/router,URI:meridian://asia/router", "eu", ROUTER, IMPOSTOR},
    {"a certificate that says more", "URI:meridian://eu/router/x", "eu", ROUTER, IMPOSTOR},
    {"a certificate that says less", "URI:meridian://eu/route", "eu", ROUTER, IMPOSTOR},
    {"another scheme", "URI:https://eu/router", "eu", ROUTER, IMPOSTOR},
    {"a certificate of a host", "DNS:meridian://eu/router", "eu", ROUTER, IMPOSTOR},
    {"a role that there is none of", "URI:meridian://eu/router", "eu", 9, IMPOSTOR},
    {"our own region", "URI:meridian://us/router", "us", ROUTER, HOSTILE},
    {"a region that is not among our peers", "URI:meridian://mars/router", "mars", ROUTER, HOSTILE},
};

/* Dialled by it, or dialled by us. */
static void meet(const struct stranger *s, bool dials)
{
    struct fix *f = prepared();
    struct mer_msg msg;
    open_stranger(f, &f->a, s);
    if (!dials)
        assert_int_equal(mer_links_listen(f->a.links, line_eu + 3, &msg), MER_OK);
    assert_int_equal(make_mesh(f, &msg), MER_OK);
    if (dials)
        peer_dial(f, &f->a);
    const char *metric = s->metric != NULL ? s->metric : "meridian_link_mesh_opened_total";
    for (unsigned i = 0; i < 3000 && metric_value(&f->app.metrics, metric) == 0; i++)
        loop_run_for(&f->app.loop, 1);
    if (metric_value(&f->app.metrics, metric) == 0)
        fail_msg("%s, which %s, was not counted", s->what, dials ? "dials" : "is dialled");
    if ((s->metric != NULL) == (metric_value(&f->app.metrics, "meridian_link_mesh_opened_total") > 0))
        fail_msg("%s, which %s, came in or did not", s->what, dials ? "dials" : "is dialled");
    done(f);
}

static void who_is_not_who_he_says_does_not_get_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < MER_COUNT(strangers); i++) {
        meet(&strangers[i], true);
        if (strangers[i].san != NULL) /* a server without a certificate is no server */
            meet(&strangers[i], false);
    }
}

static void another_regions_router_at_a_dialled_address_is_refused(void **state)
{
    static const struct stranger asia = {"asia at eu's address", "URI:meridian://asia/router", "asia", ROUTER, HOSTILE};
    (void)state;
    meet(&asia, false);
}

static void a_region_that_uses_anothers_incarnation_does_not_push_it_out(void **state)
{
    static const struct stranger thief = {"asia", "URI:meridian://asia/router", "asia", ROUTER, NULL};
    struct fix *f = prepared();
    struct mer_msg msg;
    (void)state;
    open_stranger(f, &f->a, &strangers[0]);
    open_stranger(f, &f->b, &thief); /* every stranger has the same incarnation */
    assert_int_equal(make_mesh(f, &msg), MER_OK);
    peer_dial(f, &f->a);
    WAIT_FOR(f, f->a.messages > 0);
    peer_dial(f, &f->b);
    WAIT_FOR(f, f->b.messages > 0);
    loop_run_for(&f->app.loop, 20);
    assert_int_equal(f->a.downs, 0);
    done(f);
}

static void nothing_is_kept_for_a_resumption(void **state)
{
    struct fix *f = prepared();
    struct mer_msg msg;
    (void)state;
    sessions_kept = 0;
    open_stranger(f, &f->a, &strangers[0]);
    assert_int_equal(make_mesh(f, &msg), MER_OK);
    peer_dial(f, &f->a);
    WAIT_FOR(f, f->a.messages > 0);
    loop_run_for(&f->app.loop, 20);
    assert_int_equal(sessions_kept, 0);
    done(f);
}

/* ---- our own certificate ------------------------------------------------------------------------------------------------------------- */

static void what_we_may_not_show_is_refused_at_start(void **state)
{
    static const char *const wrong[] = {"URI:meridian://eu/router", "URI:meridian://us/edge", "DNS:us"};
    struct mer_msg msg;
    (void)state;
    for (size_t i = 0; i < MER_COUNT(wrong); i++) {
        struct fix *f = prepared();
        write_ours(wrong[i], ca, 3600, 11);
        assert_int_equal(make_mesh(f, &msg), MER_EINVALID);
        assert_non_null(strstr(msg.text, "does not name meridian://us/router"));
        done(f);
    }
    struct fix *f = prepared();
    write_ours("URI:meridian://us/router", other_ca, 3600, 11);
    assert_int_equal(make_mesh(f, &msg), MER_EINVALID);
    assert_non_null(strstr(msg.text, "not signed by an authority"));
    unlink(file_ca);
    assert_int_equal(make_mesh(f, &msg), MER_ETLS);
    done(f);
}

static uint64_t left(struct fix *f)
{
    struct mer_buf text;
    mer_buf_init(&text, 0);
    assert_int_equal(mer_metrics_render(&f->app.metrics, &text), MER_OK);
    mer_buf_deinit(&text);
    return metric_value(&f->app.metrics, LEFT);
}

static void how_long_it_is_good_is_told_and_an_expired_one_does_not_stop_the_router(void **state)
{
    struct fix *f = prepared();
    struct mer_msg msg;
    (void)state;
    write_ours("URI:meridian://us/router", ca, 600, 11);
    assert_int_equal(make_mesh(f, &msg), MER_OK);
    assert_in_range(left(f), 580, 600);
    write_ours("URI:meridian://us/router", ca, 7200, 12);
    router_mesh_reload(f->app.mesh);
    assert_in_range(left(f), 3500, 3600); /* the authority goes first */
    write_ours("URI:meridian://us/router", ca, -5, 13);
    router_mesh_reload(f->app.mesh);
    assert_int_equal(left(f), 0);
    done(f);
}

static void a_new_certificate_is_shown_to_who_comes_next_and_links_stay_up(void **state)
{
    struct fix *f = prepared();
    struct mer_msg msg;
    (void)state;
    open_stranger(f, &f->a, &strangers[0]);
    open_stranger(f, &f->b, &strangers[0]);
    assert_int_equal(make_mesh(f, &msg), MER_OK);
    peer_dial(f, &f->a);
    WAIT_FOR(f, f->a.messages > 0);
    assert_int_equal(serial_seen, 10);

    write_ours("URI:meridian://eu/router", ca, 3600, 11); /* a mistake: nothing changes */
    router_mesh_reload(f->app.mesh);
    assert_int_equal(metric_value(&f->app.metrics, "meridian_router_mesh_certificate_load_failures_total"), 1);
    assert_int_equal(metric_value(&f->app.metrics, "meridian_router_mesh_certificate_loads_total"), 1);

    write_ours("URI:meridian://us/router", ca, 3600, 12);
    router_mesh_reload(f->app.mesh);
    assert_int_equal(metric_value(&f->app.metrics, "meridian_router_mesh_certificate_loads_total"), 2);
    loop_run_for(&f->app.loop, 20);
    assert_int_equal(f->a.downs, 0);
    assert_int_equal(serial_seen, 10);
    peer_dial(f, &f->b);
    WAIT_FOR(f, serial_seen == 12);
    done(f);
}

/* ---- what the configuration demands -------------------------------------------------------------------------------------------------- */

static void between_regions_there_is_tls_unless_plain_is_said(void **state)
{
    char none[] = "", some[] = "x", listen[] = "127.0.0.1:1", peer[] = "eu 127.0.0.1:2", *peers[] = {peer};
    struct {
        char *listen;
        size_t peers;
        char *cert, *key, *ca;
        bool plain, good;
    } rows[] = {
        {none, 0, none, none, none, false, true},    {listen, 0, none, none, none, false, false},
        {none, 1, none, none, none, false, false},   {listen, 1, some, some, some, false, true},
        {listen, 1, some, some, none, false, false}, {listen, 1, none, some, some, false, false},
        {listen, 1, none, none, none, true, true},   {listen, 1, some, some, some, true, false},
        {none, 0, some, none, none, false, false},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        struct router_config c = {.region = us_name, .id = us_name, .redis_durability = 0, .redis_replicas = 2};
        struct mer_buf errors;
        mer_buf_init(&errors, 0);
        c.mesh_listen = rows[i].listen;
        c.mesh_peers = (struct mer_strs){peers, rows[i].peers};
        c.mesh_tls_cert = rows[i].cert;
        c.mesh_tls_key = rows[i].key;
        c.mesh_tls_ca = rows[i].ca;
        c.mesh_plain = rows[i].plain;
        c.control_listen = c.trace_endpoint = none;
        if ((router_config_validate(&c, &errors) == MER_OK) != rows[i].good)
            fail_msg("row %zu: %.*s", i, (int)errors.len, (const char *)errors.data);
        mer_buf_deinit(&errors);
    }
}

static void a_peer_is_a_region_and_an_address(void **state)
{
    static const struct {
        const char *text, *region, *address;
    } rows[] = {
        {"eu 10.0.0.1:7", "eu", "10.0.0.1:7"},
        {"us-east   unix:/x", "us-east", "unix:/x"},
        {"eu [::1]:7", "eu", "[::1]:7"},
        {"eu", NULL, NULL},
        {"eu ", NULL, NULL},
        {"", NULL, NULL},
        {" eu 10.0.0.1:7", NULL, NULL},
        {"eu 10.0.0.1:7 x", NULL, NULL},
        {"eu 10.0.0.1", NULL, NULL},
        {"e/u 10.0.0.1:7", NULL, NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.1:7", NULL, NULL}, /* 32 */
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        char region[ROUTER_REGION_BYTES] = "";
        const char *address = router_config_peer(rows[i].text, region);
        if (rows[i].region == NULL) {
            assert_null(address);
            continue;
        }
        assert_string_equal(address, rows[i].address);
        assert_string_equal(region, rows[i].region);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_who_he_says_does_not_get_in),
        cmocka_unit_test(another_regions_router_at_a_dialled_address_is_refused),
        cmocka_unit_test(a_region_that_uses_anothers_incarnation_does_not_push_it_out),
        cmocka_unit_test(nothing_is_kept_for_a_resumption),
        cmocka_unit_test(what_we_may_not_show_is_refused_at_start),
        cmocka_unit_test(how_long_it_is_good_is_told_and_an_expired_one_does_not_stop_the_router),
        cmocka_unit_test(a_new_certificate_is_shown_to_who_comes_next_and_links_stay_up),
        cmocka_unit_test(between_regions_there_is_tls_unless_plain_is_said),
        cmocka_unit_test(a_peer_is_a_region_and_an_address),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
