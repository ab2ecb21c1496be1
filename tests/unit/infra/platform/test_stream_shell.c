/* SPDX-License-Identifier: Apache-2.0
 * test_stream_shell.c - streams of one loop talking to each other over loopback and unix sockets, plain and with TLS (certificates made
 * here). Every test counts callbacks: one open at most, one close, nothing after it. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <meridian/mem.h>
#include <meridian/stream.h>

#include "certs.h"
#include "loop_run.h"

enum { BIG = 3 * 1000 * 1000, TIMEOUT_MS = 100 };

struct fix;
struct end { /* one end of a stream and what it heard */
    struct fix *f;
    struct mer_stream *s;
    unsigned opens, closes, data_after_close;
    enum mer_err why;
    char text[160];
    uint64_t bytes, sum;
    bool echo, close_on_open, close_on_data;
    char expect_next; /* big transfers: the byte that must come */
    bool in_order;
};
struct fix {
    struct mer_loop loop;
    struct mer_listener *listener;
    struct end client, server;
    SSL_CTX *tls_client, *tls_server;
    X509 *ca, *cert;
    EVP_PKEY *key;
    char address[128], dir[64];
    bool refuse; /* on_accept does not take it */
};
static struct fix f;

static void on_open(void *ctx)
{
    struct end *e = ctx;
    e->opens++;
    assert_int_equal(e->closes, 0);
    if (e->close_on_open)
        mer_stream_close(e->s);
}

static void on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct end *e = ctx;
    assert_true(len > 0);
    e->data_after_close += e->closes;
    for (size_t i = 0; i < len; i++) {
        e->in_order = e->in_order && data[i] == (uint8_t)e->expect_next;
        e->expect_next = (char)(e->expect_next + 1);
        e->sum += data[i];
    }
    e->bytes += len;
    if (e->echo)
        assert_int_equal(mer_stream_write(e->s, data, len), MER_OK);
    if (e->close_on_data)
        mer_stream_close(e->s);
}

static void on_close(void *ctx, enum mer_err why, const char *text)
{
    struct end *e = ctx;
    e->closes++;
    e->why = why;
    snprintf(e->text, sizeof(e->text), "%s", text);
    e->s = NULL;
}
static const struct mer_stream_cbs cbs = {on_open, on_data, on_close};

static void on_accept(void *ctx, struct mer_stream *s)
{
    struct fix *fx = ctx;
    if (fx->refuse)
        return;
    fx->server.s = s;
    mer_stream_set_ctx(s, &cbs, &fx->server);
}

/* --- certificates --- */

static void make_tls(const char *san)
{
    f.key = EVP_EC_gen("P-256");
    f.ca = certs_make("ca", "critical,CA:TRUE", NULL, f.key);
    f.cert = certs_make("server", san, f.ca, f.key);
    f.tls_server = SSL_CTX_new(TLS_server_method());
    f.tls_client = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(f.tls_server, f.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(f.tls_server, f.key), 1);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(f.tls_client), f.ca);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(f.tls_server), f.ca);
    SSL_CTX_set_verify(f.tls_client, SSL_VERIFY_PEER, NULL);
}

/* --- fixture --- */

static struct mer_stream_conf conf_for(struct end *e, SSL_CTX *tls)
{
    return (struct mer_stream_conf){.loop = &f.loop, .cbs = e ? &cbs : NULL, .ctx = e, .tls = tls, .connect_timeout_ms = TIMEOUT_MS * 20};
}

