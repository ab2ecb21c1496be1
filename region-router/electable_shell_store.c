/* SPDX-License-Identifier: Apache-2.0
 * electable_shell_store.c - what the leader keeps in Redis about the electable set: a count beside every bucket, and a note about every
 * node. See electable_shell.h.
 *
 * A count is written at one node, and confirmed by a WAIT on the same connection: by that primary's replicas or not at all. A call that
 * finds its way by itself could be led to a primary that was replaced and does not know it yet, and its replicas' word is worth nothing.
 *
 * A note is content with one replica: it only says who is to be looked at first. */
#include "region-router/electable_shell_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/shared_keys.h>

#include "region-router/limits.h"

enum { NOTE_BYTES = 256 };

struct count_job {
    struct router_keeper *k;
    char primary[ROUTER_NODE_ID_BYTES];
    unsigned count, enough, pending;
    bool failed;
    uint64_t term;
};
struct note_job {
    struct router_keeper *k;
    char id[ROUTER_NODE_ID_BYTES], text[NOTE_BYTES];
    uint64_t term;
};

/* ---- counts ------------------------------------------------------------------------------------------------------------------------- */

static bool said_ok(enum mer_err err, const redisReply *r)
{
    return err == MER_OK && r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(r->element[0]->str, "OK") == 0;
}

static void count_end(struct count_job *j)
{
    struct router_keeper *k = j->k;
    k->values[j->failed ? M_COUNTS_FAILED : M_COUNTS]++;
    if (j->term == k->term && k->leading) {
        MER_LOG(k->conf.log, MER_INFO, "electable.count", KV_STR("primary", j->primary), KV_U64("count", j->count),
                KV_BOOL("done", !j->failed));
        router_electable_stored(&k->set, j->primary, j->count, !j->failed, k->conf.loop->now_ms);
        router__keeper_soon(k, SETTLE_MS);
    }
    free(j);
}

static void one_done(struct count_job *j, bool ok)
{
    j->k->calls--;
    j->failed |= !ok;
    if (--j->pending == 0)
        count_end(j);
}

static void on_bucket(void *ctx, enum mer_err err, const redisReply *reply)
{
    one_done(ctx, said_ok(err, reply));
}

/* Came behind all of them, on their connection; had that been lost, they would have failed. */
static void on_confirmed(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct count_job *j = ctx;
    one_done(j, err == MER_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer >= (long long)j->enough);
}

static void on_looked(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct router_keeper *k = ctx;
    (void)err, (void)reply;
    k->calls--;
}

static void tell_primary(struct count_job *j, const char *address, const char *const *argv, int argc, mer_redis_cb cb)
{
    if (mer_redis_node_call(j->k->conf.redis, address, argv, argc, cb, j) == MER_OK) {
        j->pending++;
        j->k->calls++;
    } else {
        j->failed = true;
    }
}

/* Does our client's slot map say `address` for a bucket of that member, or of another shard? Otherwise it is out of date. */
static bool up_to_date(const struct router_keeper *k, const char *address, const struct router_member *primary)
{
    for (unsigned i = 0; address != NULL && i < k->set.member_count; i++) {
        const struct router_member *m = &k->set.member[i];
        if (strcmp(m->address, address) == 0)
            return m == primary || strcmp(m->shard, primary->shard) != 0;
    }
    return false;
}

/* Of the whole shard, or nothing: a bucket left out would have another count. A node that is asked for what it does not serve any more says
 * so, and the client looks again. */
static bool map_is_good(struct router_keeper *k, const struct router_member *primary)
{
    char key[MER_KEY_MAX];
    for (uint32_t b = 0; b < MER_BUCKETS; b++) {
        if (mer_key_electable(key, b) != MER_OK)
            return false;
        if (up_to_date(k, mer_redis_primary(k->conf.redis, mer_redis_slot(key, strlen(key))), primary))
            continue;
        const char *argv[] = {"EXISTS", key};
        struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
        if (mer_redis_call(k->conf.redis, &spec, on_looked, k) == MER_OK)
            k->calls++;
        return false;
    }
    return true;
}

