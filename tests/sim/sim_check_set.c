/* SPDX-License-Identifier: Apache-2.0
 * sim_check_set.c - the electable set's own invariant, looked at four times a second: no bucket's count is below the number of replicas
 * that could win an election of its shard now, as one sees it who sees everything. (A loss needs an election at just that moment; this
 * needs none.) Some buckets a look, all of them in turn. */
#include <stdlib.h>

#include <meridian/shared_keys.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_redis.h"

enum { BUCKETS_A_LOOK = 16, CONFIGURED = SIM_COPIES - 1, MAJORITY = SIM_SHARDS / 2 + 1 };

/* Replicas that a majority of the primaries knows. */
static unsigned electable(struct sim_cluster *c, unsigned shard)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        const struct sim_node *primary = sim_redis_primary(c, shard), *node = &c->node[i];
        unsigned know = 0;
        for (unsigned s = 0; s < SIM_SHARDS; s++)
            know += sim_redis_primary(c, s)->knows[i];
        n += node->shard == shard && node != primary && know >= MAJORITY;
    }
    return n;
}

void sim_check_electable(struct sim_cluster *c)
{
    unsigned could[SIM_SHARDS];
    for (unsigned s = 0; s < SIM_SHARDS; s++)
        could[s] = electable(c, s);
    unsigned first = (unsigned)(sim_now_ms() / 250) * BUCKETS_A_LOOK;
    for (unsigned i = 0; i < BUCKETS_A_LOOK && !sim.failed; i++) {
        char name[MER_KEY_MAX];
        MER_ASSERT(mer_key_electable(name, (first + i) % MER_BUCKETS) == MER_OK);
        unsigned shard = sim_redis_shard(c, name);
        const struct sim_key *key = sim_keys_find(&sim_redis_primary(c, shard)->keys, name);
        unsigned count = key ? (unsigned)strtoul(sim_key_field(key, "n"), NULL, 10) : CONFIGURED;
        if (count < could[shard])
            sim_fail("%s: a write needs %u replicas, and %u could be elected", name, count, could[shard]);
    }
}