static void begin(void)
{
    memset(&f, 0, sizeof(f));
    assert_int_equal(mer_loop_init(&f.loop, mer_clock_system()), 0);
    f.client.f = f.server.f = &f;
    f.client.in_order = f.server.in_order = true;
    snprintf(f.dir, sizeof(f.dir), "%s", "/tmp/stream-test-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
}

static void listen_on(const char *address, SSL_CTX *tls)
{
    struct mer_stream_conf conf = conf_for(NULL, tls);
    struct mer_msg msg;
    assert_int_equal(mer_listener_open(&f.listener, &conf, address, on_accept, &f, &msg), MER_OK);
    snprintf(f.address, sizeof(f.address), "%s", mer_listener_address(f.listener));
}

static void connect_client(SSL_CTX *tls, const char *name)
{
    struct mer_stream_conf conf = conf_for(&f.client, tls);
    conf.tls_name = name;
    assert_int_equal(mer_stream_connect(&f.client.s, &conf, f.address), MER_OK);
    assert_int_equal(f.client.opens + f.client.closes, 0);
}

static void finish(void)
{
    if (f.client.s)
        mer_stream_close(f.client.s);
    if (f.server.s)
        mer_stream_close(f.server.s);
    if (f.listener)
        mer_listener_close(f.listener);
    mer_loop_deinit(&f.loop);
    assert_int_equal(f.client.data_after_close + f.server.data_after_close, 0);
    assert_true(f.client.opens <= 1 && f.server.opens <= 1 && f.client.closes <= 1 && f.server.closes <= 1);
    SSL_CTX_free(f.tls_client);
    SSL_CTX_free(f.tls_server);
    X509_free(f.ca);
    X509_free(f.cert);
    EVP_PKEY_free(f.key);
    assert_int_equal(rmdir(f.dir), 0); /* no socket file is left */
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "unix:%s/%s", f.dir, name);
    return path;
}

/* --- talking --- */

static void echo_big(void)
{
    static uint8_t big[BIG];
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)i;
    f.server.echo = true;
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    for (size_t at = 0; at < BIG; at += 100000)
        assert_int_equal(mer_stream_write(f.client.s, big + at, 100000), MER_OK);
    assert_int_equal(mer_stream_unsent(f.client.s), BIG);
    WAIT_FOR(&f, f.client.bytes == BIG);
    assert_true(f.client.in_order && f.server.in_order);
    assert_int_equal(mer_stream_unsent(f.client.s), 0);
    mer_stream_close(f.client.s);
    WAIT_FOR(&f, f.client.closes == 1 && f.server.closes == 1);
    assert_int_equal(f.client.why, MER_OK);
    assert_int_equal(f.server.why, MER_OK);
}

static void bytes_go_both_ways_over_tcp(void **state)
{
    (void)state;
    begin();
    listen_on("127.0.0.1:0", NULL);
    connect_client(NULL, NULL);
    echo_big();
    finish();
}

static void bytes_go_both_ways_over_v6(void **state)
{
    (void)state;
    begin();
    struct mer_stream_conf conf = conf_for(NULL, NULL);
    struct mer_msg msg;
    if (mer_listener_open(&f.listener, &conf, "[::1]:0", on_accept, &f, &msg) == MER_OK) { /* a machine may have no v6 */
        snprintf(f.address, sizeof(f.address), "%s", mer_listener_address(f.listener));
        assert_memory_equal(f.address, "[::1]:", 6);
        connect_client(NULL, NULL);
        echo_big();
    }
    finish();
}

