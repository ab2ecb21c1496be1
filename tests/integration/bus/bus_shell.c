/* SPDX-License-Identifier: Apache-2.0
 * bus_shell.c - an edge's bus behind stdin and stdout, for tests that break a real Redis around it, and for measuring.
 *
 *   bus_shell PASSWORD_FILE INCARNATION links|redis LISTEN HOST:PORT...
 *   in    stream TO PER_SECOND   sends 1, 2, 3, ... until told to stop (0); a number that is not taken is sent again
 *         ping TO COUNT EVERY_MS   that many round trips
 *         die                      ends without a word
 *   out   {"event": "ready"} {"event": "got", "from", "n"} {"event": "down", "peer", "dead"} {"event": "sent", "n"}
 *         {"event": "pinged", "us": [...]}   {"event": "metrics", "text"} before the end, which is that of stdin */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/bus/bus.h"
#include "edge/store/store.h"

typedef Meridian__Internal__V1__BusMessage Message;
enum { LINE = 4096, PINGS = 100 * 1000, TICK_MS = 2 };

struct shell {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_redis *redis;
    struct edge_store *store;
    struct edge_bus *bus;
    uv_poll_t in;
    char line[LINE];
    size_t len;
    struct mer_timer tick, ping;
    char to[64], ping_to[64];
    uint64_t per_second, sent, stream_us;
    uint64_t pinged_us;
    uint32_t pings, ping_count, ping_every_ms;
    uint32_t took_us[PINGS];
    bool stopping;
};

static uint64_t now_us(struct shell *sh)
{
    return sh->loop.clock.mono_us(sh->loop.clock.ctx);
}

static enum mer_err send_text(struct shell *sh, const char *to, const char *text)
{
    Message m = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__INIT;
    Meridian__Internal__V1__SessionReplace r = MERIDIAN__INTERNAL__V1__SESSION_REPLACE__INIT;
    r.session = (char *)text;
    m.body_case = MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE;
    m.session_replace = &r;
    return edge_bus_send(sh->bus, to, &m);
}

/* ---- streaming and pinging ------------------------------------------------------------------------------------------------------------
 */

static void on_tick(struct mer_timer *t)
{
    struct shell *sh = MER_CONTAINER_OF(t, struct shell, tick);
    char text[32];
    mer_loop_arm(&sh->loop, t, TICK_MS);
    while (sh->per_second > 0 && now_us(sh) >= sh->stream_us) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)sh->sent + 1);
        sh->stream_us += 1000000 / sh->per_second;
        if (send_text(sh, sh->to, text) == MER_OK)
            sh->sent++;
    }
}

static void send_ping(struct mer_timer *t)
{
    struct shell *sh = MER_CONTAINER_OF(t, struct shell, ping);
    sh->pinged_us = now_us(sh);
    if (send_text(sh, sh->ping_to, "ping") != MER_OK)
        mer_loop_arm(&sh->loop, t, 10);
}

static void got_pong(struct shell *sh)
{
    sh->took_us[sh->pings++] = (uint32_t)(now_us(sh) - sh->pinged_us);
    if (sh->pings < sh->ping_count) {
        mer_loop_arm(&sh->loop, &sh->ping, sh->ping_every_ms);
        return;
    }
    printf("{\"event\":\"pinged\",\"us\":[");
    for (uint32_t i = 0; i < sh->pings; i++)
        printf(i ? ",%u" : "%u", sh->took_us[i]);
    puts("]}");
    fflush(stdout);
}

static void on_message(void *ctx, const Message *m)
{
    struct shell *sh = ctx;
    const char *text = m->session_replace->session;
    if (strcmp(text, "ping") == 0) {
        (void)!send_text(sh, m->from, "pong");
    } else if (strcmp(text, "pong") == 0) {
        got_pong(sh);
    } else {
        printf("{\"event\":\"got\",\"from\":\"%s\",\"n\":%s}\n", m->from, text);
        fflush(stdout);
    }
}

static void on_down(void *ctx, const char *incarnation, bool dead)
{
    (void)ctx;
    printf("{\"event\":\"down\",\"peer\":\"%s\",\"dead\":%s}\n", incarnation, dead ? "true" : "false");
    fflush(stdout);
}

static void on_ready(void *ctx)
{
    struct shell *sh = ctx;
    edge_store_live_start(sh->store, edge_bus_address(sh->bus));
    puts("{\"event\":\"ready\"}");
    fflush(stdout);
}

/* ---- stdin ----------------------------------------------------------------------------------------------------------------------------
 */

static void obey(struct shell *sh, const char *line)
{
    unsigned count, every;
    unsigned long long rate;
    if (sscanf(line, "stream %63s %llu", sh->to, &rate) == 2) {
        sh->per_second = rate;
        sh->stream_us = now_us(sh);
        printf("{\"event\":\"sent\",\"n\":%llu}\n", (unsigned long long)sh->sent);
        fflush(stdout);
    } else if (sscanf(line, "ping %63s %u %u", sh->ping_to, &count, &every) == 3 && count <= PINGS) {
        sh->pings = 0;
        sh->ping_count = count;
        sh->ping_every_ms = every;
        mer_loop_arm(&sh->loop, &sh->ping, 0);
    } else if (strcmp(line, "die") == 0) {
        _exit(9);
    } else {
        fprintf(stderr, "unknown: %s\n", line);
    }
}

