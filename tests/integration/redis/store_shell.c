/* SPDX-License-Identifier: Apache-2.0
 * store_shell.c - the edge's store and Redis client behind stdin and stdout, for tests that break a real cluster around them.
 *
 *   store_shell PASSWORD_FILE INCARNATION REPLICAS LIBRARY|- HOST:PORT...
 *   in    TAG WORD...           one call; words are separated by one space, "-" is an empty one
 *   out   {"tag", "result", ...}   one line a call, in the order of the answers; {"event": "ready" | "change", ...} in between
 *
 * Ends with stdin, or with the line "quit"; all calls under way are answered first. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "edge/store/store.h"

enum { WORDS = 16, LINE = 128 * 1024 };

struct shell {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_redis *redis;
    struct edge_store *store;
    uv_poll_t in;
    char line[LINE];
    size_t len;
    char *word[WORDS];
    int words;
};
struct asked {
    struct shell *sh;
    char tag[32];
    uint64_t started_ms;
};

static void print_text(const char *s, size_t n)
{
    putchar('"');
    for (size_t i = 0; i < n; i++)
        if (s[i] == '"' || s[i] == '\\')
            printf("\\%c", s[i]);
        else if ((unsigned char)s[i] < ' ')
            printf("\\u%04x", s[i]);
        else
            putchar(s[i]);
    putchar('"');
}

static void print_field(const char *name, const char *s)
{
    printf(",\"%s\":", name);
    print_text(s, strlen(s));
}

static void begin(struct asked *a, const char *result)
{
    printf("{\"tag\":\"%s\",\"result\":\"%s\",\"ms\":%llu", a->tag, result,
           (unsigned long long)(mer_clock_mono_ms(&a->sh->loop.clock) - a->started_ms));
}

static void end(struct asked *a)
{
    puts("}");
    fflush(stdout);
    free(a);
}

static void on_game(void *ctx, enum edge_store_result result, const struct edge_stored *g)
{
    begin(ctx, edge_store_result_name(result));
    printf(",\"version\":%llu,\"generation\":%llu,\"epoch\":%llu,\"nonce\":%llu,\"timeMs\":%llu", (unsigned long long)g->version,
           (unsigned long long)g->fence.generation, (unsigned long long)g->fence.epoch, (unsigned long long)g->fence.nonce,
           (unsigned long long)g->time_ms);
    print_field("owner", g->owner);
    printf(",\"record\":");
    print_text((const char *)g->record, g->record_len);
    end(ctx);
}

static void on_player(void *ctx, enum edge_store_result result, const struct edge_player *p)
{
    begin(ctx, edge_store_result_name(result));
    print_field("game", p->game);
    print_field("gameOwner", p->game_owner);
    print_field("ticket", p->ticket);
    print_field("ticketEdge", p->ticket_edge);
    print_field("previousEdge", p->previous_edge);
    print_field("previousSession", p->previous_session);
    printf(",\"expiresAtMs\":%llu,\"timeMs\":%llu,\"devices\":[", (unsigned long long)p->ticket_expires_at_ms,
           (unsigned long long)p->time_ms);
    for (size_t i = 0; i < p->device_count; i++)
        printf("%s\"%s %s %s\"", i ? "," : "", p->devices[i].device, p->devices[i].edge, p->devices[i].session);
    putchar(']');
    end(ctx);
}

static void on_text(void *ctx, enum edge_store_result result, const char *value)
{
    begin(ctx, edge_store_result_name(result));
    print_field("value", value);
    end(ctx);
}

static void on_gids(void *ctx, enum edge_store_result result, const char *const *gids, size_t count)
{
    begin(ctx, edge_store_result_name(result));
    printf(",\"gids\":[");
    for (size_t i = 0; i < count; i++) {
        printf("%s", i ? "," : "");
        print_text(gids[i], strlen(gids[i]));
    }
    putchar(']');
    end(ctx);
}

static void on_raw(void *ctx, enum mer_err err, const redisReply *reply)
{
    begin(ctx, mer_err_name(err));
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        printf(",\"integer\":%lld", reply->integer);
    else if (reply && reply->str) {
        printf(",\"text\":");
        print_text(reply->str, (size_t)reply->len);
    }
    end(ctx);
}

static uint64_t num(const char *s)
{
    return strtoull(s, NULL, 10);
}

/* gid generation epoch nonce expected version record */
static struct edge_store_write write_of(char **w)
{
    return (struct edge_store_write){.gid = w[0],
                                     .fence = {num(w[1]), num(w[2]), num(w[3])},
                                     .expected_version = num(w[4]),
                                     .version = num(w[5]),
                                     .record = w[6],
                                     .record_len = strlen(w[6])};
}

