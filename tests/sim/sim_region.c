/* SPDX-License-Identifier: Apache-2.0
 * sim_region.c - puts regions together: which processes there are, and how an edge or a router is started from the product's own app.c
 * with a configuration like the local footprint's. */
#include <string.h>

#include <meridian/log.h>
#include <meridian/mem.h>
#include <meridian/token.h>

#include "edge/app.h"
#include "geo/footprint.h"
#include "region-router/app.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_redis.h"

enum { SETS = 24, SET_BYTES = 400, TOKEN_LIFE_S = 80000 };

struct sim_region sim_regions[SIM_REGIONS];
unsigned sim_region_count;
struct sim_region *const region = &sim_regions[0];

static const char keys_text[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"sim\","
                                "\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}";

enum mer_err __wrap_mer_keys_load(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg);
enum mer_err __wrap_mer_keys_load(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg)
{
    (void)file, (void)allow_hs256;
    return mer_keys_parse(out, keys_text, sizeof(keys_text) - 1, true, msg);
}

/* HS256, because a signature must be the same for the same seed. */
const char *sim_token(const char *user)
{
    static char token[MER_TOKEN_MAX_BYTES];
    static struct mer_keys *keys;
    char payload[256];
    struct mer_msg msg;
    if (!keys)
        MER_ASSERT(mer_keys_parse(&keys, keys_text, sizeof(keys_text) - 1, true, &msg) == MER_OK);
    int n = snprintf(payload, sizeof(payload), "{\"iss\":\"sim\",\"aud\":\"sim\",\"sub\":\"%s\",\"exp\":%llu}", user,
                     (unsigned long long)(sim_wall_ms(NULL) / 1000 + TOKEN_LIFE_S));
    MER_ASSERT(mer_token_sign(keys, payload, (size_t)n, token, sizeof(token)) == MER_OK);
    return token;
}

/* The product's log goes into the trace; an error in it is a broken promise, but for those that a fault explains. */
void __wrap_mer_log_write(struct mer_log *l, enum mer_level level, bool peer_caused, const char *event, const struct mer_kv *kv,
                          size_t count);
void __wrap_mer_log_write(struct mer_log *l, enum mer_level level, bool peer_caused, const char *event, const struct mer_kv *kv,
                          size_t count)
{
    (void)peer_caused;
    char line[400];
    size_t n = 0;
    if (level != MER_ERROR && !sim.trace)
        return;
    line[0] = 0;
    for (size_t i = 0; i < count && n < sizeof(line); i++) {
        int more = kv[i].type == MER_KV_STR   ? snprintf(line + n, sizeof(line) - n, " %s=%s", kv[i].key, kv[i].v.s ? kv[i].v.s : "-")
                   : kv[i].type == MER_KV_F64 ? snprintf(line + n, sizeof(line) - n, " %s=%g", kv[i].key, kv[i].v.f)
                                              : snprintf(line + n, sizeof(line) - n, " %s=%lld", kv[i].key, (long long)kv[i].v.i);
        n += more > 0 ? (size_t)more : 0;
    }
    bool expected = strcmp(event, "owners.braked") == 0;  /* two edges of three are away: an operator's alarm, not a broken promise */
    if (level == MER_ERROR && !expected && !sim.plant[0]) /* a planted bug must be found without the product's own alarms */
        sim_fail("%s logged an error: %s%s", l->process, event, line);
    if (sim.trace)
        fprintf(sim.trace, "%10.4f   %s %s%s\n", (double)sim.now_us / 1e6, l->process, event, line);
}

struct sets {
    char text[SETS][SET_BYTES];
    char *item[SETS];
    size_t count;
};

static void set(struct sets *s, const char *key, const char *value)
{
    MER_ASSERT(s->count < SETS);
    snprintf(s->text[s->count], sizeof(s->text[0]), "%s=%s", key, value);
    s->item[s->count] = s->text[s->count];
    s->count++;
}

static void set_number(struct sets *s, const char *key, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    set(s, key, text);
}

static void load(const struct mer_conf_item *items, size_t count, void *conf, const struct sets *s)
{
    struct mer_buf errors;
    struct mer_strs strs = {(char **)(void *)(uintptr_t)s->item, s->count};
    mer_buf_init(&errors, 0);
    if (mer_conf_load(items, count, conf, NULL, &strs, &errors) != MER_OK) {
        fprintf(stderr, "sim: configuration: %.*s\n", (int)errors.len, (const char *)errors.data);
        exit(2);
    }
    mer_buf_deinit(&errors);
}

/* Without TLS: streams are simulated below it. */
static void set_mesh(struct sets *s, const struct sim_proc *p)
{
    char listen[64], peers[SET_BYTES - 16] = "";
    if (sim_region_count < 2)
        return;
    for (unsigned k = 0; k < sim_region_count; k++)
        for (unsigned i = 0; i < SIM_ROUTERS && &sim_regions[k] != p->at; i++) {
            size_t n = strlen(peers);
            snprintf(peers + n, sizeof(peers) - n, "%s%s %s:mesh", n ? "," : "", sim_regions[k].name, sim_regions[k].router[i]->name);
        }
    snprintf(listen, sizeof(listen), "%s:mesh", p->name);
    set(s, "mesh_listen", listen);
    set(s, "mesh_peers", peers);
    set(s, "mesh_plain", "true");
}

static void common(struct sets *s, const struct sim_proc *p)
{
    char nodes[128];
    snprintf(nodes, sizeof(nodes), "%s:6379,%s:6379,%s:6379", p->at->node[0]->name, p->at->node[4]->name, p->at->node[8]->name);
    set(s, "region", p->at->name);
    set(s, "id", p->name);
    set(s, "admin_listen", "127.0.0.1:0");
    set(s, "redis_nodes", nodes);
    set(s, "log_level", sim.trace ? "debug" : "error");
    set(s, "redis_durability", sim_planted("ack_before_wait") ? "primary" : sim_planted("wait_one") ? "one" : "all");
}

static void start_edge(struct sim_proc *p)
{
    struct sets s = {.count = 0};
    struct edge_config conf = {0};
    struct edge_app *app;
    struct mer_msg msg;
    char text[64];
    common(&s, p);
    snprintf(text, sizeof(text), "%s:players", p->name);
    set(&s, "player_listen", text);
    snprintf(text, sizeof(text), "%s:bus", p->name);
    set(&s, "bus_listen", text);
    snprintf(text, sizeof(text), "%s:link,%s:link", p->at->router[0]->name, p->at->router[1]->name);
    set(&s, "routers", text);
    set(&s, "token_keys", "none");
    set(&s, "token_issuer", "sim");
    set(&s, "token_audience", "sim");
    set(&s, "token_hs256_allowed", "true");
    set(&s, "token_max_lifetime_s", "86400");
    set(&s, "heartbeat_ms", "5000");
    set_number(&s, "max_connections", p->at->connections);
    set(&s, "drain_deadline_ms", "15000");
    set_number(&s, "seat_grace_ms", p->at->grace_ms);
    set_number(&s, "seat_pause_ms", p->at->pause_ms);
    set(&s, "drop_policy", p->at->abandon ? "abandon" : "bot");
    load(edge_config_items, edge_config_item_count, &conf, &s);
    if (edge_app_create(&app, &conf, &msg) != MER_OK) {
        sim_fail("%s does not start: %s", p->name, msg.text);
        return;
    }
    p->user = app;
    (void)edge_app_run(app);
}

static void start_router(struct sim_proc *p)
{
    struct sets s = {.count = 0};
    struct router_config conf = {0};
    struct router_app *app;
    struct mer_msg msg;
    char text[64];
    common(&s, p);
    snprintf(text, sizeof(text), "%s:link", p->name);
    set(&s, "link_listen", text);
    set_mesh(&s, p);
    load(router_config_items, router_config_item_count, &conf, &s);
    if (router_app_create(&app, &conf, &msg) != MER_OK) {
        sim_fail("%s does not start: %s", p->name, msg.text);
        return;
    }
    p->user = app;
    (void)router_app_run(app);
}

void sim_region_start(struct sim_proc *p)
{
    if (p->role == SIM_NODE) {
        sim_redis_start(p);
        return;
    }
    sim_proc_start(p);
    sim.current = p;
    if (p->role == SIM_EDGE)
        start_edge(p);
    else if (p->role == SIM_ROUTER)
        start_router(p);
    sim.current = NULL;
}

struct edge_app *sim_edge_app(const struct sim_proc *p)
{
    return p->alive ? p->user : NULL;
}

bool sim_router_leads(const struct sim_proc *p)
{
    return p->alive && !p->paused && ((struct router_app *)p->user)->leading;
}

static struct sim_proc *join(struct sim_region *r, enum sim_role role, unsigned i)
{
    static const char *const what[] = {[SIM_NODE] = "redis", [SIM_ROUTER] = "router", [SIM_EDGE] = "edge", [SIM_PLAYERS] = "players"};
    struct sim_proc *p = sim.proc;
    while (p->role != SIM_NOBODY)
        p++;
    p->role = role;
    p->at = r;
    snprintf(p->name, sizeof(p->name), "%s%s%s", sim_region_count > 1 ? r->name : "", sim_region_count > 1 ? "-" : "", what[role]);
    if (role != SIM_PLAYERS)
        snprintf(p->name + strlen(p->name), sizeof(p->name) - strlen(p->name), "%u", i);
    return p;
}

static void later(void *ctx, uint64_t arg)
{
    (void)arg;
    sim_region_start(ctx);
}

static void init_redis(struct sim_region *r)
{
    r->redis = &sim_cluster[r->index];
    sim_redis_init(r->redis);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        r->node[i] = join(r, SIM_NODE, i);
        r->node[i]->user = &r->redis->node[i];
        r->redis->node[i].proc = r->node[i];
        sim_region_start(r->node[i]);
    }
    sim_cluster_init(r->redis);
}

