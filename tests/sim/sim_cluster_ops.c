/* SPDX-License-Identifier: Apache-2.0
 * sim_cluster_ops.c - the commands with which a cluster is looked at and changed: CLUSTER NODES, INFO, FORGET, MEET, REPLICATE, ACL, CLIENT
 * KILL. Texts are as Redis writes them, with what the product reads. */
#include <stdlib.h>
#include <strings.h>

#include <meridian/buf.h>
#include <meridian/mem.h>

#include "tests/sim/sim_redis.h"

enum { TEXT = 4096, ID_BYTES = 41 };

static void id_of(unsigned i, char out[ID_BYTES])
{
    snprintf(out, ID_BYTES, "%032x%08x", 0xab, i);
}

static unsigned node_of(const char *id)
{
    unsigned i = strlen(id) == ID_BYTES - 1 ? (unsigned)strtoul(id + 32, NULL, 16) : SIM_NODES;
    return i < SIM_NODES ? i : SIM_NODES;
}

static void ok(struct mer_buf *out)
{
    MER_ASSERT(mer_buf_appends(out, "+OK\r\n") == MER_OK);
}

static void error(struct mer_buf *out, const char *text)
{
    MER_ASSERT(mer_buf_appendf(out, "-ERR %s\r\n", text) == MER_OK);
}

static void bulk(struct mer_buf *out, const char *text)
{
    char head[24];
    size_t len = strlen(text);
    int n = snprintf(head, sizeof(head), "$%zu\r\n", len);
    MER_ASSERT(mer_buf_append(out, head, (size_t)n) == MER_OK && mer_buf_append(out, text, len) == MER_OK &&
               mer_buf_append(out, "\r\n", 2) == MER_OK);
}

/* --- looking -------------------------------------------------------------------------------------------------------------------------- */

/* What CLUSTER NODES says of a node hangs on this alone: its text is kept until it changes, for the router's leader asks often. */
struct table {
    bool knows[SIM_NODES], failed[SIM_NODES];
    unsigned owner[SIM_SHARDS], master, slots_known, opens;
    struct sim_open open[SIM_RANGES];
    uint64_t epoch[SIM_SHARDS];
};
struct sim_nodes_text {
    struct table of;
    char text[TEXT];
};

static size_t write_ranges(const struct sim_node *n, unsigned shard, char *text, size_t bytes)
{
    struct sim_range r[SIM_RANGES];
    unsigned count = sim_slots_ranges(n, shard, r);
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += (size_t)(r[i].first == r[i].last ? snprintf(text + len, bytes - len, " %u", r[i].first)
                                                : snprintf(text + len, bytes - len, " %u-%u", r[i].first, r[i].last));
    return len;
}

static size_t write_open(const struct sim_node *n, char *text, size_t bytes)
{
    struct sim_open o[SIM_RANGES];
    unsigned count = sim_slots_open(n, o);
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        char id[ID_BYTES];
        id_of(o[i].other, id);
        len += (size_t)snprintf(text + len, bytes - len, " [%u-%s-%s]", o[i].slot, o[i].leaves ? ">" : "<", id);
    }
    return len;
}

static void write_nodes(const struct sim_node *n, char text[TEXT])
{
    char id[ID_BYTES], master[ID_BYTES];
    size_t len = 0;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        const struct sim_node *o = &n->cluster->node[i];
        if (i != n->index && !n->knows[i])
            continue;
        bool primary = n->owner[o->shard] == i;
        id_of(i, id);
        id_of(i == n->index ? n->master : n->owner[o->shard], master);
        bool own = i == n->index ? n->master == i : primary;
        len += (size_t)snprintf(text + len, TEXT - len, "%s %s:6379@16379 %s%s%s %s 0 0 %llu connected", id, o->proc->name,
                                i == n->index ? "myself," : "", own ? "master" : "slave", n->failed[i] ? ",fail" : "", own ? "-" : master,
                                (unsigned long long)n->epoch[o->shard]);
        if (primary)
            len += write_ranges(n, o->shard, text + len, TEXT - len);
        if (i == n->index)
            len += write_open(n, text + len, TEXT - len);
        len += (size_t)snprintf(text + len, TEXT - len, "\n");
    }
}

