/* SPDX-License-Identifier: Apache-2.0
 * sim.h - a whole region, or several, in one process under virtual time: the real object code of edges and routers between a simulated
 * network, a simulated Redis Cluster and simulated players. One seed decides everything.
 *
 * The seam is the lowest there is: sim_loop.c and sim_stream.c stand in at link time for the platform's loop, clock, process and streams,
 * sim_conn.c for the edge's player port. Everything above is linked from the product's own libraries, main.c excepted.
 *
 * One world a process (main.c forks one a seed): what a seed allocates goes with it, and an assertion that fails is that seed's failure. So
 * the world is a global, against C11: mer_clock_system() and mer_rng_system() have no context to find it by. */
#pragma once

#include <stdio.h>
#include <string.h>

#include <meridian/list.h>
#include <meridian/loop.h>
#include <meridian/rng.h>

enum {
    SIM_EDGES = 64, /* in a crowd; a seed has up to SIM_EDGES_FEW */
    SIM_EDGES_FEW = 4,
    SIM_REGIONS = 4,
    SIM_CONNECTIONS = 50000,
    SIM_ROUTERS = 2,
    SIM_SHARDS = 3,
    SIM_COPIES = 3,
    SIM_NODES = SIM_SHARDS * SIM_COPIES,
    SIM_PROCS = SIM_EDGES + SIM_ROUTERS + SIM_NODES + 1, /* of one region with a crowd, or of several with few edges each */
};
_Static_assert(SIM_REGIONS *(SIM_EDGES_FEW + SIM_ROUTERS + SIM_NODES + 1) <= SIM_PROCS, "regions have room");

typedef void (*sim_cb)(void *ctx, uint64_t arg);

struct sim_region;
enum sim_role { SIM_NOBODY, SIM_NODE, SIM_ROUTER, SIM_EDGE, SIM_PLAYERS };

/* A process on a host of its own. Only while `alive` and not `paused` does its code run; what comes meanwhile waits in the inbox. */
struct sim_proc {
    unsigned index;
    char name[16]; /* "edge0", and with several regions "us-east-edge0" */
    enum sim_role role;
    struct sim_region *at;
    bool alive, paused, turn_due;
    uint32_t life;         /* raised by every death: what was meant for an earlier life is dropped */
    struct mer_loop *loop; /* NULL: Redis nodes and players have none */
    struct mer_list inbox;
    uint64_t wake_us; /* when its wheel wants a turn; 0: nothing armed */
    uint64_t wake_serial;
    uint64_t paused_us, woke_us; /* its last pause */
    uint64_t boot_us;            /* its monotonic clock began so much earlier than the world's */
    int64_t skew_ms;             /* of its wall clock */
    struct mer_rng_seeded rng;
    void *user;
    void (*turn_end)(struct sim_proc *p); /* without a loop: after the inbox; may be NULL */
};

struct sim_event {
    uint64_t at_us, serial;
    struct sim_proc *proc; /* NULL: the world's own */
    uint32_t life;
    sim_cb cb;
    void *ctx;
    uint64_t arg;
};

struct sim_world {
    uint64_t seed, now_us, serial, steps;
    struct mer_rng_seeded rng_state;
    struct mer_rng rng;
    struct sim_event *heap;
    size_t heap_count, heap_cap;
    struct sim_proc proc[SIM_PROCS];
    struct sim_proc *current;
    uint64_t hash; /* of everything that happened, in order; only with `hashing` or a trace, for it costs a quarter of the time */
    bool hashing;
    FILE *trace;
    bool failed;
    char why[512];
    const char *plant; /* the planted bug, "" */
    bool managed;      /* nodes replicate under users of their own: the router's leader keeps the electable set */
};
extern struct sim_world sim;

/* --- sim_world.c --------------------------------------------------------------------------------------------------------------------- */

void sim_world_init(uint64_t seed, const char *plant, FILE *trace);
/* Runs what is due until `until_us`, or until a check has failed. */
void sim_world_run(uint64_t until_us);
/* Later, outside any process. */
void sim_at(uint64_t delay_us, sim_cb cb, void *ctx, uint64_t arg);
/* Into the process' inbox after the delay, if it still lives then; it runs when the process does. */
void sim_post(struct sim_proc *p, uint64_t delay_us, sim_cb cb, void *ctx, uint64_t arg);
/* A turn for a process whose loop was told to do something from outside. */
void sim_turn_soon(struct sim_proc *p);
void sim_proc_start(struct sim_proc *p);
/* kill -9: it never runs again in this life. Its connections end as sim_net says. */
void sim_proc_kill(struct sim_proc *p, bool silent);
void sim_proc_pause(struct sim_proc *p, bool paused);
struct sim_proc *sim_proc_named(const char *name);
static inline uint32_t sim_below(uint32_t n)
{
    return mer_rng_below(&sim.rng, n);
}
static inline bool sim_chance(uint32_t percent)
{
    return sim_below(100) < percent;
}
/* min..max, both included */
static inline uint32_t sim_between(uint32_t min, uint32_t max)
{
    return min + sim_below(max - min + 1);
}
static inline uint64_t sim_now_ms(void)
{
    return sim.now_us / 1000;
}
/* A bounded copy, cut at the end. */
static inline void sim_copy(char *out, size_t size, const char *text)
{
    size_t n = strlen(text) < size ? strlen(text) : size - 1;
    memmove(out, text, n);
    out[n] = 0;
}
uint64_t sim_wall_ms(const struct sim_proc *p);
bool sim_planted(const char *name);
/* A line of the trace; all lines go into the hash. */
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An invariant is broken: the first one counts, the run ends. */
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- sim_loop.c ---------------------------------------------------------------------------------------------------------------------- */