static void init_others(struct sim_region *r)
{
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        r->router[i] = join(r, SIM_ROUTER, i);
    for (unsigned i = 0; i < r->edges; i++)
        r->edge[i] = join(r, SIM_EDGE, i);
    r->players = join(r, SIM_PLAYERS, 0);
    sim_proc_start(r->players);
    for (unsigned i = 0; i < SIM_ROUTERS; i++)
        sim_at(sim_below(1000000), later, r->router[i], 0);
    for (unsigned i = 0; i < r->edges; i++)
        sim_at(sim_below(1000000), later, r->edge[i], 0);
}

/* All regions have one configuration but for names and addresses. */
static void init(const char *const *names, unsigned count, unsigned edges)
{
    bool abandon = sim_chance(30), quick = sim_chance(85); /* quick: the machine is the same, and a seed is over earlier */
    uint32_t grace_ms = quick ? sim_between(1500, 6000) : 30000, pause_ms = quick ? sim_between(1500, 15000) : 120000;
    sim_region_count = count;
    for (unsigned k = 0; k < count; k++) {
        struct sim_region *r = &sim_regions[k];
        *r = (struct sim_region){.index = k,
                                 .edges = edges,
                                 .routers = SIM_ROUTERS,
                                 .abandon = abandon,
                                 .grace_ms = grace_ms,
                                 .pause_ms = pause_ms,
                                 .connections = SIM_CONNECTIONS};
        sim_copy(r->name, sizeof(r->name), names[k]);
        init_redis(r);
        init_others(r);
    }
}