static void on_input(uv_poll_t *h, int status, int events)
{
    struct shell *sh = h->data;
    ssize_t n = read(0, sh->line + sh->len, sizeof(sh->line) - sh->len - 1);
    (void)status, (void)events;
    if (n <= 0) {
        sh->stopping = true;
        mer_loop_stop(&sh->loop);
        return;
    }
    sh->len += (size_t)n;
    for (char *end; (end = memchr(sh->line, '\n', sh->len)) != NULL;) {
        *end = 0;
        obey(sh, sh->line);
        sh->len -= (size_t)(end + 1 - sh->line);
        memmove(sh->line, end + 1, sh->len);
    }
}

static void print_metrics(struct shell *sh)
{
    struct mer_buf text;
    mer_buf_init(&text, 0);
    MER_ASSERT(mer_metrics_render(&sh->metrics, &text) == MER_OK);
    printf("{\"event\":\"metrics\",\"text\":\"");
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n')
            printf("\\n");
        else if (text.data[i] == '"' || text.data[i] == '\\')
            printf("\\%c", text.data[i]);
        else
            putchar(text.data[i]);
    puts("\"}");
    fflush(stdout);
    mer_buf_deinit(&text);
}

/* ---- life -----------------------------------------------------------------------------------------------------------------------------
 */

static const char *password(const char *file)
{
    static char line[256];
    FILE *f = fopen(file, "re");
    if (f == NULL || fgets(line, sizeof(line), f) == NULL)
        return NULL;
    fclose(f);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static bool start(struct shell *sh, int argc, char **argv)
{
    struct mer_redis_conf rc = {.loop = &sh->loop,
                                .log = &sh->log,
                                .rng = mer_rng_system(),
                                .metrics = &sh->metrics,
                                .nodes = (const char *const *)(argv + 5),
                                .node_count = (size_t)(argc - 5),
                                .password = password(argv[1]),
                                .durability = MER_DURABILITY_ONE,
                                .replicas = 2,
                                .wait_ms = 500,
                                .deadline_ms = 1500,
                                .library = "meridian1"};
    struct edge_store_conf sc = {.loop = &sh->loop, .log = &sh->log, .metrics = &sh->metrics, .incarnation = argv[2]};
    struct edge_bus_conf bc = {.loop = &sh->loop,
                               .log = &sh->log,
                               .rng = mer_rng_system(),
                               .metrics = &sh->metrics,
                               .region = "test",
                               .id = argv[2],
                               .incarnation = argv[2],
                               .listen = argv[4],
                               .carrier = strcmp(argv[3], "redis") == 0 ? EDGE_BUS_REDIS : EDGE_BUS_LINKS};
    struct mer_msg msg;
    if (mer_redis_create(&sh->redis, &rc) != MER_OK)
        return false;
    sc.redis = bc.redis = sh->redis;
    if (edge_store_create(&sh->store, &sc) != MER_OK)
        return false;
    bc.store = sh->store;
    if (edge_bus_create(&sh->bus, &bc, &msg) != MER_OK)
        return false;
    edge_bus_on(sh->bus, MERIDIAN__INTERNAL__V1__BUS_MESSAGE__BODY_SESSION_REPLACE, on_message, sh);
    edge_bus_on_peer_down(sh->bus, on_down, sh);
    mer_redis_on_ready(sh->redis, on_ready, sh);
    mer_timer_init(&sh->tick, on_tick);
    mer_timer_init(&sh->ping, send_ping);
    mer_loop_arm(&sh->loop, &sh->tick, TICK_MS);
    sh->in.data = sh;
    return uv_poll_init(&sh->loop.uv, &sh->in, 0) == 0 && uv_poll_start(&sh->in, UV_READABLE, on_input) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: bus_shell PASSWORD_FILE INCARNATION links|redis LISTEN HOST:PORT...\n");
        return 2;
    }
    static struct shell sh;
    signal(SIGPIPE, SIG_IGN);
    MER_ASSERT(mer_loop_init(&sh.loop, mer_clock_system()) == 0);
    mer_log_init(&sh.log, 2, MER_INFO, mer_clock_system());
    mer_metrics_init(&sh.metrics);
    if (!start(&sh, argc, argv))
        return 1;
    while (!sh.stopping)
        mer_loop_run(&sh.loop);
    print_metrics(&sh);
    uv_close((uv_handle_t *)&sh.in, NULL);
    mer_loop_disarm(&sh.loop, &sh.tick);
    mer_loop_disarm(&sh.loop, &sh.ping);
    mer_redis_destroy(sh.redis);
    edge_store_destroy(sh.store);
    edge_bus_destroy(sh.bus);
    mer_loop_deinit(&sh.loop);
    return 0;
}
