/* SPDX-License-Identifier: Apache-2.0
 * Questions of operators that Redis answers: whatever comes back, each gets one answer while its link is there, and none after. Redis and
 * the other parts of the control listener are the test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <stdio.h>

#include <meridian/shared_keys.h>

#include "region-router/control_private.h"
#include "region-router/journal_shell.h"

enum { ASKS = 70 };

static struct fix {
    struct router_app app;
    struct router_control control;
    struct {
        mer_redis_cb cb;
        void *ctx;
    } asked[ASKS];
    struct {
        router_journal_cb cb;
        void *ctx;
    } reading;
    unsigned asks, answers;
    enum mer_err call_result;
    const struct mer_link *to;
    CV1(AnswerCode) code;
    char text[256]; /* what was answered, or why not */
} * f;

static int link_a, link_b;
#define LINK_A ((struct mer_link *)&link_a)
#define LINK_B ((struct mer_link *)&link_b)

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err mer_redis_call(struct mer_redis *r, const struct mer_redis_call_spec *spec, mer_redis_cb cb, void *ctx)
{
    (void)r, (void)spec;
    if (f->call_result != MER_OK)
        return f->call_result;
    f->asked[f->asks].cb = cb;
    f->asked[f->asks++].ctx = ctx;
    return MER_OK;
}
enum mer_err router_journal_read(struct router_app *app, router_journal_cb cb, void *ctx)
{
    (void)app;
    if (f->call_result != MER_OK)
        return f->call_result;
    f->reading.cb = cb;
    f->reading.ctx = ctx;
    return MER_OK;
}
void router__control_answer(struct router_control *c, struct mer_link *l, CV1(Answer) * a)
{
    (void)c;
    assert_non_null(l);
    f->answers++;
    f->to = l;
    f->code = a->code;
    if (a->body_case == ANSWER(PLAYER))
        snprintf(f->text, sizeof f->text, "%s: %zu devices, game %s, ticket %s", a->player->user, a->player->n_devices,
                 a->player->game_id ? a->player->game_id : "-", a->player->ticket_id ? a->player->ticket_id : "-");
    else if (a->body_case == ANSWER(GAME))
        snprintf(f->text, sizeof f->text, "%s: version %u, owner %s", a->game->game_id, (unsigned)a->game->version,
                 a->game->owner ? a->game->owner : "-");
    else
        snprintf(f->text, sizeof f->text, "%s", a->why ? a->why : "");
}

static int set_up(void **state)
{
    f = calloc(1, sizeof *f);
    *state = f;
    f->app.conf.region = (char *)"eu";
    f->control.app = &f->app;
    mer_list_init(&f->control.waiting);
    return 0;
}
static int tear_down(void **state)
{
    assert_int_equal(f->control.waiting_count, 0);
    assert_true(mer_list_empty(&f->control.waiting));
    free(*state);
    return 0;
}

/* ---- what Redis says ----------------------------------------------------------------------------------------------------------------- */

enum { ELEMENTS = 12, DEVICES = 120 };

struct reply {
    redisReply whole, element[ELEMENTS], device[DEVICES], *elements[ELEMENTS], *devices[DEVICES];
};

static void text(redisReply *r, const char *s)
{
    r->type = s != NULL ? REDIS_REPLY_STRING : REDIS_REPLY_NIL;
    r->str = (char *)s;
    r->len = s != NULL ? strlen(s) : 0;
}

/* An array of these texts; NULL: nil. */
static void array(struct reply *r, const char *const *texts, size_t count)
{
    r->whole.type = REDIS_REPLY_ARRAY;
    r->whole.elements = count;
    r->whole.element = r->elements;
    for (size_t i = 0; i < count; i++) {
        r->elements[i] = &r->element[i];
        text(&r->element[i], texts[i]);
    }
}

/* Its 11th element: `count` times the text. */
static void devices(struct reply *r, size_t count, const char *each)
{
    redisReply *d = &r->element[10];
    *d = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = r->devices};
    for (size_t i = 0; i < count; i++) {
        r->devices[i] = &r->device[i];
        text(&r->device[i], each);
    }
}

static void redis_says(enum mer_err err, const redisReply *r)
{
    f->asks--;
    f->asked[f->asks].cb(f->asked[f->asks].ctx, err, r);
}

static void ask(bool game, const char *name)
{
    router__control_store_ask(&f->control, LINK_A, 1, game, name);
}

static void assert_said(unsigned answers, CV1(AnswerCode) code, const char *what)
{
    assert_int_equal(f->answers, answers);
    assert_int_equal(f->code, code);
    if (strstr(f->text, what) == NULL)
        fail_msg("\"%s\" has no \"%s\"", f->text, what);
}

static const char *const player_of_a_game[] = {"OK", "1", "0", "g-1", "e-1.x", NULL, NULL, "0", NULL, NULL, NULL};
static const char *const nobody[] = {"OK", "1", "0", NULL, "", NULL, NULL, "0", NULL, NULL, NULL};

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_player_is_told_as_redis_has_him(void **state)
{
    static struct reply r;
    (void)state;
    array(&r, player_of_a_game, MER_COUNT(player_of_a_game));
    devices(&r, 3 * 2 + 1, "x"); /* two, and a part of a third */
    ask(false, "ann");
    redis_says(MER_OK, &r.whole);
    assert_said(1, CODE(OK), "ann: 2 devices, game g-1, ticket -");
    devices(&r, DEVICES, "x");
    ask(false, "ann");
    redis_says(MER_OK, &r.whole);
    assert_said(2, CODE(OK), "ann: 32 devices");
    devices(&r, DEVICES, NULL);
    ask(false, "ann");
    redis_says(MER_OK, &r.whole);
    assert_said(3, CODE(OK), "ann: 0 devices");
    array(&r, nobody, MER_COUNT(nobody));
    devices(&r, 0, NULL);
    ask(false, "ann");
    redis_says(MER_OK, &r.whole);
    assert_said(4, CODE(NOT_FOUND), "no device, ticket or game");
}

