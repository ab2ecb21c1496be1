/* SPDX-License-Identifier: Apache-2.0
 * note.c - see note.h. */
#include "region-router/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "region-router/app.h"

struct noted {
    router_note_cb cb;
    void *ctx;
};

void router_note_key(char out[ROUTER_NOTE_KEY_BYTES], const struct router_app *app, const char *kind)
{
    snprintf(out, ROUTER_NOTE_KEY_BYTES, "%s:{%s}", kind, app->conf.region); /* kinds are short, and so are regions */
}

static void on_noted(void *ctx, enum mer_err err, const redisReply *r)
{
    struct noted *n = ctx;
    if (err == MER_OK && (r->type != REDIS_REPLY_ARRAY || r->elements == 0 || r->element[0]->type != REDIS_REPLY_STRING))
        err = MER_EINVALID;
    else if (err == MER_OK && strcmp(r->element[0]->str, "OK") != 0)
        err = MER_EFENCED;
    if (n->cb != NULL)
        n->cb(n->ctx, err);
    free(n);
}

enum mer_err router_note(struct router_app *app, const char *kind, const char *field, const void *value, size_t len, router_note_cb cb,
                         void *ctx)
{
    char hash[ROUTER_NOTE_KEY_BYTES], lease[ROUTER_NOTE_KEY_BYTES], epoch[24];
    uint64_t leads = router__lead_epoch(app);
    if (leads == 0)
        return MER_EFENCED;
    struct noted *n = mer_try_malloc(sizeof *n);
    if (n == NULL)
        return MER_ENOMEM;
    *n = (struct noted){cb, ctx};
    router_note_key(hash, app, kind);
    router_note_key(lease, app, "router");
    snprintf(epoch, sizeof epoch, "%" PRIu64, leads);
    const char *argv[] = {"FCALL", "mer1_leader_note", "2", hash, lease, epoch, app->incarnation, field, len > 0 ? value : ""};
    size_t lens[MER_COUNT(argv)];
    for (size_t i = 0; i + 1 < MER_COUNT(argv); i++)
        lens[i] = strlen(argv[i]);
    lens[MER_COUNT(argv) - 1] = len;
    struct mer_redis_call_spec spec = {.argv = argv, .argvlen = lens, .argc = MER_COUNT(argv), .key = hash, .durable = true, .replicas = 1};
    enum mer_err err = mer_redis_call(app->redis, &spec, on_noted, n);
    if (err != MER_OK)
        free(n);
    return err;
}