static void say_nodes(const struct sim_node *n, struct mer_buf *out)
{
    struct table now;
    memset(&now, 0, sizeof(now)); /* compared as bytes */
    memcpy(now.knows, n->knows, sizeof(now.knows));
    memcpy(now.failed, n->failed, sizeof(now.failed));
    memcpy(now.owner, n->owner, sizeof(now.owner));
    memcpy(now.epoch, n->epoch, sizeof(now.epoch));
    now.master = n->master;
    now.slots_known = n->slots_known;
    now.opens = sim_slots_open(n, now.open);
    if (!n->cluster->text)
        n->cluster->text = mer_xcalloc(SIM_NODES, sizeof(*n->cluster->text));
    struct sim_nodes_text *kept = &n->cluster->text[n->index];
    if (kept->text[0] == 0 || memcmp(&now, &kept->of, sizeof(now)) != 0) {
        kept->of = now;
        write_nodes(n, kept->text);
    }
    bulk(out, kept->text);
}

static void say_replication(const struct sim_node *n, struct mer_buf *out)
{
    char text[TEXT];
    bool primary = n->master == n->index;
    size_t len = (size_t)snprintf(text, sizeof(text), "# Replication\r\nrole:%s\r\n", primary ? "master" : "slave");
    unsigned k = 0;
    MER_LIST_EACH (it, &n->replicas) {
        const struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        if (!r->node)
            continue;
        uint64_t lag = sim_cluster_well(n->cluster) ? 0 : (sim_now_ms() - r->heard_ms) / 1000;
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "slave%u:ip=%s,port=6379,state=%s,offset=%zu,lag=%llu\r\n", k++,
                             r->node->proc->name, r->online ? "online" : "wait_bgsave", r->online ? r->acked : 0, (unsigned long long)lag);
    }
    snprintf(text + len, sizeof(text) - len, "%s:%zu\r\n", primary ? "master_repl_offset" : "slave_repl_offset", n->log_count);
    bulk(out, text);
}

/* Slots of a node that was forgotten have no owner. */
static unsigned slots_assigned(const struct sim_node *n)
{
    struct sim_range r[SIM_RANGES];
    unsigned slots = 0;
    for (unsigned s = 0; s < SIM_SHARDS; s++) {
        unsigned count = n->owner[s] == n->index || n->knows[n->owner[s]] ? sim_slots_ranges(n, s, r) : 0;
        for (unsigned i = 0; i < count; i++)
            slots += r[i].last - r[i].first + 1u;
    }
    return slots;
}

static void say_info(const struct sim_node *n, struct mer_buf *out)
{
    char text[96];
    snprintf(text, sizeof(text), "cluster_slots_assigned:%u\r\ncluster_current_epoch:%llu\r\n", slots_assigned(n),
             (unsigned long long)n->current_epoch);
    bulk(out, text);
}

static void say_server(const struct sim_node *n, struct mer_buf *out)
{
    char text[128];
    snprintf(text, sizeof(text), "# Server\r\nrun_id:%08x%032x\r\n", n->index, n->proc->life);
    bulk(out, text);
}

static void say_users(const struct sim_node *n, struct mer_buf *out)
{
    char text[TEXT];
    size_t len = (size_t)snprintf(text, sizeof(text), "*%d\r\n$34\r\nuser default on nopass ~* &* +@all\r\n", SIM_NODES + 1);
    for (unsigned i = 0; i < SIM_NODES; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "$%d\r\nuser repl-%u %s +psync +replconf +ping\r\n",
                                n->user_off[i] ? 38 : 37, i, n->user_off[i] ? "off" : "on");
    MER_ASSERT(mer_buf_append(out, text, len) == MER_OK);
}

/* --- changing ------------------------------------------------------------------------------------------------------------------------- */

static void forget(struct sim_node *n, unsigned who, struct mer_buf *out)
{
    if (who == n->index || who >= SIM_NODES || !n->knows[who] || n->master == who) {
        error(out, who < SIM_NODES && n->master == who ? "Can't forget my master!" : "Unknown node");
        return;
    }
    sim_trace("%s forgets redis%u", n->proc->name, who);
    n->knows[who] = n->failed[who] = false;
    n->forgot_ms[who] = sim_now_ms();
    sim_cluster_wake(n->cluster);
    ok(out);
}

