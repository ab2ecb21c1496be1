/* SPDX-License-Identifier: Apache-2.0
 * sim_redis.c - one node as a server, and replication. See sim_redis.h.
 *
 * Lineage: an effect is one object shared by all logs that hold it, so a replica may go on from its offset exactly when the last object of
 * its log stands at that place in the primary's. Otherwise everything is copied and what it had more is gone. */
#include "tests/sim/sim_redis.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/buf.h>
#include <meridian/mem.h>
#include <meridian/redis.h>

#include "tests/sim/sim_lua.h"

enum { ARGS_MAX = 64, MIN_REPLICAS = 1, FULL_SYNC_MIN_US = 20 * 1000, FULL_SYNC_MAX_US = 400 * 1000 };

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

/* --- the log and replication ------------------------------------------------------------------------------------------------------------
 */

static void log_append(struct sim_node *n, struct sim_effect *e)
{
    if (n->log_count == n->log_cap) {
        n->log_cap = n->log_cap ? n->log_cap * 2 : 256;
        n->log = mer_xrealloc(n->log, n->log_cap * sizeof(n->log[0]));
    }
    n->log[n->log_count++] = e;
}

enum message_kind { SYNC, CONTINUE, FULL, EFFECTS, ACK };
struct message {
    enum message_kind kind;
    unsigned from;
    size_t offset, count;
    struct sim_effect *last; /* SYNC: of the log */
    struct sim_node *copy;   /* FULL */
};
/* EFFECTS: followed by count pointers, with their references. */

static void post(struct sim_end *end, const struct message *m, struct sim_effect *const *effects)
{
    struct mer_buf b;
    mer_buf_init(&b, 0);
    MER_ASSERT(mer_buf_append(&b, m, sizeof(*m)) == MER_OK);
    for (size_t i = 0; effects && i < m->count; i++) {
        effects[i]->refs++;
        MER_ASSERT(mer_buf_append(&b, &effects[i], sizeof(effects[i])) == MER_OK);
    }
    sim_net_send(end, b.data, b.len);
    mer_buf_deinit(&b);
}

static void send_effects(struct sim_replica *r, struct sim_node *n)
{
    if (!r->online || r->sent >= n->log_count)
        return;
    struct message m = {.kind = EFFECTS, .from = n->index, .offset = r->sent, .count = n->log_count - r->sent};
    post(r->end, &m, n->log + r->sent);
    r->sent = n->log_count;
}

static void turn_end(struct sim_proc *p)
{
    struct sim_node *n = p->user;
    MER_LIST_EACH (it, &n->replicas)
        send_effects(MER_LIST_ENTRY(it, struct sim_replica, list), n);
    MER_LIST_EACH (it, &n->clients)
        flush(MER_LIST_ENTRY(it, struct client, list));
}

void sim_node_count_replicas(struct sim_node *n)
{
    n->good = 0;
    MER_LIST_EACH (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        n->good += r->online && (sim_cluster_well(n->cluster) || sim_now_ms() - r->heard_ms <= SIM_REPLICA_LAG_MS);
    }
}

static void replica_gone(struct sim_node *n, struct sim_replica *r)
{
    mer_list_remove(&r->list);
    sim_node_count_replicas(n);
    if (r->end)
        sim_net_close(r->end);
    free(r);
}

void sim_node_drop_replica(struct sim_node *n, struct sim_replica *r)
{
    replica_gone(n, r);
}

static long long confirmed(const struct sim_node *n, size_t offset)
{
    long long count = 0;
    MER_LIST_EACH (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        count += r->online && r->acked >= offset;
    }
    return count;
}

static void unblock(struct client *c, const char *error)
{
    char text[32];
    c->blocked = false;
    c->wait_serial++;
    if (error)
        say(c, error);
    else {
        snprintf(text, sizeof(text), ":%lld\r\n", confirmed(c->node, c->seen));
        say(c, text);
    }
    run_commands(c);
}

static void check_waits(struct sim_node *n)
{
    MER_LIST_EACH_SAFE (it, &n->clients) {
        struct client *c = MER_LIST_ENTRY(it, struct client, list);
        if (c->blocked && confirmed(n, c->seen) >= c->want)
            unblock(c, NULL);
    }
}

struct full_sync {
    struct sim_replica *r;
    struct sim_node *n;
};

static void on_full_sync(void *ctx, uint64_t arg)
{
    struct full_sync f = *(struct full_sync *)ctx;
    (void)arg;
    free(ctx);
    bool there = false;
    MER_LIST_EACH (it, &f.n->replicas)
        there |= MER_LIST_ENTRY(it, struct sim_replica, list) == f.r;
    if (!there)
        return;
    struct sim_node *copy = mer_xcalloc(1, sizeof(*copy));
    sim_keys_copy(&copy->keys, &f.n->keys);
    for (size_t i = 0; i < f.n->log_count; i++) {
        f.n->log[i]->refs++;
        log_append(copy, f.n->log[i]);
    }
    struct message m = {.kind = FULL, .from = f.n->index, .offset = f.n->log_count, .copy = copy};
    post(f.r->end, &m, NULL);
    f.r->sent = f.n->log_count;
    f.r->online = true;
    sim_node_count_replicas(f.n);
}