static void bytes_go_both_ways_over_a_unix_socket(void **state)
{
    struct stat st;
    (void)state;
    begin();
    listen_on(in_dir("s"), NULL);
    assert_int_equal(stat(f.address + 5, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    connect_client(NULL, NULL);
    echo_big();
    finish();
}

static void bytes_go_both_ways_with_tls(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1,DNS:edge.test");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL); /* verified against the address */
    echo_big();
    finish();
}

static void a_name_is_resolved(void **state)
{
    char port[16];
    (void)state;
    begin();
    listen_on("127.0.0.1:0", NULL);
    snprintf(port, sizeof(port), "%s", strrchr(f.address, ':'));
    snprintf(f.address, sizeof(f.address), "localhost%s", port);
    connect_client(NULL, NULL);
    WAIT_FOR(&f, f.client.opens == 1);
    finish();
}

static void closing_while_a_name_is_resolved_is_one_close(void **state)
{
    (void)state;
    begin();
    snprintf(f.address, sizeof(f.address), "localhost:1");
    connect_client(NULL, NULL);
    mer_stream_close(f.client.s);
    mer_stream_close(f.client.s);
    WAIT_FOR(&f, f.client.closes == 1);
    assert_int_equal(f.client.opens, 0);
    finish();
}

static void what_is_written_before_the_handshake_is_done_arrives(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    assert_int_equal(mer_stream_write(f.client.s, "\0\1\2", 3), MER_OK);
    WAIT_FOR(&f, f.server.bytes == 3);
    assert_true(f.server.in_order);
    finish();
}

static void the_peers_certificate_can_be_seen(void **state)
{
    (void)state;
    begin();
    make_tls("DNS:edge.test");
    SSL_CTX_set_verify(f.tls_server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(SSL_CTX_use_certificate(f.tls_client, f.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(f.tls_client, f.key), 1);
    listen_on(in_dir("s"), f.tls_server);
    connect_client(f.tls_client, "edge.test");
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    X509 *cert = mer_stream_peer_cert(f.server.s);
    assert_non_null(cert);
    assert_int_equal(X509_cmp(cert, f.cert), 0);
    X509_free(cert);
    finish();
}

static void without_a_name_to_check_the_chain_alone_decides(void **state)
{
    (void)state;
    begin();
    make_tls("URI:meridian://eu/router");
    listen_on("127.0.0.1:0", f.tls_server);
    struct mer_stream_conf conf = conf_for(&f.client, f.tls_client);
    conf.tls_any_name = true;
    assert_int_equal(mer_stream_connect(&f.client.s, &conf, f.address), MER_OK);
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    finish();
}

static void a_peer_is_named_by_its_address(void **state)
{
    static const struct {
        const char *listen, *prefix;
    } rows[] = {{"127.0.0.1:0", "127.0.0.1:"}, {"[::1]:0", "[::1]:"}, {NULL, "unix"}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        begin();
        listen_on(rows[i].listen ? rows[i].listen : in_dir("s"), NULL);
        connect_client(NULL, NULL);
        WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
        assert_string_equal(mer_stream_peer(f.client.s), f.address);
        assert_int_equal(strncmp(mer_stream_peer(f.server.s), rows[i].prefix, strlen(rows[i].prefix)), 0);
        finish();
    }
}

static void a_listener_shows_another_certificate_to_who_comes_next(void **state)
{
    (void)state;
    begin();
    make_tls("DNS:first.test");
    listen_on(in_dir("s"), f.tls_server);
    X509 *next = certs_make("server", "DNS:next.test", f.ca, f.key);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(ctx, next), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, f.key), 1);
    mer_listener_set_tls(f.listener, ctx);
    SSL_CTX_free(ctx); /* the listener has its own reference */
    connect_client(f.tls_client, "next.test");
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    X509 *shown = mer_stream_peer_cert(f.client.s);
    assert_int_equal(X509_cmp(shown, next), 0);
    X509_free(shown);
    X509_free(next);
    finish();
}

/* --- what goes wrong --- */

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "host",
                                      ":1",
                                      "host:",
                                      "host:x",
                                      "host:65536",
                                      "host:123456",
                                      "unix:",
                                      "::1:1",
                                      "[]:1",
                                      "host:-1",
                                      "host: 1",
                                      "a:b:1",
                                      "1.2.3.4",
                                      "unix",
                                      "[::1]",
                                      ("unix:/0123456789012345678901234567890123456789012345678901234567"
                                       "89012345678901234567890123456789012345678901234567890")};
    struct mer_msg msg;
    (void)state;
    begin();
    struct mer_stream_conf conf = conf_for(&f.client, NULL);
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        assert_int_equal(mer_stream_connect(&f.client.s, &conf, bad[i]), MER_EINVALID);
        assert_int_equal(mer_listener_open(&f.listener, &conf, bad[i], on_accept, &f, &msg), MER_EINVALID);
    }
    assert_int_equal(mer_listener_open(&f.listener, &conf, "localhost:0", on_accept, &f, &msg), MER_EIO); /* names are not bound */
    finish();
}