/* A handshake: each knows the other afterwards, where they can talk. */
static void meet(struct sim_node *n, const char *host, struct mer_buf *out)
{
    struct sim_proc *p = sim_proc_named(host);
    ok(out);
    if (!p || !p->alive || p->paused || !sim_net_passes(n->proc, p) || !sim_net_passes(p, n->proc))
        return;
    struct sim_node *o = p->user;
    sim_trace("%s meets %s", n->proc->name, o->proc->name);
    n->knows[o->index] = o->knows[n->index] = true;
    n->forgot_ms[o->index] = 0;
    n->heard_ms[o->index] = o->heard_ms[n->index] = sim_now_ms();
    sim_cluster_wake(n->cluster);
}

static void replicate(struct sim_node *n, unsigned primary, struct mer_buf *out)
{
    if (primary >= SIM_NODES || !n->knows[primary]) {
        error(out, "Unknown node");
    } else if (n->owner[n->shard] == n->index) {
        error(out, "To set a master the node must be empty and without assigned slots.");
    } else if (n->owner[n->cluster->node[primary].shard] != primary) {
        error(out, "I can only replicate a master, not a replica.");
    } else {
        n->master = primary;
        sim_node_detach(n);
        sim_cluster_wake(n->cluster);
        ok(out);
    }
}

static unsigned user_of(const struct sim_str *name)
{
    unsigned i = strncmp(name->data, "repl-", 5) == 0 ? (unsigned)strtoul(name->data + 5, NULL, 10) : SIM_NODES;
    return i < SIM_NODES ? i : SIM_NODES;
}

static void set_user(struct sim_node *n, unsigned who, bool off, struct mer_buf *out)
{
    if (who >= SIM_NODES) {
        error(out, "no such user");
        return;
    }
    if (n->user_off[who] != off)
        sim_trace("%s: user of redis%u %s", n->proc->name, who, off ? "off" : "on");
    n->user_off[who] = off;
    sim_cluster_wake(n->cluster);
    ok(out);
}

static void kill_user(struct sim_node *n, unsigned who, struct mer_buf *out)
{
    unsigned gone = 0;
    MER_LIST_EACH_SAFE (it, &n->replicas) {
        struct sim_replica *r = MER_LIST_ENTRY(it, struct sim_replica, list);
        if (r->node && r->node->index == who) {
            sim_node_drop_replica(n, r);
            gone++;
        }
    }
    MER_ASSERT(mer_buf_appendf(out, ":%u\r\n", gone) == MER_OK);
    sim_cluster_wake(n->cluster);
}

static bool is(int argc, struct sim_str *const *argv, const char *a, const char *b, int args)
{
    return argc >= args && strcasecmp(argv[0]->data, a) == 0 && strcasecmp(argv[1]->data, b) == 0;
}

bool sim_cluster_command(struct sim_node *n, int argc, struct sim_str *const *argv, struct mer_buf *out)
{
    if (is(argc, argv, "INFO", "server", 2))
        say_server(n, out);
    else if (is(argc, argv, "INFO", "replication", 2))
        say_replication(n, out);
    else if (is(argc, argv, "CLUSTER", "NODES", 2))
        say_nodes(n, out);
    else if (is(argc, argv, "CLUSTER", "INFO", 2))
        say_info(n, out);
    else if (is(argc, argv, "CLUSTER", "FORGET", 3))
        forget(n, node_of(argv[2]->data), out);
    else if (is(argc, argv, "CLUSTER", "MEET", 4))
        meet(n, argv[2]->data, out);
    else if (is(argc, argv, "CLUSTER", "REPLICATE", 3))
        replicate(n, node_of(argv[2]->data), out);
    else if (is(argc, argv, "ACL", "LIST", 2))
        say_users(n, out);
    else if (is(argc, argv, "ACL", "SETUSER", 4))
        set_user(n, user_of(argv[2]), sim_str_is(argv[3], "off"), out);
    else if (is(argc, argv, "ACL", "SAVE", 2))
        ok(out);
    else if (is(argc, argv, "CLIENT", "KILL", 4))
        kill_user(n, user_of(argv[3]), out);
    else if (is(argc, argv, "CONFIG", "GET", 3)) {
        char text[16] = "";
        if (sim.managed)
            snprintf(text, sizeof(text), "repl-%u", n->index);
        MER_ASSERT(mer_buf_appends(out, "*2\r\n$10\r\nmasteruser\r\n") == MER_OK);
        bulk(out, text);
    } else
        return false;
    return true;
}