static void a_game_is_told_as_redis_has_it(void **state)
{
    static const struct {
        const char *texts[9];
        CV1(AnswerCode) code;
        const char *want;
    } rows[] = {
        {{"OK", "1", "0", "7", "1", "2", "n", "e-1.x", "record"}, CODE(OK), "g-1: version 7, owner e-1.x"},
        {{"OK", "1", "0", "many", NULL, NULL, NULL, "", NULL}, CODE(OK), "g-1: version 0, owner -"},
        {{"ASIDE", "1", "0", "7", "1", "2", "n", NULL, NULL}, CODE(OK), "g-1: version 7, owner -"},
        {{"ABSENT", "1", "0", "7", "1", "2", "n", NULL, NULL}, CODE(NOT_FOUND), "no such game"},
        {{NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}, CODE(NOT_FOUND), "no such game"},
    };
    (void)state;
    for (unsigned i = 0; i < MER_COUNT(rows); i++) {
        struct reply r = {.whole = {.type = 0}};
        array(&r, rows[i].texts, MER_COUNT(rows[i].texts));
        ask(true, "g-1");
        redis_says(MER_OK, &r.whole);
        assert_said(i + 1, rows[i].code, rows[i].want);
    }
}

static void what_is_no_answer_is_told_as_none(void **state)
{
    static struct reply r;
    redisReply one = {.type = REDIS_REPLY_ERROR, .str = (char *)"ERR", .len = 3};
    unsigned n = 0;
    (void)state;
    for (int game = 0; game < 2; game++) {
        ask(game, "x");
        redis_says(MER_ETIMEOUT, NULL);
        assert_said(++n, CODE(UNAVAILABLE), "Redis");
        ask(game, "x");
        redis_says(MER_OK, &one);
        assert_said(++n, CODE(UNAVAILABLE), "Redis");
        for (size_t count = 0; count < (game ? 9u : 11u); count++) { /* too short */
            array(&r, player_of_a_game, count);
            ask(game, "x");
            redis_says(MER_OK, &r.whole);
            assert_said(++n, CODE(UNAVAILABLE), "Redis");
        }
    }
    array(&r, player_of_a_game, MER_COUNT(player_of_a_game)); /* nil in the place of the devices */
    ask(false, "x");
    redis_says(MER_OK, &r.whole);
    assert_said(++n, CODE(UNAVAILABLE), "Redis");
}

static void who_is_gone_is_not_answered_and_others_are(void **state)
{
    static struct reply r;
    struct router_journal_page page = {{0}};
    (void)state;
    array(&r, player_of_a_game, MER_COUNT(player_of_a_game));
    devices(&r, 0, NULL);
    ask(false, "ann");
    router__control_store_ask(&f->control, LINK_B, 2, false, "bob");
    router__control_store_journal(&f->control, LINK_A, 3);
    router__control_store_gone(&f->control, LINK_A);
    redis_says(MER_OK, &r.whole);
    assert_said(1, CODE(OK), "bob");
    assert_ptr_equal(f->to, LINK_B);
    redis_says(MER_OK, &r.whole);
    f->reading.cb(f->reading.ctx, MER_OK, &page);
    assert_int_equal(f->answers, 1);
}

static void the_journal_is_told_or_why_not(void **state)
{
    struct router_journal_page page = {{0}};
    (void)state;
    router__control_store_journal(&f->control, LINK_A, 1);
    f->reading.cb(f->reading.ctx, MER_OK, &page);
    assert_said(1, CODE(OK), "");
    router__control_store_journal(&f->control, LINK_A, 2);
    f->reading.cb(f->reading.ctx, MER_EUNKNOWN, &page);
    assert_said(2, CODE(UNAVAILABLE), "Redis");
    f->call_result = MER_EBUSY;
    router__control_store_journal(&f->control, LINK_A, 3);
    assert_said(3, CODE(UNAVAILABLE), "too much waits");
}

static void what_waits_is_bounded_and_names_too(void **state)
{
    char large[MER_KEY_ID_MAX + 2];
    unsigned taken = 0;
    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    ask(false, large);
    assert_said(1, CODE(INVALID), "1 to 256 bytes");
    ask(true, "");
    assert_said(2, CODE(INVALID), "1 to 256 bytes");
    while (f->answers == 2) {
        ask(false, "ann");
        taken++;
    }
    assert_int_equal(taken, 65);
    assert_said(3, CODE(UNAVAILABLE), "too much waits");
    router__control_store_journal(&f->control, LINK_A, 3);
    assert_said(4, CODE(UNAVAILABLE), "too much waits");
    while (f->asks > 0)
        redis_says(MER_EAGAIN, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_player_is_told_as_redis_has_him),          TEST(a_game_is_told_as_redis_has_it), TEST(what_is_no_answer_is_told_as_none),
        TEST(who_is_gone_is_not_answered_and_others_are), TEST(the_journal_is_told_or_why_not), TEST(what_waits_is_bounded_and_names_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
