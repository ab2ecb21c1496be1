/* SPDX-License-Identifier: Apache-2.0
 * journal_shell.c - see journal_shell.h. */
#include "region-router/journal_shell.h"

#include <stdio.h>
#include <stdlib.h>

#include <meridian/mem.h>

#include "region-router/app.h"

static const char kind[] = "journal";

struct reading {
    router_journal_cb cb;
    void *ctx;
};

static void on_read(void *ctx, enum mer_err err, const redisReply *r)
{
    struct reading *q = ctx;
    struct router_journal_page page = {{0}};
    if (err == MER_OK && r->type != REDIS_REPLY_ARRAY)
        err = MER_EINVALID;
    for (size_t i = 1; err == MER_OK && i < r->elements; i += 2) /* field, value, ... */
        if (r->element[i]->type == REDIS_REPLY_STRING)
            router_journal_take(&page, r->element[i]->str, r->element[i]->len);
    q->cb(q->ctx, err, &page);
    router_journal_page_free(&page);
    free(q);
}

enum mer_err router_journal_read(struct router_app *app, router_journal_cb cb, void *ctx)
{
    char key[ROUTER_NOTE_KEY_BYTES];
    router_note_key(key, app, kind);
    const char *argv[] = {"HGETALL", key};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
    struct reading *q = mer_try_malloc(sizeof *q);
    if (q == NULL)
        return MER_ENOMEM;
    *q = (struct reading){cb, ctx};
    enum mer_err err = mer_redis_call(app->redis, &spec, on_read, q);
    if (err != MER_OK)
        free(q);
    return err;
}

enum mer_err router_journal_note(struct router_app *app, const Meridian__State__V1__JournalEntry *e, router_note_cb cb, void *ctx)
{
    uint8_t packed[ROUTER_JOURNAL_ENTRY_MAX];
    char field[16];
    size_t len = router_journal_write(e, packed);
    snprintf(field, sizeof field, "%u", router_journal_field(e->number));
    return len > 0 ? router_note(app, kind, field, packed, len, cb, ctx) : MER_ERANGE;
}