static void nobody_listening_is_one_close_without_open(void **state)
{
    static const char *const nobody[] = {"127.0.0.1:1", "unix:/tmp/no-such-socket-of-meridian"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(nobody); i++) {
        begin();
        snprintf(f.address, sizeof(f.address), "%s", nobody[i]);
        connect_client(NULL, NULL);
        WAIT_FOR(&f, f.client.closes == 1);
        assert_int_equal(f.client.opens, 0);
        assert_int_equal(f.client.why, MER_EREFUSED);
        assert_true(f.client.text[0] != 0);
        finish();
    }
}

static void a_silent_peer_costs_the_connect_timeout(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    listen_on("127.0.0.1:0", NULL); /* never answers a ClientHello */
    struct mer_stream_conf conf = conf_for(&f.client, f.tls_client);
    conf.connect_timeout_ms = TIMEOUT_MS;
    assert_int_equal(mer_stream_connect(&f.client.s, &conf, f.address), MER_OK);
    WAIT_FOR(&f, f.client.closes == 1);
    assert_int_equal(f.client.why, MER_ETIMEOUT);
    assert_int_equal(f.client.opens, 0);
    finish();
}

static void a_certificate_of_another_name_is_refused(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.9,DNS:other.test");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    WAIT_FOR(&f, f.client.closes == 1 && f.server.closes == 1);
    assert_int_equal(f.client.why, MER_ETLS);
    assert_non_null(strstr(f.client.text, "IP address mismatch"));
    assert_int_equal(f.client.opens, 0);
    assert_int_equal(f.server.why, MER_ETLS);
    finish();
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    SSL_CTX_free(f.tls_client);
    f.tls_client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(f.tls_client, SSL_VERIFY_PEER, NULL);
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    WAIT_FOR(&f, f.client.closes == 1);
    assert_int_equal(f.client.why, MER_ETLS);
    assert_int_equal(f.client.opens, 0);
    finish();
}

static void a_client_without_the_certificate_asked_for_does_not_get_in(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    SSL_CTX_set_verify(f.tls_server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    WAIT_FOR(&f, f.client.closes == 1 && f.server.closes == 1);
    assert_int_equal(f.server.opens, 0);
    assert_int_equal(f.server.why, MER_ETLS);
    assert_int_equal(f.client.why, MER_ETLS);
    finish();
}

static void what_is_not_tls_is_refused(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(NULL, NULL);
    WAIT_FOR(&f, f.client.opens == 1);
    assert_int_equal(mer_stream_write(f.client.s, "GET / HTTP/1.0\r\n\r\n", 18), MER_OK);
    WAIT_FOR(&f, f.server.closes == 1);
    assert_int_equal(f.server.opens, 0);
    assert_int_equal(f.server.why, MER_ETLS);
    finish();
}

/* A relay that stops in the middle: the bytes are all good, the end is not. */
static void a_cut_is_told_from_an_end(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    for (int fd = 3; fd < 64; fd++) { /* the client's socket is the one connected to the listener's port */
        struct sockaddr_in a;
        socklen_t n = sizeof(a);
        if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 && a.sin_family == AF_INET &&
            ntohs(a.sin_port) == strtoul(strrchr(f.address, ':') + 1, NULL, 10))
            shutdown(fd, SHUT_WR);
    }
    WAIT_FOR(&f, f.server.closes == 1);
    assert_int_equal(f.server.why, MER_ETLS);
    assert_string_equal(f.server.text, "ended without close_notify");
    finish();
}

/* --- limits and ends --- */

