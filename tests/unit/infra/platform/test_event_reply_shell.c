/* SPDX-License-Identifier: Apache-2.0
 * What Redis answers about events: the library's own replies, and everything else refused. */
#include "unit.h"

#include <stdio.h>

#include <meridian/event_reply.h>

static void hold(redisReply *r, const char *text)
{
    r->str = strdup(text);
    r->len = strlen(text);
}

/* Built from one line: "S OK|I 5|S |S 7|S 6|S 1|A a b"; S string, I integer, N nil, A array of strings. */
static redisReply *make(const char *line)
{
    redisReply *r = calloc(1, sizeof *r);
    char *text = strdup(line), *save = NULL;
    assert_true(r != NULL && text != NULL);
    r->type = REDIS_REPLY_ARRAY;
    r->element = calloc(16, sizeof *r->element);
    for (char *part = strtok_r(text, "|", &save); part != NULL; part = strtok_r(NULL, "|", &save)) {
        redisReply *e = r->element[r->elements++] = calloc(1, sizeof *e);
        if (part[0] == 'I') {
            e->type = REDIS_REPLY_INTEGER;
            e->integer = strtoll(part + 2, NULL, 10);
        } else if (part[0] == 'S' || part[0] == 'N') {
            e->type = part[0] == 'S' ? REDIS_REPLY_STRING : REDIS_REPLY_NIL;
            if (e->type == REDIS_REPLY_STRING)
                hold(e, part[1] != 0 ? part + 2 : "");
        } else {
            e->type = REDIS_REPLY_ARRAY;
            e->element = calloc(16, sizeof *e->element);
            char *inner = NULL;
            for (char *w = strtok_r(part + 1, " ", &inner); w != NULL; w = strtok_r(NULL, " ", &inner)) {
                redisReply *s = e->element[e->elements++] = calloc(1, sizeof *s);
                s->type = strcmp(w, "nil") == 0 ? REDIS_REPLY_NIL : REDIS_REPLY_STRING;
                if (s->type == REDIS_REPLY_STRING)
                    hold(s, w);
            }
        }
    }
    free(text);
    return r;
}

static enum mer_err decode(const char *line, struct mer_event_reply *out)
{
    redisReply *r = make(line);
    enum mer_err err = mer_event_reply_decode(r, out);
    if (err == MER_OK)
        out->item = NULL; /* it goes now */
    freeReplyObject(r);
    return err;
}

static void the_librarys_replies_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum mer_event_status status;
        uint64_t number, gone, generation;
        size_t count;
    } good[] = {
        {"S OK|I 5|S |S 7|S 6|S 1|A e1 e2", MER_EVENT_OK, 7, 6, 1, 2},
        {"S DUP|I 5|S 2|S |S 6|S 1|A", MER_EVENT_DUP, 0, 6, 1, 0},
        {"S FULL|I 5|S |S |S 0|S |A", MER_EVENT_FULL, 0, 0, 0, 0},
        {"S GAP|I 5|S |S |S 18446744073709551615|S 2|A", MER_EVENT_GAP, 0, UINT64_MAX, 2, 0},
        {"S LOST|I 5|S |S |S 0|S 1|A x", MER_EVENT_LOST, 0, 0, 1, 1},
    };
    for (size_t i = 0; i < MER_COUNT(good); i++) {
        struct mer_event_reply r;
        assert_int_equal(decode(good[i].line, &r), MER_OK);
        assert_int_equal(r.status, good[i].status);
        assert_int_equal(r.time_ms, 5);
        assert_int_equal(r.number, good[i].number);
        assert_true(r.gone == good[i].gone);
        assert_int_equal(r.generation, good[i].generation);
        assert_int_equal(r.count, good[i].count);
    }
}

static void everything_else_is_refused_and_nothing_written(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "S OK",
        "S OK|I 5|S |S 7|S 6|S 1",
        "S OK|I 5|S |S 7|S 6|S 1|A|S x",
        "S ok|I 5|S |S 7|S 6|S 1|A",
        "S |I 5|S |S 7|S 6|S 1|A",
        "I 1|I 5|S |S 7|S 6|S 1|A",
        "N|I 5|S |S 7|S 6|S 1|A",
        "S OK|I 0|S |S 7|S 6|S 1|A",
        "S OK|I -5|S |S 7|S 6|S 1|A",
        "S OK|S 5|S |S 7|S 6|S 1|A",
        "S OK|I 5|S |S -7|S 6|S 1|A",
        "S OK|I 5|S |S 7.5|S 6|S 1|A",
        "S OK|I 5|S |S 0x7|S 6|S 1|A",
        "S OK|I 5|S |S 1e3|S 6|S 1|A",
        "S OK|I 5|S |S 7|S 18446744073709551616|S 1|A",
        "S OK|I 5|S |S 7|S 000000000000000000006|S 1|A",
        "S OK|I 5|S |S 7|I 6|S 1|A",
        "S OK|I 5|S |S 7|S 6|N|A",
        "S OK|I 5|S |S 7|S 6|S one|A",
        "S OK|I 5|S |S 7|S 6|S 1|S list",
        "S OK|I 5|S |S 7|S 6|S 1|N",
        "S OK|I 5|S |S 7|S 6|S 1|A a nil b",
    };
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        struct mer_event_reply r = {.number = 99};
        if (decode(bad[i], &r) != MER_EINVALID)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(r.number, 99);
    }
    redisReply error = {.type = REDIS_REPLY_ERROR, .str = (char *)"ERR", .len = 3};
    struct mer_event_reply r;
    assert_int_equal(mer_event_reply_decode(&error, &r), MER_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_librarys_replies_are_read),
        cmocka_unit_test(everything_else_is_refused_and_nothing_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
