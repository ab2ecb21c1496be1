/* SPDX-License-Identifier: Apache-2.0
 * The take-over of a TLS connection from h2o: frames split over records at every byte, frames in the record of the handshake's request,
 * large messages both ways, and ends of both kinds. TLS 1.2 and 1.3. */
#include "net_fixture.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <meridian/tls.h>

#include "edge/net/net_private.h"

static EVP_PKEY *write_cert(const char *cert_file, const char *key_file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *c = fopen(cert_file, "w"), *k = fopen(key_file, "w");
    PEM_write_X509(c, x);
    PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL);
    fchmod(fileno(k), 0600);
    fclose(c);
    fclose(k);
    X509_free(x);
    return key;
}

static int fix_tls(void **state)
{
    struct net_fix *f = net_fix_new();
    char dir[] = "/tmp/meridian-test.XXXXXX", cert[64], key[64];
    struct mer_msg msg = {""};
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    snprintf(key, sizeof(key), "%s/key", dir);
    EVP_PKEY_free(write_cert(cert, key));
    if (mer_tls_server_create(&f->tls, cert, key, NULL, &msg) != MER_OK)
        fail_msg("%s", msg.text);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    net_start(f);
    *state = f;
    return 0;
}

struct client {
    struct net_fix *f;
    SSL *ssl;
    int fd;
};

static bool wants_more(struct client *c, int ret)
{
    int why = SSL_get_error(c->ssl, ret);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static struct client tls_connect(struct net_fix *f, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    struct client c = {f, SSL_new(ctx), net_connect(f)};
    SSL_CTX_free(ctx);
    SSL_set_fd(c.ssl, c.fd);
    int ret = 0;
    net_until(f, (ret = SSL_connect(c.ssl)) == 1 || !wants_more(&c, ret));
    assert_int_equal(ret, 1);
    return c;
}

/* One record a call, for up to 16 KB. */
static void tls_send(struct client *c, const void *data, size_t len)
{
    int ret = 0;
    ERR_clear_error();
    net_until(c->f, (ret = SSL_write(c->ssl, data, (int)len)) > 0 || !wants_more(c, ret));
    assert_int_equal(ret, len);
}

static size_t tls_recv(struct client *c, void *out, size_t want)
{
    size_t have = 0;
    bool end = false;
    net_until(c->f, ({
                  ERR_clear_error();
                  int n = SSL_read(c->ssl, (char *)out + have, (int)(want - have));
                  if (n > 0)
                      have += (size_t)n;
                  end = n <= 0 && !wants_more(c, n);
                  end || have == want;
              }));
    return have;
}

static void tls_close(struct client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

static void tls_head(struct client *c)
{
    char head[1024] = "";
    for (size_t n = 0; strstr(head, "\r\n\r\n") == NULL && n + 1 < sizeof(head); head[++n] = '\0')
        assert_int_equal(tls_recv(c, head + n, 1), 1);
    assert_memory_equal(head, "HTTP/1.1 101 ", 13);
}

#define REQUEST WS_HEAD("/v1/echo") "\r\n"
#define assert_tls_frame(c, want_first, want, want_len) \
    do { \
        uint8_t got_[2 + 125]; \
        assert_int_equal(tls_recv((c), got_, 2 + (want_len)), 2 + (want_len)); \
        assert_int_equal(got_[0], (want_first)); \
        assert_int_equal(got_[1], (want_len)); \
        assert_memory_equal(got_ + 2, (want), (want_len)); \
    } while (0)

static void a_frame_is_split_over_records_at_every_byte(struct net_fix *f, int version)
{
    struct client c = tls_connect(f, version);
    uint8_t frame[64];
    size_t len = net_frame(frame, 0x81, "split over records", 18);
    tls_send(&c, REQUEST, sizeof(REQUEST) - 1);
    tls_head(&c);
    for (size_t cut = 1; cut < len; cut++) {
        tls_send(&c, frame, cut);
        net_settle(f);
        tls_send(&c, frame + cut, len - cut);
        assert_tls_frame(&c, 0x81, "split over records", 18);
    }
    for (size_t i = 0; i < len; i++)
        tls_send(&c, frame + i, 1);
    assert_tls_frame(&c, 0x81, "split over records", 18);
    tls_close(&c);
}

/* The first `cut` bytes of the frame are in the record of the request, the rest in the next. */
static void a_frame_begins_in_the_record_of_the_request(struct net_fix *f, int version)
{
    uint8_t bytes[1024];
    memcpy(bytes, REQUEST, sizeof(REQUEST) - 1);
    size_t head = sizeof(REQUEST) - 1, len = net_frame(bytes + head, 0x81, "early", 5);
    for (size_t cut = 0; cut <= len; cut++) {
        for (int wait = 0; wait < 2; wait++) {
            struct client c = tls_connect(f, version);
            tls_send(&c, bytes, head + cut);
            if (wait != 0)
                net_settle(f);
            if (cut < len)
                tls_send(&c, bytes + head + cut, len - cut);
            tls_head(&c);
            assert_tls_frame(&c, 0x81, "early", 5);
            tls_close(&c);
        }
    }
}

/* A record cut on its way, so that a part of it lies in OpenSSL when the connection changes hands. */
static void a_record_is_cut_at_every_byte_while_the_connection_changes_hands(struct net_fix *f, int version)
{
    for (size_t cut = 1; cut < 60; cut++) {
        struct client c = tls_connect(f, version);
        uint8_t frame[64], wire[1024];
        BIO *out = BIO_new(BIO_s_mem());
        SSL_set0_wbio(c.ssl, out); /* collect the records, send them ourselves */
        assert_int_equal(SSL_write(c.ssl, REQUEST, sizeof(REQUEST) - 1), sizeof(REQUEST) - 1);
        size_t len = net_frame(frame, 0x81, "in two segments", 15);
        int first = (int)BIO_pending(out);
        assert_int_equal(SSL_write(c.ssl, frame, (int)len), len);
        int n = BIO_read(out, wire, sizeof(wire));
        size_t at = (size_t)first + cut < (size_t)n ? (size_t)first + cut : (size_t)n;
        net_send(f, c.fd, wire, at);
        net_settle(f);
        net_send(f, c.fd, wire + at, (size_t)n - at);
        tls_head(&c);
        assert_tls_frame(&c, 0x81, "in two segments", 15);
        tls_close(&c);
    }
}

static void frames_survive_the_take_over(void **state)
{
    struct net_fix *f = *state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < MER_COUNT(versions); i++) {
        a_frame_is_split_over_records_at_every_byte(f, versions[i]);
        a_frame_begins_in_the_record_of_the_request(f, versions[i]);
        a_record_is_cut_at_every_byte_while_the_connection_changes_hands(f, versions[i]);
    }
    net_until(f, edge_net_connections(f->net) == 0);
}

static struct client open_ws(struct net_fix *f)
{
    struct client c = tls_connect(f, TLS1_3_VERSION);
    tls_send(&c, WS_HEAD("/v1/ws") "\r\n", sizeof(WS_HEAD("/v1/ws") "\r\n") - 1);
    tls_head(&c);
    assert_true(edge_conn_is_tls(f->conn[f->opened - 1]));
    return c;
}

static void more_than_the_kernel_takes_comes_whole_and_in_order(void **state)
{
    struct net_fix *f = *state;
    enum { LEN = 40000, MAX = 400 };
    static uint8_t data[LEN], got[4 + LEN];
    struct client c = open_ws(f);
    int sent = 0;
    for (; edge_conn_unsent(f->conn[0]) < 150000; sent++) {
        memset(data, sent, sizeof(data));
        edge_conn_send(f->conn[0], EDGE_BINARY, data, sizeof(data));
        edge_conn_send(f->conn[0], EDGE_TEXT, "x", 1);
        net_step(f);
        assert_true(sent < MAX);
    }
    for (int i = 0; i < sent; i++) {
        memset(data, i, sizeof(data));
        assert_int_equal(tls_recv(&c, got, 4 + LEN), 4 + LEN);
        assert_memory_equal(got, "\x82\x7e\x9c\x40", 4);
        assert_memory_equal(got + 4, data, LEN);
        assert_tls_frame(&c, 0x81, "x", 1);
    }
    net_until(f, f->conn[0]->outbox == NULL);
    tls_close(&c);
}

static void a_slow_reader_gets_whole_frames_and_3004(void **state)
{
    struct net_fix *f = *state;
    static uint8_t data[10000], got[4 + sizeof(data)];
    struct client c = open_ws(f);
    while (f->conn[0] != NULL && edge_conn_is_open(f->conn[0])) {
        edge_conn_send(f->conn[0], EDGE_BINARY, data, sizeof(data));
        net_step(f);
    }
    net_settle(f);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_TOO_SLOW);
    for (;;) {
        assert_int_equal(tls_recv(&c, got, 4), 4);
        if (got[0] == 0x88)
            break;
        assert_memory_equal(got, "\x82\x7e\x27\x10", 4);
        assert_int_equal(tls_recv(&c, got, sizeof(data)), sizeof(data));
    }
    assert_int_equal(got[2] << 8 | got[3], 3004);
    tls_close(&c);
}