static void beyond_the_limit_writes_are_refused_whole(void **state)
{
    static char chunk[1000];
    (void)state;
    begin();
    listen_on("127.0.0.1:0", NULL);
    struct mer_stream_conf conf = conf_for(&f.client, NULL);
    conf.write_limit_bytes = 2500;
    assert_int_equal(mer_stream_connect(&f.client.s, &conf, f.address), MER_OK);
    assert_int_equal(mer_stream_write(f.client.s, chunk, 1000), MER_OK);
    assert_int_equal(mer_stream_write(f.client.s, chunk, 1000), MER_OK);
    assert_int_equal(mer_stream_write(f.client.s, chunk, 1000), MER_EBUSY);
    assert_int_equal(mer_stream_unsent(f.client.s), 2000);
    WAIT_FOR(&f, f.server.bytes == 2000);
    assert_int_equal(mer_stream_write(f.client.s, chunk, 1000), MER_OK);
    WAIT_FOR(&f, f.server.bytes == 3000);
    finish();
}

static void a_stream_may_be_closed_in_any_callback(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++)
        for (int where = 0; where < 4; where++) {
            begin();
            make_tls("IP:127.0.0.1");
            struct end *e = where % 2 ? &f.client : &f.server;
            e->close_on_open = where < 2;
            e->close_on_data = where >= 2;
            f.server.echo = e != &f.server;
            listen_on("127.0.0.1:0", tls ? f.tls_server : NULL);
            connect_client(tls ? f.tls_client : NULL, NULL);
            if (where >= 2)
                assert_int_equal(mer_stream_write(f.client.s, "abc", 3), MER_OK);
            WAIT_FOR(&f, f.client.closes == 1 && f.server.closes == 1);
            assert_int_equal(e->why, MER_OK);
            finish();
        }
}

static void last_words_are_sent_by_close(void **state)
{
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    listen_on("127.0.0.1:0", f.tls_server);
    connect_client(f.tls_client, NULL);
    WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
    assert_int_equal(mer_stream_write(f.client.s, "\0\1\2", 3), MER_OK);
    mer_stream_close(f.client.s);
    WAIT_FOR(&f, f.server.closes == 1);
    assert_int_equal(f.server.bytes, 3);
    assert_int_equal(f.server.why, MER_OK);
    finish();
}

static void a_reset_throws_away_what_was_not_taken(void **state)
{
    static uint8_t big[BIG];
    (void)state;
    begin();
    make_tls("IP:127.0.0.1");
    for (int tls = 0; tls <= 1; tls++) {
        listen_on("127.0.0.1:0", tls ? f.tls_server : NULL);
        connect_client(tls ? f.tls_client : NULL, NULL);
        WAIT_FOR(&f, f.client.opens == 1 && f.server.opens == 1);
        assert_int_equal(mer_stream_write(f.client.s, big, sizeof big), MER_OK);
        mer_stream_flush(f.client.s); /* more than the kernel takes at once */
        mer_stream_reset(f.client.s);
        mer_stream_reset(f.client.s);
        assert_int_equal(f.client.closes, 0);
        WAIT_FOR(&f, f.client.closes == 1 && f.server.closes == 1);
        assert_int_equal(f.client.why, MER_OK);
        assert_true(f.server.bytes < sizeof big); /* its reason is not looked at: libuv takes a hang-up for an end */
        mer_listener_close(f.listener);
        f.listener = NULL;
        f.client = f.server = (struct end){.f = &f};
    }
    finish();
}

static void a_stream_nobody_takes_is_closed(void **state)
{
    (void)state;
    begin();
    f.refuse = true;
    listen_on("127.0.0.1:0", NULL);
    connect_client(NULL, NULL);
    WAIT_FOR(&f, f.client.closes == 1);
    assert_int_equal(f.server.opens + f.server.closes, 0);
    finish();
}