static void write_buckets(struct count_job *j, const char *address)
{
    char key[MER_KEY_MAX], count[16], epoch[24], enough[16], wait_ms[16];
    struct router_keeper *k = j->k;
    snprintf(count, sizeof count, "%u", j->count);
    snprintf(enough, sizeof enough, "%u", j->enough);
    snprintf(epoch, sizeof epoch, "%" PRIu64, k->conf.epoch(k->conf.ctx));
    snprintf(wait_ms, sizeof wait_ms, "%d", ROUTER_REDIS_WAIT_MS);
    for (uint32_t b = 0; b < MER_BUCKETS; b++) {
        const char *argv[] = {"FCALL", "mer1_electable_set", "1", key, count, epoch, k->conf.incarnation};
        const char *at = mer_key_electable(key, b) == MER_OK ? mer_redis_primary(k->conf.redis, mer_redis_slot(key, strlen(key))) : NULL;
        if (at != NULL && strcmp(at, address) == 0)
            tell_primary(j, address, argv, MER_COUNT(argv), on_bucket);
    }
    const char *wait[] = {"WAIT", enough, wait_ms};
    j->failed |= j->pending <= 1; /* the client does not know this primary yet */
    tell_primary(j, address, wait, MER_COUNT(wait), on_confirmed);
}

void router__keeper_count(void *ctx, const struct router_member *primary, unsigned count, unsigned enough)
{
    struct router_keeper *k = ctx;
    struct count_job *j = router__keeper_may_act(k) && map_is_good(k, primary) ? mer_try_calloc(1, sizeof *j) : NULL;
    if (j == NULL) {
        router_electable_stored(&k->set, primary->id, count, false, k->conf.loop->now_ms);
        return;
    }
    *j = (struct count_job){.k = k, .count = count, .enough = enough, .term = k->term, .pending = 1};
    snprintf(j->primary, sizeof j->primary, "%s", primary->id);
    write_buckets(j, primary->address);
    if (--j->pending == 0)
        count_end(j);
}

/* ---- notes -------------------------------------------------------------------------------------------------------------------------- */

static void on_note(void *ctx, enum mer_err err, const redisReply *reply)
{
    struct note_job *j = ctx;
    struct router_keeper *k = j->k;
    char text[NOTE_BYTES];
    k->calls--;
    k->noting = false;
    for (unsigned i = 0; j->term == k->term && k->leading && i < k->set.member_count; i++) {
        struct router_member *m = &k->set.member[i];
        router_electable_note(m, text);
        if (strcmp(m->id, j->id) == 0 && strcmp(text, j->text) == 0)
            m->noted = said_ok(err, reply);
    }
    if (said_ok(err, reply))
        router__keeper_soon(k, SETTLE_MS);
    free(j);
}

void router__keeper_note(struct router_keeper *k)
{
    const struct router_member *m = NULL;
    for (unsigned i = 0; m == NULL && i < k->set.member_count; i++)
        if (!k->set.member[i].noted && (k->set.member[i].user[0] != 0 || k->set.member[i].gone))
            m = &k->set.member[i];
    struct note_job *j = m != NULL && !k->noting && router__keeper_may_act(k) ? mer_try_calloc(1, sizeof *j) : NULL;
    if (j == NULL)
        return;
    char epoch[24];
    j->k = k;
    j->term = k->term;
    snprintf(j->id, sizeof j->id, "%s", m->id);
    router_electable_note(m, j->text);
    snprintf(epoch, sizeof epoch, "%" PRIu64, k->conf.epoch(k->conf.ctx));
    const char *argv[] = {"FCALL", "mer1_leader_note", "2", k->members, k->lease, epoch, k->conf.incarnation, j->id, j->text};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = k->members, .durable = true, .replicas = 1};
    k->noting = mer_redis_call(k->conf.redis, &spec, on_note, j) == MER_OK;
    if (k->noting)
        k->calls++;
    else
        free(j);
}

static void on_loaded(void *ctx, enum mer_err err, const redisReply *r)
{
    struct router_keeper *k = ctx;
    k->calls--;
    k->loading = false;
    if (!k->leading || err != MER_OK || r->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i + 1 < r->elements; i += 2)
        if (r->element[i]->type != REDIS_REPLY_STRING || r->element[i + 1]->type != REDIS_REPLY_STRING ||
            router_electable_remember(&k->set, r->element[i]->str, r->element[i + 1]->str, k->conf.loop->now_ms) != MER_OK)
            MER_LOG(k->conf.log, MER_ERROR, "electable.note_bad", KV_STR("node", r->element[i]->str));
    k->loaded = true;
    router__keeper_soon(k, SETTLE_MS);
}

void router__keeper_load(struct router_keeper *k)
{
    const char *argv[] = {"HGETALL", k->members};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = k->members};
    if (k->loading || mer_redis_call(k->conf.redis, &spec, on_loaded, k) != MER_OK)
        return;
    k->loading = true;
    k->calls++;
}