static void the_end_is_told_by_close_notify(void **state)
{
    struct net_fix *f = *state;
    struct client c = open_ws(f);
    char byte;
    edge_conn_close(f->conn[0], EDGE_CLOSE_RESTART, "restart;retry=0");
    assert_tls_frame(&c, 0x88, "\x03\xf4restart;retry=0", 17);
    uint8_t frame[16];
    tls_send(&c, frame, net_frame(frame, 0x88, "\x03\xf4", 2));
    assert_int_equal(tls_recv(&c, &byte, 1), 0);
    assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
    tls_close(&c);
    net_until(f, edge_net_connections(f->net) == 0);
}

static void records_that_are_no_records_end_the_connection(void **state)
{
    struct net_fix *f = *state;
    struct client c = open_ws(f);
    net_send(f, c.fd, "this is no record, and has not been one for a while", 50);
    net_until(f, f->closed == 1);
    assert_int_equal(f->close_code[0], EDGE_CLOSE_LOST);
    tls_close(&c);
}

static void what_is_no_tls_is_closed(void **state)
{
    struct net_fix *f = *state;
    static const char *const junk[] = {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01\xff\xff\x01"};
    for (size_t i = 0; i < MER_COUNT(junk); i++) {
        char answer[256];
        int fd = net_connect(f);
        net_send(f, fd, junk[i], strlen(junk[i]));
        shutdown(fd, SHUT_WR);
        size_t n = net_recv(f, fd, answer, sizeof(answer));
        assert_true(n == 0 || answer[0] == 0x15); /* at most an alert */
        close(fd);
    }
    int waiting = net_connect(f); /* the edge goes while a handshake is on its way */
    net_send(f, waiting, "\x16\x03\x01\x02\x00", 5);
    net_settle(f);
    close(waiting);
    net_until(f, f->net->pending_count == 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_tls, net_fix_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(frames_survive_the_take_over),
        T(more_than_the_kernel_takes_comes_whole_and_in_order),
        T(a_slow_reader_gets_whole_frames_and_3004),
        T(the_end_is_told_by_close_notify),
        T(records_that_are_no_records_end_the_connection),
        T(what_is_no_tls_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
