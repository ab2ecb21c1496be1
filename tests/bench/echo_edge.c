/* SPDX-License-Identifier: Apache-2.0
 * echo_edge.c - the edge's connection layer with nothing on it but /v1/echo: what the floor bench measures, and the smallest complete use
 * of edge/net. Usage: echo_edge [--listen ADDRESS:PORT] [--tls CERT KEY] [--max-message BYTES]. Prints its URL, serves until SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/process.h>
#include <meridian/tls.h>

#include "edge/net/http.h"

struct options {
    const char *listen, *cert, *key;
    uint32_t max_message;
};

static void usage(void)
{
    fprintf(stderr, "usage: echo_edge [--listen ADDRESS:PORT] [--tls CERT KEY] [--max-message BYTES]\n");
    exit(2);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.listen = "127.0.0.1:0"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc) {
            o.listen = argv[++i];
        } else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            o.cert = argv[++i];
            o.key = argv[++i];
        } else if (strcmp(argv[i], "--max-message") == 0 && i + 1 < argc) {
            o.max_message = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            usage();
        }
    }
    return o;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    mer_loop_stop(handle->data);
}

static struct edge_net *create_net(struct mer_loop *loop, struct mer_log *log, struct mer_metrics *metrics, const struct options *o)
{
    struct edge_net_conf conf;
    struct edge_net *net;
    edge_net_conf_default(&conf);
    conf.loop = loop;
    conf.log = log;
    conf.metrics = metrics;
    conf.rng = mer_rng_system();
    conf.max_connections = 100000;
    conf.address_connections = conf.address_pending = conf.address_handshakes.per_second = 0;
    if (o->max_message != 0)
        conf.max_message_bytes = o->max_message;
    if (edge_net_create(&net, &conf) != MER_OK)
        exit(1);
    return net;
}

static struct edge_http *create_http(struct edge_net *net, const struct edge_upgrade_route *echo, SSL_CTX *tls, const struct options *o)
{
    struct edge_http_conf conf;
    struct edge_http *http;
    struct mer_msg msg = {""};
    edge_http_conf_default(&conf);
    conf.net = net;
    conf.upgrades = echo;
    conf.upgrade_count = 1;
    conf.native = true;
    if (edge_http_create(&http, &conf, &msg) != MER_OK || edge_http_listen(http, o->listen, tls, false, &msg) != MER_OK) {
        fprintf(stderr, "echo_edge: %s\n", msg.text);
        exit(1);
    }
    return http;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_msg msg = {""};
    SSL_CTX *tls = NULL;

    mer_process_raise_limits();
    if (mer_loop_init(&loop, mer_clock_system()) != 0)
        return 1;
    mer_log_init(&log, 2, MER_INFO, mer_clock_system());
    mer_metrics_init(&metrics);
    if (o.cert != NULL && mer_tls_server_create(&tls, o.cert, o.key, NULL, &msg) != MER_OK) {
        fprintf(stderr, "echo_edge: %s\n", msg.text);
        return 1;
    }
    struct edge_upgrade_route echo = edge_echo_route("/v1/echo");
    struct edge_net *net = create_net(&loop, &log, &metrics, &o);
    struct edge_http *http = create_http(net, &echo, tls, &o);

    uv_signal_t term;
    uv_signal_init(&loop.uv, &term);
    term.data = &loop;
    uv_signal_start(&term, on_signal, SIGTERM);
    printf("%s://%s/v1/echo\n", tls != NULL ? "wss" : "ws", edge_http_address(http, 0));
    fflush(stdout);
    mer_loop_run(&loop);

    uv_close((uv_handle_t *)&term, NULL);
    edge_http_destroy(http);
    edge_net_destroy(net);
    mer_loop_deinit(&loop);
    SSL_CTX_free(tls);
    return 0;
}
