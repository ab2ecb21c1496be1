/* SPDX-License-Identifier: Apache-2.0
 * control_store.c - players, games and the journal, as Redis has them (control.h). Answered when Redis answered, unless the link went
 * meanwhile. */
#include "region-router/control_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>
#include <meridian/shared_keys.h>

#include "region-router/journal_shell.h"

enum {
    DEVICES_MAX = 32, /* as many as the store keeps of a player */
    WAITING_MAX = 64, /* asks that wait for Redis: people ask, not programs */
};

struct waiting {
    struct mer_list node;
    struct router_control *control;
    struct mer_link *link; /* NULL: gone */
    uint64_t id;
    bool game; /* or player */
    char name[MER_KEY_ID_MAX + 1];
};

static char *text_at(const redisReply *r, size_t i)
{
    return i < r->elements && r->element[i]->type == REDIS_REPLY_STRING && r->element[i]->len > 0 ? r->element[i]->str : NULL;
}

static uint64_t number_at(const redisReply *r, size_t i)
{
    const char *text = text_at(r, i);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* {status, time, needs, game, game owner, ticket, ticket edge, expiry, previous edge, previous session, {device, edge, session, ...}} */
static void tell_player(struct waiting *w, const redisReply *r, CV1(Answer) * a)
{
    static const CV1(DeviceState) empty = MERIDIAN__CONTROL__V1__DEVICE_STATE__INIT;
    CV1(DeviceState) row[DEVICES_MAX], *rows[DEVICES_MAX];
    CV1(PlayerState) p = MERIDIAN__CONTROL__V1__PLAYER_STATE__INIT;
    const redisReply *devices = r->element[10];
    p.user = w->name;
    p.game_id = text_at(r, 3);
    p.game_owner = text_at(r, 4);
    p.ticket_id = text_at(r, 5);
    p.ticket_edge = text_at(r, 6);
    for (size_t i = 0; i + 2 < devices->elements && p.n_devices < DEVICES_MAX; i += 3) {
        CV1(DeviceState) *d = rows[p.n_devices] = &row[p.n_devices];
        *d = empty;
        d->device = text_at(devices, i);
        d->edge = text_at(devices, i + 1);
        d->session = text_at(devices, i + 2);
        p.n_devices += d->device != NULL && d->edge != NULL && d->session != NULL;
    }
    p.devices = rows;
    a->code = p.game_id != NULL || p.ticket_id != NULL || p.n_devices > 0 ? CODE(OK) : CODE(NOT_FOUND);
    if (a->code == CODE(OK)) {
        a->body_case = ANSWER(PLAYER);
        a->player = &p;
    } else {
        a->why = (char *)"no device, ticket or game of such a user in this region";
    }
    router__control_answer(w->control, w->link, a);
}

/* {status, time, needs, version, generation, epoch, nonce, owner, record} */
static void tell_game(struct waiting *w, const redisReply *r, CV1(Answer) * a)
{
    CV1(GameState) g = MERIDIAN__CONTROL__V1__GAME_STATE__INIT;
    const char *status = text_at(r, 0);
    a->code = status != NULL && (strcmp(status, "OK") == 0 || strcmp(status, "ASIDE") == 0) ? CODE(OK) : CODE(NOT_FOUND);
    if (a->code == CODE(OK)) {
        g.game_id = w->name;
        g.version = number_at(r, 3);
        g.generation = number_at(r, 4);
        g.epoch = number_at(r, 5);
        g.owner = text_at(r, 7);
        a->body_case = ANSWER(GAME);
        a->game = &g;
        a->why = strcmp(status, "ASIDE") == 0 ? (char *)"set aside: it brought down its owners" : NULL;
    } else {
        a->why = (char *)"no such game in this region";
    }
    router__control_answer(w->control, w->link, a);
}

static void on_stored(void *ctx, enum mer_err err, const redisReply *r)
{
    struct waiting *w = ctx;
    struct router_control *c = w->control;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    a.id = w->id;
    bool shaped = err == MER_OK && r->type == REDIS_REPLY_ARRAY && r->elements >= (w->game ? 9u : 11u) &&
                  (w->game || r->element[10]->type == REDIS_REPLY_ARRAY);
    if (w->link == NULL) {
        ; /* nobody listens any more */
    } else if (!shaped) {
        router__control_say(c, w->link, w->id, CODE(UNAVAILABLE), "Redis did not answer");
    } else if (w->game) {
        tell_game(w, r, &a);
    } else {
        tell_player(w, r, &a);
    }
    mer_list_remove(&w->node);
    c->waiting_count--;
    free(w);
}

static enum mer_err look_up(struct waiting *w)
{
    char key[MER_KEY_MAX], electable[MER_KEY_MAX];
    uint32_t bucket = mer_key_bucket(w->name);
    enum mer_err err = mer_key_in_bucket(key, w->game ? "game" : "player", bucket, w->name);
    if (err == MER_OK)
        err = mer_key_electable(electable, bucket);
    if (err != MER_OK)
        return err;
    const char *argv[] = {"FCALL_RO", w->game ? "mer1_get" : "mer1_player_get", "2", key, electable};
    struct mer_redis_call_spec spec = {.argv = argv, .argc = MER_COUNT(argv), .key = key};
    return mer_redis_call(w->control->app->redis, &spec, on_stored, w);
}

void router__control_store_ask(struct router_control *c, struct mer_link *l, uint64_t id, bool game, const char *name)
{
    struct waiting *w = c->waiting_count < WAITING_MAX && strlen(name) <= MER_KEY_ID_MAX ? mer_try_calloc(1, sizeof *w) : NULL;
    if (w != NULL) {
        *w = (struct waiting){.control = c, .link = l, .id = id, .game = game};
        snprintf(w->name, sizeof w->name, "%s", name);
        if (look_up(w) == MER_OK) {
            mer_list_push_back(&c->waiting, &w->node);
            c->waiting_count++;
            return;
        }
        free(w);
    }
    bool bad = name[0] == 0 || strlen(name) > MER_KEY_ID_MAX;
    router__control_say(c, l, id, bad ? CODE(INVALID) : CODE(UNAVAILABLE), bad ? "an id has 1 to 256 bytes" : "too much waits for Redis");
}

/* ---- the journal --------------------------------------------------------------------------------------------------------------------- */

static void on_journal(void *ctx, enum mer_err err, struct router_journal_page *page)
{
    struct waiting *w = ctx;
    CV1(JournalState) j = MERIDIAN__CONTROL__V1__JOURNAL_STATE__INIT;
    CV1(Answer) a = MERIDIAN__CONTROL__V1__ANSWER__INIT;
    j.n_entries = page->count;
    j.entries = page->entry;
    a.id = w->id;
    a.code = CODE(OK);
    a.body_case = ANSWER(JOURNAL);
    a.journal = &j;
    if (w->link != NULL && err == MER_OK)
        router__control_answer(w->control, w->link, &a);
    else if (w->link != NULL)
        router__control_say(w->control, w->link, w->id, CODE(UNAVAILABLE), "Redis did not answer");
    mer_list_remove(&w->node);
    w->control->waiting_count--;
    free(w);
}

void router__control_store_journal(struct router_control *c, struct mer_link *l, uint64_t id)
{
    struct waiting *w = c->waiting_count < WAITING_MAX ? mer_try_calloc(1, sizeof *w) : NULL;
    if (w != NULL) {
        *w = (struct waiting){.control = c, .link = l, .id = id};
        mer_list_push_back(&c->waiting, &w->node);
        c->waiting_count++;
        if (router_journal_read(c->app, on_journal, w) == MER_OK)
            return;
        mer_list_remove(&w->node);
        c->waiting_count--;
        free(w);
    }
    router__control_say(c, l, id, CODE(UNAVAILABLE), "too much waits for Redis");
}

void router__control_store_gone(struct router_control *c, const struct mer_link *l)
{
    MER_LIST_EACH (it, &c->waiting) {
        struct waiting *w = MER_LIST_ENTRY(it, struct waiting, node);
        if (w->link == l)
            w->link = NULL;
    }
}