static void replica_asks(struct sim_replica *r, struct sim_node *n, const struct message *m)
{
    r->node = &n->cluster->node[m->from];
    r->heard_ms = sim_now_ms();
    if (n->user_off[m->from]) {
        replica_gone(n, r);
        return;
    }
    bool same = m->offset <= n->log_count && (m->offset == 0 || n->log[m->offset - 1] == m->last);
    sim_trace("redis%u follows %s from %zu of %zu%s", m->from, n->proc->name, m->offset, n->log_count, same ? "" : ", everything anew");
    if (same) {
        struct message go = {.kind = CONTINUE, .from = n->index, .offset = m->offset};
        post(r->end, &go, NULL);
        r->sent = r->acked = m->offset;
        r->online = true;
        sim_node_count_replicas(n);
        return;
    }
    struct full_sync *f = mer_xmalloc(sizeof(*f));
    *f = (struct full_sync){r, n};
    sim_post(n->proc, sim_between(FULL_SYNC_MIN_US, FULL_SYNC_MAX_US), on_full_sync, f, 0);
}

/* The primary's end. */
static void from_replica(void *ctx, const uint8_t *data, size_t len)
{
    struct sim_replica *r = ctx;
    struct sim_node *n = sim.current->user;
    const struct message *m = (const void *)data;
    (void)len;
    r->heard_ms = sim_now_ms();
    if (m->kind == SYNC) /* it may be gone then */
        replica_asks(r, n, m);
    else if (m->kind == ACK && r->online) {
        r->acked = m->offset;
        check_waits(n);
    }
}

static void replica_lost(void *ctx, bool clean, const char *why)
{
    struct sim_replica *r = ctx;
    (void)clean, (void)why;
    struct sim_node *n = sim.current->user;
    r->end = NULL;
    replica_gone(n, r);
    sim_cluster_wake(n->cluster);
}

static void on_replica(void *ctx, struct sim_end *end)
{
    static const struct sim_end_ops ops = {NULL, from_replica, replica_lost};
    struct sim_node *n = ctx;
    if (n->master != n->index) {
        sim_net_close(end);
        return;
    }
    struct sim_replica *r = mer_xcalloc(1, sizeof(*r));
    r->end = end;
    mer_list_init(&r->list);
    mer_list_push_back(&n->replicas, &r->list);
    sim_net_take(end, &ops, r);
}

void sim_node_acknowledge(struct sim_node *n)
{
    if (!n->up)
        return;
    struct message m = {.kind = ACK, .from = n->index, .offset = n->log_count};
    post(n->up, &m, NULL);
}

static void apply(struct sim_node *n, struct sim_effect *e)
{
    struct sim_reply r;
    struct sim_effect *again;
    sim_keys_exec(&n->keys, sim_wall_ms(n->proc), e->argc, e->argv, &r, &again);
    sim_reply_clear(&r);
    if (again)
        sim_effect_unref(again);
    log_append(n, e);
}

static void take_copy(struct sim_node *n, struct sim_node *copy)
{
    for (size_t i = 0; i < n->log_count; i++)
        sim_effect_unref(n->log[i]);
    free(n->log);
    sim_keys_clear(&n->keys);
    n->keys = copy->keys;
    n->log = copy->log;
    n->log_count = copy->log_count;
    n->log_cap = copy->log_cap;
    free(copy);
}

/* The replica's end. */
static void from_primary(void *ctx, const uint8_t *data, size_t len)
{
    struct sim_node *n = ctx;
    struct message m;
    (void)len;
    memcpy(&m, data, sizeof(m));
    if (m.kind == FULL)
        take_copy(n, m.copy);
    for (size_t i = 0; m.kind == EFFECTS && i < m.count; i++) {
        struct sim_effect *e;
        memcpy(&e, data + sizeof(m) + i * sizeof(e), sizeof(e));
        apply(n, e);
    }
    n->online = true;
    sim_node_acknowledge(n);
}

static void primary_lost(void *ctx, bool clean, const char *why)
{
    struct sim_node *n = ctx;
    (void)clean, (void)why;
    n->up = NULL;
    n->online = false;
    n->attach_at_ms = sim_now_ms() + sim_between(10, 1000);
    sim_cluster_wake(n->cluster);
}

static void attached(void *ctx)
{
    struct sim_node *n = ctx;
    struct message m = {.kind = SYNC, .from = n->index, .offset = n->log_count, .last = n->log_count ? n->log[n->log_count - 1] : NULL};
    post(n->up, &m, NULL);
}

void sim_node_attach(struct sim_node *n)
{
    static const struct sim_end_ops ops = {attached, from_primary, primary_lost};
    char address[32];
    snprintf(address, sizeof(address), "%s:repl", n->cluster->node[n->master].proc->name);
    n->up = sim_net_connect(n->proc, address, &ops, n);
}

void sim_node_detach(struct sim_node *n)
{
    if (n->up)
        sim_net_close(n->up);
    n->up = NULL;
    n->online = false;
    n->attach_at_ms = sim_now_ms() + sim_between(1, 300);
}

void sim_node_demote(struct sim_node *n)
{
    while (!mer_list_empty(&n->replicas))
        replica_gone(n, MER_LIST_ENTRY(n->replicas.next, struct sim_replica, list));
    MER_LIST_EACH_SAFE (it, &n->clients) {
        struct client *c = MER_LIST_ENTRY(it, struct client, list);
        if (c->blocked)
            unblock(c, "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n");
        flush(c);
    }
    sim_node_detach(n);
}

/* --- commands ----------------------------------------------------------------------------------------------------------------------------
 */

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
    } else if (confirmed(c->node, c->seen) >= want)
        unblock(c, NULL);
    else
        sim_post(c->node->proc, ms * 1000, on_wait_timeout, c, c->wait_serial);
}

static void on_effect(void *ctx, struct sim_effect *e)
{
    struct client *c = ctx;
    log_append(c->node, e);
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
        log_append(n, e);
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

/* --- clients
 * ------------------------------------------------------------------------------------------------------------------------------ */

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

/* --- life
 * --------------------------------------------------------------------------------------------------------------------------------- */

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
    MER_ASSERT(sim_net_listen(p, address, on_replica, n));
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