static enum mer_err game_call(struct shell *sh, const char *what, char **w, int n, struct asked *a)
{
    struct edge_store *s = sh->store;
    struct edge_store_write write = n >= 7 ? write_of(w) : (struct edge_store_write){0};
    if (!strcmp(what, "create") && n == 7)
        return edge_store_game_create(s, &write, on_game, a);
    if (!strcmp(what, "put") && n == 7)
        return edge_store_game_put(s, &write, on_game, a);
    if (!strcmp(what, "end") && n == 7)
        return edge_store_game_end(s, &write, on_game, a);
    if (!strcmp(what, "get") && n == 1)
        return edge_store_game_get(s, w[0], on_game, a);
    if (!strcmp(what, "void") && n == 1)
        return edge_store_game_void(s, w[0], on_game, a);
    if (!strcmp(what, "touch") && n == 5)
        return edge_store_game_touch(s, w[0], &(struct edge_fence){num(w[1]), num(w[2]), num(w[3])}, num(w[4]), on_game, a);
    if (!strcmp(what, "claim") && n == 5) /* gid generation epoch owner nonce */
        return edge_store_game_claim(s, w[0], &(struct edge_fence){num(w[1]), num(w[2]), 0}, w[3], num(w[4]), on_game, a);
    if (!strcmp(what, "owned") && n == 2)
        return edge_store_owned(s, edge_key_bucket(w[0]), w[1], on_gids, a);
    return MER_ENOTFOUND;
}

static enum mer_err player_call(struct shell *sh, const char *what, char **w, int n, struct asked *a)
{
    struct edge_store *s = sh->store;
    if (!strcmp(what, "connect") && n == 3)
        return edge_store_player_connect(s, w[0], w[1], w[2], on_player, a);
    if (!strcmp(what, "disconnect") && n == 3)
        return edge_store_player_disconnect(s, w[0], w[1], w[2], on_player, a);
    if (!strcmp(what, "player") && n == 1)
        return edge_store_player_get(s, w[0], on_player, a);
    if (!strcmp(what, "ticket") && n == 3)
        return edge_store_ticket_open(s, w[0], w[1], num(w[2]), on_player, a);
    if (!strcmp(what, "close") && n == 2)
        return edge_store_ticket_close(s, w[0], w[1], on_player, a);
    if (!strcmp(what, "seat") && n == 4)
        return edge_store_player_seat(s, w[0], w[1], w[2], w[3], on_player, a);
    if (!strcmp(what, "unseat") && n == 2)
        return edge_store_player_unseat(s, w[0], w[1], on_player, a);
    if (!strcmp(what, "settle") && n == 3) {
        struct edge_store_result_event e = {w[2], strlen(w[2])};
        return edge_store_player_settle(s, w[0], w[1], &e, on_player, a);
    }
    if (!strcmp(what, "alive") && n == 1)
        return edge_store_live_get(s, w[0], on_text, a);
    return MER_ENOTFOUND;
}

/* raw durable|soft KEY WORD...: the client without the store */
static enum mer_err raw_call(struct shell *sh, char **w, int n, struct asked *a)
{
    if (n < 3)
        return MER_ENOTFOUND;
    struct mer_redis_call_spec spec = {
        .argv = (const char *const *)(w + 2), .argc = n - 2, .key = w[1], .durable = !strcmp(w[0], "durable")};
    return mer_redis_call(sh->redis, &spec, on_raw, a);
}

/* What is answered at once. */
static bool told(struct shell *sh, const char *what, char **w, int n, struct asked *a)
{
    if (!strcmp(what, "live") && n == 1)
        edge_store_live_start(sh->store, w[0]);
    else if (!strcmp(what, "unlive"))
        edge_store_live_stop(sh->store);
    else if (strcmp(what, "metrics") && strcmp(what, "now"))
        return false;
    begin(a, "OK");
    if (!strcmp(what, "now"))
        printf(",\"nowMs\":%llu", (unsigned long long)edge_store_now_ms(sh->store));
    if (!strcmp(what, "metrics")) {
        struct mer_buf text;
        mer_buf_init(&text, 0);
        MER_ASSERT(mer_metrics_render(&sh->metrics, &text) == MER_OK);
        printf(",\"text\":");
        print_text((const char *)text.data, text.len);
        mer_buf_deinit(&text);
    }
    end(a);
    return true;
}

