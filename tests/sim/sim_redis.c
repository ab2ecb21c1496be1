/* SPDX-License-Identifier: Apache-2.0
 * sim_redis.c - one node as a server: clients, their commands and their WAITs. See sim_redis.h; replication is sim_replica.c's. */
#include "tests/sim/sim_redis.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/buf.h>
#include <meridian/mem.h>
#include <meridian/redis.h>

#include "tests/sim/sim_lua.h"

enum { ARGS_MAX = 64, MIN_REPLICAS = 1 };

struct client {
    struct mer_list list;
    struct sim_node *node;
    struct sim_end *end; /* NULL: gone */
    redisReader *reader;
    size_t seen; /* the offset after its last command, reads too: what WAIT waits for */
    bool blocked, asking;
    long long want;
    uint64_t wait_serial;
    struct mer_buf out;
};

static void run_commands(struct client *c);

static void say(struct client *c, const char *text)
{
    MER_ASSERT(mer_buf_appends(&c->out, text) == MER_OK);
}

static void flush(struct client *c)
{
    if (c->out.len && c->end)
        sim_net_send(c->end, c->out.data, c->out.len);
    mer_buf_clear(&c->out);
}

static void turn_end(struct sim_proc *p)
{
    struct sim_node *n = p->user;
    sim_node_send_effects(n);
    MER_LIST_EACH (it, &n->clients)
        flush(MER_LIST_ENTRY(it, struct client, list));
}

/* --- WAIT ----------------------------------------------------------------------------------------------------------------------------- */

static void unblock(struct client *c, const char *error)
{
    char text[32];
    c->blocked = false;
    c->wait_serial++;
    if (error)
        say(c, error);
    else {
        snprintf(text, sizeof(text), ":%lld\r\n", sim_node_confirmed(c->node, c->seen));
        say(c, text);
    }
    run_commands(c);
}

void sim_node_check_waits(struct sim_node *n)
{
    MER_LIST_EACH_SAFE (it, &n->clients) {
        struct client *c = MER_LIST_ENTRY(it, struct client, list);
        if (c->blocked && sim_node_confirmed(n, c->seen) >= c->want)
            unblock(c, NULL);
    }
}

void sim_node_demote(struct sim_node *n)
{
    while (!mer_list_empty(&n->replicas))
        sim_node_drop_replica(n, MER_LIST_ENTRY(n->replicas.next, struct sim_replica, list));
    MER_LIST_EACH_SAFE (it, &n->clients) {
        struct client *c = MER_LIST_ENTRY(it, struct client, list);
        if (c->blocked)
            unblock(c, "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n");
        flush(c);
    }
    sim_node_detach(n);
}

/* --- commands ------------------------------------------------------------------------------------------------------------------------- */

static void say_slots(struct client *c)
{
    char text[128];
    struct sim_range r[SIM_SHARDS][SIM_RANGES];
    unsigned count[SIM_SHARDS], all = 0;
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        all += count[s] = sim_slots_ranges(c->node, s, r[s]);
    snprintf(text, sizeof(text), "*%u\r\n", all);
    say(c, text);
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        for (unsigned i = 0; i < count[s]; i++) {
            const char *host = c->node->cluster->node[c->node->owner[s]].proc->name;
            snprintf(text, sizeof(text), "*3\r\n:%u\r\n:%u\r\n*2\r\n$%zu\r\n%s\r\n:6379\r\n", r[s][i].first, r[s][i].last, strlen(host),
                     host);
            say(c, text);
        }
}

static void on_wait_timeout(void *ctx, uint64_t serial)
{
    struct client *c = ctx;
    if (c->blocked && c->wait_serial == serial)
        unblock(c, NULL);
}

static void do_wait(struct client *c, long long want, uint64_t ms)
{
    c->want = want;
    c->blocked = true;
    c->wait_serial++;
    if (c->node->master != c->node->index) {
        c->blocked = false;
        say(c, "-ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be "
               "writable (which is not the default) writes to replicas are just local and are not propagated.\r\n");
    } else if (sim_node_confirmed(c->node, c->seen) >= want)
        unblock(c, NULL);
    else
        sim_post(c->node->proc, ms * 1000, on_wait_timeout, c, c->wait_serial);
}

static void on_effect(void *ctx, struct sim_effect *e)
{
    struct client *c = ctx;
    sim_node_append(c->node, e);
}