/* One turn of a process with a loop; begin, then its inbox is run by the world, then end. */
void sim_loop_begin(struct sim_proc *p);
/* true: it wants another turn at once. */
bool sim_loop_end(struct sim_proc *p);
static inline struct sim_proc *sim_proc_of(const struct mer_loop *l)
{
    return l->uv.data;
}

/* --- sim_net.c: connections between processes; a byte stream or, for players and replication, messages -------------------------------- */

struct sim_end;
struct sim_end_ops {
    void (*open)(void *ctx);                                  /* to who dialled */
    void (*data)(void *ctx, const uint8_t *data, size_t len); /* one segment */
    void (*closed)(void *ctx, bool clean, const char *why);   /* last; not after sim_net_close */
};
typedef void (*sim_accept_cb)(void *ctx, struct sim_end *end);

void sim_net_init(void);
struct sim_end *sim_net_connect(struct sim_proc *p, const char *address, const struct sim_end_ops *ops, void *ctx);
/* false: somebody listens there. Ends with the process' life. */
bool sim_net_listen(struct sim_proc *p, const char *address, sim_accept_cb accept, void *ctx);
void sim_net_unlisten(struct sim_proc *p, const char *address);
void sim_net_take(struct sim_end *e, const struct sim_end_ops *ops, void *ctx);
void sim_net_send(struct sim_end *e, const void *data, size_t len);
size_t sim_net_inflight(const struct sim_end *e);
/* What was sent still arrives, then the end. No callback comes any more. */
void sim_net_close(struct sim_end *e);
/* The same with a reset: what a cut holds back is thrown away. */
void sim_net_abort(struct sim_end *e);
/* The connection breaks on its way: both ends see a reset. */
void sim_net_reset(struct sim_end *e);
/* From now on nothing passes from a to b (what was sent waits), until it does again. */
void sim_net_cut(struct sim_proc *from, struct sim_proc *to, bool cut);
bool sim_net_passes(const struct sim_proc *from, const struct sim_proc *to);
void sim_net_slow(struct sim_proc *a, struct sim_proc *b, uint32_t extra_us);
/* They are so far from each other, one way; before they are connected. */
void sim_net_distance(struct sim_proc *a, struct sim_proc *b, uint32_t us);
uint32_t sim_net_ms(const struct sim_proc *a, const struct sim_proc *b); /* there and back */
void sim_net_died(struct sim_proc *p, bool silent);
/* Breaks every connection between the two. */
void sim_net_break(struct sim_proc *a, struct sim_proc *b);

/* --- sim_region.c -------------------------------------------------------------------------------------------------------------------- */

struct edge_app;
struct router_app;
struct sim_cluster;
struct sim_region {
    unsigned index;
    char name[12];
    unsigned edges, routers;
    uint32_t grace_ms, pause_ms; /* how long a seat waits for its player (R20, R21) */
    bool abandon;                /* then: given up, or a bot's */
    uint32_t connections;        /* max_connections of an edge */
    struct sim_proc *edge[SIM_EDGES], *router[SIM_ROUTERS], *node[SIM_NODES], *players;
    struct sim_cluster *redis;
    uint64_t apart_ms[SIM_REGIONS];  /* since when its leader and that one's cannot see each other; 0: they do */
    uint64_t joined_ms[SIM_REGIONS]; /* when they did again after long (sim_check_far.c); 0: never */
    unsigned troubles;               /* faults inside it that its games may feel */
    uint64_t troubled_ms;            /* when it last had any */
};
extern struct sim_region sim_regions[SIM_REGIONS];
extern unsigned sim_region_count;
extern struct sim_region *const region; /* the first, and where there are no others the only one */
/* One region, "sim". */
void sim_region_init(unsigned edges);
/* The first so many of geo/footprint.yaml, as far from each other as it says, their routers joined to a mesh. */
void sim_regions_init(unsigned count, unsigned edges);
struct sim_region *sim_region_named(const char *name, size_t len); /* NULL: none */
void sim_region_start(struct sim_proc *p);                         /* an edge, a router or a node: a new life */
struct edge_app *sim_edge_app(const struct sim_proc *p);           /* NULL when dead */
bool sim_router_leads(const struct sim_proc *p);                   /* and is awake */
const char *sim_token(const char *user);

/* --- sim_conn.c ---------------------------------------------------------------------------------------------------------------------- */

enum { SIM_FRAME_TEXT = 1, SIM_FRAME_BINARY = 2, SIM_FRAME_CLOSE = 8 }; /* first byte of a message on a player's connection */