static void run(struct shell *sh)
{
    struct asked *a = mer_xcalloc(1, sizeof(*a));
    char **w = sh->word + 2;
    int n = sh->words - 2;
    a->sh = sh;
    a->started_ms = mer_clock_mono_ms(&sh->loop.clock);
    snprintf(a->tag, sizeof(a->tag), "%s", sh->word[0]);
    if (told(sh, sh->word[1], w, n, a))
        return;
    enum mer_err err = game_call(sh, sh->word[1], w, n, a);
    if (err == MER_ENOTFOUND)
        err = player_call(sh, sh->word[1], w, n, a);
    if (err == MER_ENOTFOUND && !strcmp(sh->word[1], "raw"))
        err = raw_call(sh, w, n, a);
    if (err == MER_OK)
        return;
    begin(a, mer_err_name(err));
    end(a);
}

static void on_line(struct shell *sh, char *line)
{
    sh->words = 0;
    for (char *w = strsep(&line, " "); w && sh->words < WORDS; w = strsep(&line, " "))
        sh->word[sh->words++] = strcmp(w, "-") ? w : w + 1;
    if (sh->words >= 2)
        run(sh);
    else if (sh->words == 1 && !strcmp(sh->word[0], "quit"))
        mer_loop_stop(&sh->loop);
}

static void on_input(uv_poll_t *p, int status, int events)
{
    struct shell *sh = p->data;
    (void)status;
    (void)events;
    ssize_t n = read(0, sh->line + sh->len, sizeof(sh->line) - sh->len - 1);
    if (n <= 0) {
        mer_loop_stop(&sh->loop);
        return;
    }
    sh->len += (size_t)n;
    char *nl;
    while ((nl = memchr(sh->line, '\n', sh->len))) {
        *nl = 0;
        on_line(sh, sh->line);
        size_t used = (size_t)(nl - sh->line) + 1;
        memmove(sh->line, sh->line + used, sh->len -= used);
    }
}

static void on_ready(void *ctx)
{
    (void)ctx;
    puts("{\"event\":\"ready\"}");
    fflush(stdout);
}

static void on_change(void *ctx, uint16_t first, uint16_t last)
{
    (void)ctx;
    printf("{\"event\":\"change\",\"first\":%u,\"last\":%u}\n", first, last);
    fflush(stdout);
}

static char *password(const char *file)
{
    static char text[256];
    FILE *f = fopen(file, "r");
    if (!f || !fgets(text, sizeof(text), f))
        return NULL;
    fclose(f);
    text[strcspn(text, "\n")] = 0;
    return text;
}

static int start(struct shell *sh, int argc, char **argv)
{
    struct mer_redis_conf rc = {.loop = &sh->loop,
                                .log = &sh->log,
                                .rng = mer_rng_system(),
                                .metrics = &sh->metrics,
                                .nodes = (const char *const *)(argv + 5),
                                .node_count = (size_t)(argc - 5),
                                .password = password(argv[1]),
                                .durability = MER_DURABILITY_ALL,
                                .replicas = (uint32_t)num(argv[3]),
                                .wait_ms = 500,
                                .deadline_ms = 1500,
                                .library = strcmp(argv[4], "-") ? argv[4] : NULL};
    if (mer_redis_create(&sh->redis, &rc) != MER_OK)
        return 1;
    struct edge_store_conf sc = {.loop = &sh->loop, .log = &sh->log, .metrics = &sh->metrics, .redis = sh->redis, .incarnation = argv[2]};
    if (edge_store_create(&sh->store, &sc) != MER_OK)
        return 1;
    mer_redis_on_ready(sh->redis, on_ready, sh);
    mer_redis_on_primary_change(sh->redis, on_change, sh);
    sh->in.data = sh;
    MER_ASSERT(uv_poll_init(&sh->loop.uv, &sh->in, 0) == 0);
    return uv_poll_start(&sh->in, UV_READABLE, on_input);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: store_shell PASSWORD_FILE INCARNATION REPLICAS LIBRARY|- HOST:PORT...\n");
        return 2;
    }
    static struct shell sh;
    signal(SIGPIPE, SIG_IGN);
    MER_ASSERT(mer_loop_init(&sh.loop, mer_clock_system()) == 0);
    mer_log_init(&sh.log, 2, MER_INFO, mer_clock_system());
    mer_metrics_init(&sh.metrics);
    if (start(&sh, argc, argv))
        return 1;
    mer_loop_run(&sh.loop);
    uv_close((uv_handle_t *)&sh.in, NULL);
    mer_redis_destroy(sh.redis);
    edge_store_destroy(sh.store);
    mer_loop_deinit(&sh.loop);
    return 0;
}