static void say_reply(struct client *c, const struct sim_reply *r)
{
    char text[64];
    switch (r->kind) {
    case SIM_NIL:
        say(c, "$-1\r\n");
        return;
    case SIM_INT:
        snprintf(text, sizeof(text), ":%lld\r\n", r->integer);
        say(c, text);
        return;
    case SIM_STATUS:
    case SIM_ERROR:
        say(c, r->kind == SIM_STATUS ? "+" : "-");
        say(c, r->text);
        say(c, "\r\n");
        return;
    case SIM_STR:
        snprintf(text, sizeof(text), "$%zu\r\n", r->str->len);
        say(c, text);
        MER_ASSERT(mer_buf_append(&c->out, r->str->data, r->str->len) == MER_OK);
        say(c, "\r\n");
        return;
    case SIM_ARRAY:
        snprintf(text, sizeof(text), "*%zu\r\n", r->count);
        say(c, text);
        for (size_t i = 0; i < r->count; i++) {
            struct sim_reply one = {.kind = r->item[i] ? SIM_STR : SIM_NIL, .str = r->item[i]};
            say_reply(c, &one);
        }
    }
}

static bool is_read(int argc, struct sim_str *const *argv)
{
    static const char *const reads[] = {"GET", "SMEMBERS", "HGET", "HMGET", "HGETALL", "EXISTS", "SCARD"};
    if (sim_str_is(argv[0], "FCALL"))
        return argc > 1 && argv[1]->len > 4 && strcmp(argv[1]->data + argv[1]->len - 4, "_get") == 0;
    for (size_t i = 0; i < MER_COUNT(reads); i++)
        if (sim_str_is(argv[0], reads[i]))
            return true;
    return false;
}