static void writing_to_a_closed_stream_is_refused(void **state)
{
    (void)state;
    begin();
    listen_on("127.0.0.1:0", NULL);
    connect_client(NULL, NULL);
    mer_stream_close(f.client.s);
    assert_int_equal(mer_stream_write(f.client.s, "x", 1), MER_ECLOSED);
    WAIT_FOR(&f, f.client.closes == 1);
    finish();
}

/* --- listening --- */

static void a_stale_socket_file_is_replaced_a_live_one_is_not(void **state)
{
    struct mer_listener *second;
    struct mer_msg msg;
    (void)state;
    begin();
    struct mer_stream_conf conf = conf_for(NULL, NULL);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", f.dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    close(fd); /* the file stays, as after a crash */
    listen_on(in_dir("s"), NULL);
    assert_int_equal(mer_listener_open(&second, &conf, in_dir("s"), on_accept, &f, &msg), MER_EEXISTS);
    WAIT_FOR(&f, f.server.closes == 1); /* it was asked whether it lives */
    memset(&f.server, 0, sizeof(f.server));
    connect_client(NULL, NULL);
    WAIT_FOR(&f, f.client.opens == 1);
    finish();
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct mer_msg msg;
    (void)state;
    begin();
    struct mer_stream_conf conf = conf_for(NULL, NULL);
    const char *address = in_dir("file");
    close(open(address + 5, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(mer_listener_open(&f.listener, &conf, address, on_accept, &f, &msg), MER_EEXISTS);
    f.listener = NULL;
    assert_int_equal(unlink(address + 5), 0);
    finish();
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct mer_listener *second;
    struct mer_msg msg;
    (void)state;
    begin();
    listen_on("0.0.0.0:0", NULL);
    assert_memory_equal(f.address, "127.0.0.1:", 10);
    struct mer_stream_conf conf = conf_for(NULL, NULL);
    assert_int_equal(mer_listener_open(&second, &conf, f.address, on_accept, &f, &msg), MER_EEXISTS);
    assert_non_null(strstr(msg.text, f.address));
    connect_client(NULL, NULL);
    WAIT_FOR(&f, f.client.opens == 1);
    finish();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as every service does (mer_process_raise_limits) */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_over_tcp),
        cmocka_unit_test(bytes_go_both_ways_over_v6),
        cmocka_unit_test(bytes_go_both_ways_over_a_unix_socket),
        cmocka_unit_test(bytes_go_both_ways_with_tls),
        cmocka_unit_test(a_name_is_resolved),
        cmocka_unit_test(closing_while_a_name_is_resolved_is_one_close),
        cmocka_unit_test(what_is_written_before_the_handshake_is_done_arrives),
        cmocka_unit_test(the_peers_certificate_can_be_seen),
        cmocka_unit_test(without_a_name_to_check_the_chain_alone_decides),
        cmocka_unit_test(a_peer_is_named_by_its_address),
        cmocka_unit_test(a_listener_shows_another_certificate_to_who_comes_next),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(nobody_listening_is_one_close_without_open),
        cmocka_unit_test(a_silent_peer_costs_the_connect_timeout),
        cmocka_unit_test(a_certificate_of_another_name_is_refused),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused),
        cmocka_unit_test(a_client_without_the_certificate_asked_for_does_not_get_in),
        cmocka_unit_test(what_is_not_tls_is_refused),
        cmocka_unit_test(a_cut_is_told_from_an_end),
        cmocka_unit_test(beyond_the_limit_writes_are_refused_whole),
        cmocka_unit_test(a_stream_may_be_closed_in_any_callback),
        cmocka_unit_test(last_words_are_sent_by_close),
        cmocka_unit_test(a_reset_throws_away_what_was_not_taken),
        cmocka_unit_test(a_stream_nobody_takes_is_closed),
        cmocka_unit_test(writing_to_a_closed_stream_is_refused),
        cmocka_unit_test(a_stale_socket_file_is_replaced_a_live_one_is_not),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(a_port_that_is_taken_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
