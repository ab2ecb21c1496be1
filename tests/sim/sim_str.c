/* SPDX-License-Identifier: Apache-2.0
 * sim_str.c - what nodes share by count: strings, replicated commands, replies. See sim_keys.h. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "tests/sim/sim_keys.h"

struct sim_str *sim_str_new(const char *data, size_t len)
{
    struct sim_str *s = mer_xmalloc(sizeof(*s) + len + 1);
    s->refs = 1;
    s->len = len;
    memcpy(s->data, data, len);
    s->data[len] = 0;
    return s;
}

struct sim_str *sim_str_ref(struct sim_str *s)
{
    if (s)
        s->refs++;
    return s;
}

void sim_str_unref(struct sim_str *s)
{
    if (s && --s->refs == 0)
        free(s);
}

bool sim_str_is(const struct sim_str *s, const char *text)
{
    return s && strcmp(s->data, text) == 0;
}

struct sim_effect *sim_effect_new(int argc, struct sim_str *const *argv)
{
    struct sim_effect *e = mer_xmalloc(sizeof(*e) + (size_t)argc * sizeof(argv[0]));
    e->refs = 1;
    e->argc = argc;
    for (int i = 0; i < argc; i++)
        e->argv[i] = sim_str_ref(argv[i]);
    return e;
}

void sim_effect_unref(struct sim_effect *e)
{
    if (--e->refs > 0)
        return;
    for (int i = 0; i < e->argc; i++)
        sim_str_unref(e->argv[i]);
    free(e);
}

void sim_reply_clear(struct sim_reply *r)
{
    sim_str_unref(r->str);
    for (size_t i = 0; i < r->count; i++)
        sim_str_unref(r->item[i]);
    r->kind = SIM_NIL;
    r->str = NULL;
    r->count = 0;
}