/* Whether this node may run a command on these keys; answers if not. */
static bool may_run(struct client *c, struct sim_str *const *keys, int count, bool read)
{
    static const char *const words[] = {[SIM_WAY_MOVED] = "MOVED", [SIM_WAY_ASK] = "ASK"};
    char text[64];
    struct sim_node *n = c->node;
    unsigned slot = mer_redis_slot(keys[0]->data, keys[0]->len), to = 0;
    bool asking = c->asking;
    c->asking = false;
    if (!n->ok) {
        say(c, "-CLUSTERDOWN The cluster is down\r\n");
        return false;
    }
    enum sim_way way = sim_slots_way(n, slot, asking, keys, count, &to);
    if (way == SIM_WAY_TRY_AGAIN) {
        say(c, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
        return false;
    }
    if (way != SIM_WAY_RUN) {
        snprintf(text, sizeof(text), "-%s %u %s:6379\r\n", words[way], slot, n->cluster->node[to].proc->name);
        say(c, text);
        return false;
    }
    if (!read && n->good < MIN_REPLICAS) {
        say(c, "-NOREPLICAS Not enough good replicas to write.\r\n");
        return false;
    }
    return true;
}

static void keyed(struct client *c, int argc, struct sim_str *const *argv)
{
    bool call = sim_str_is(argv[0], "FCALL");
    int at = call ? 3 : 1;
    if (argc <= at) {
        say(c, "-ERR wrong number of arguments\r\n");
        return;
    }
    int keys = call ? atoi(argv[2]->data) : 1;
    for (int i = 1; i < keys; i++)
        if (mer_redis_slot(argv[at + i]->data, argv[at + i]->len) != mer_redis_slot(argv[at]->data, argv[at]->len)) {
            sim_fail("a call with keys of two slots: %s %s", argv[at]->data, argv[at + i]->data);
            return;
        }
    if (!may_run(c, argv + at, keys, is_read(argc, argv)))
        return;
    if (call) {
        struct sim_lua_env env = {&c->node->keys, sim_wall_ms(c->node->proc), on_effect, c};
        sim_lua_call(&env, argc, argv, &c->out);
        return;
    }
    struct sim_reply r;
    struct sim_effect *e;
    sim_keys_exec(&c->node->keys, sim_wall_ms(c->node->proc), argc, argv, &r, &e);
    if (strncmp(argv[at]->data, "live:", 5) == 0)
        sim_trace("%s %s %s: %s", c->node->proc->name, argv[0]->data, argv[at]->data, r.kind == SIM_NIL ? "none" : "done");
    if (e)
        on_effect(c, e);
    say_reply(c, &r);
    sim_reply_clear(&r);
}

static void command(struct client *c, int argc, struct sim_str *const *argv)
{
    const char *name = argv[0]->data;
    if (strcmp(name, "AUTH") == 0 || strcmp(name, "ASKING") == 0) {
        c->asking = name[1] == 'S';
        say(c, "+OK\r\n");
    } else if (strcmp(name, "PING") == 0)
        say(c, "+PONG\r\n");
    else if (strcmp(name, "FUNCTION") == 0)
        say(c, "*1\r\n$9\r\nmeridian1\r\n");
    else if (strcmp(name, "CLUSTER") == 0 && argc > 1 && sim_str_is(argv[1], "SLOTS"))
        say_slots(c);
    else if (strcmp(name, "WAIT") == 0 && argc == 3)
        do_wait(c, atoll(argv[1]->data), strtoull(argv[2]->data, NULL, 10));
    else if (!sim_cluster_command(c->node, argc, argv, &c->out))
        keyed(c, argc, argv);
}

static void run_commands(struct client *c)
{
    while (!c->blocked && c->end && !c->node->held && !sim.failed) {
        void *reply = NULL;
        MER_ASSERT(redisReaderGetReply(c->reader, &reply) == REDIS_OK);
        redisReply *r = reply;
        if (!r)
            return;
        struct sim_str *argv[ARGS_MAX];
        MER_ASSERT(r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->elements <= ARGS_MAX);
        for (size_t i = 0; i < r->elements; i++)
            argv[i] = sim_str_new(r->element[i]->str, (size_t)r->element[i]->len);
        command(c, (int)r->elements, argv);
        if (!sim_str_is(argv[0], "WAIT"))
            c->seen = c->node->log_count;
        for (size_t i = 0; i < r->elements; i++)
            sim_str_unref(argv[i]);
        freeReplyObject(r);
    }
}

void sim_node_exec(struct sim_node *n, int argc, struct sim_str *const *argv)
{
    struct sim_reply r;
    struct sim_effect *e;
    sim_keys_exec(&n->keys, sim_wall_ms(n->proc), argc, argv, &r, &e);
    sim_reply_clear(&r);
    if (e)
        sim_node_append(n, e);
    sim_turn_soon(n->proc);
}

void sim_node_go_on(struct sim_node *n)
{
    n->held = false;
    MER_LIST_EACH_SAFE (it, &n->clients) {
        struct client *c = MER_LIST_ENTRY(it, struct client, list);
        run_commands(c);
        flush(c);
    }
}

/* --- clients -------------------------------------------------------------------------------------------------------------------------- */

static void client_data(void *ctx, const uint8_t *data, size_t len)
{
    struct client *c = ctx;
    MER_ASSERT(redisReaderFeed(c->reader, (const char *)data, len) == REDIS_OK);
    run_commands(c);
}

/* Not freed: a WAIT's time-out may still be on its way. */
static void client_closed(void *ctx, bool clean, const char *why)
{
    struct client *c = ctx;
    (void)clean, (void)why;
    c->end = NULL;
    c->blocked = false;
    c->wait_serial++;
    mer_list_remove(&c->list);
    redisReaderFree(c->reader);
    c->reader = NULL;
    mer_buf_deinit(&c->out);
}

static void on_client(void *ctx, struct sim_end *end)
{
    static const struct sim_end_ops ops = {NULL, client_data, client_closed};
    struct client *c = mer_xcalloc(1, sizeof(*c));
    c->node = ctx;
    c->end = end;
    c->reader = redisReaderCreate();
    mer_buf_init(&c->out, 0);
    mer_list_init(&c->list);
    mer_list_push_back(&c->node->clients, &c->list);
    sim_net_take(end, &ops, c);
}

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

/* Empty, or with what the append-only file has. */
void sim_redis_start(struct sim_proc *p)
{
    struct sim_node *n = p->user;
    char address[32];
    sim_proc_start(p);
    p->turn_end = turn_end;
    mer_list_init(&n->clients); /* of the earlier life: gone with it */
    mer_list_init(&n->replicas);
    n->up = NULL;
    n->online = n->held = false;
    snprintf(address, sizeof(address), "%s:6379", p->name);
    MER_ASSERT(sim_net_listen(p, address, on_client, n));
    snprintf(address, sizeof(address), "%s:repl", p->name);
    MER_ASSERT(sim_net_listen(p, address, sim_node_on_replica, n));
}

void sim_redis_init(struct sim_cluster *c)
{
    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &c->node[i];
        n->cluster = c;
        n->index = i;
        n->shard = i / SIM_COPIES;
        sim_keys_init(&n->keys);
    }
}

struct sim_node *sim_redis_primary(struct sim_cluster *c, unsigned shard)
{
    struct sim_node *best = NULL;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &c->node[i];
        if (n->owner[shard] == i && (!best || n->epoch[shard] > best->epoch[shard]))
            best = n;
    }
    return best;
}

const struct sim_key *sim_redis_key(struct sim_cluster *c, const char *name)
{
    return sim_keys_find(&sim_redis_primary(c, sim_redis_shard(c, name))->keys, name);
}