void sim_region_init(unsigned edges)
{
    static const char *const names[] = {"sim"};
    init(names, 1, edges);
}

void sim_regions_init(unsigned count, unsigned edges)
{
    struct geo_footprint f;
    struct mer_buf errors;
    const char *names[SIM_REGIONS];
    mer_buf_init(&errors, 0);
    MER_ASSERT(geo_footprint_load(&f, SIM_FOOTPRINT, &errors) == MER_OK && count <= f.count && count <= SIM_REGIONS);
    for (unsigned k = 0; k < count; k++)
        names[k] = f.region[k].name;
    init(names, count, edges);
    for (struct sim_proc *a = sim.proc; a->role != SIM_NOBODY; a++)
        for (struct sim_proc *b = sim.proc; b != a; b++)
            if (a->at != b->at)
                sim_net_distance(a, b, f.latency_ms[a->at->index][b->at->index] * 500 - sim_below(1000));
    geo_footprint_deinit(&f);
    mer_buf_deinit(&errors);
}

struct sim_region *sim_region_named(const char *name, size_t len)
{
    for (unsigned k = 0; k < sim_region_count; k++)
        if (strlen(sim_regions[k].name) == len && memcmp(sim_regions[k].name, name, len) == 0)
            return &sim_regions[k];
    return NULL;
}
