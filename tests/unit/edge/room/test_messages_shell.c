/* SPDX-License-Identifier: Apache-2.0
 * What waits in a player's inbox, read for a session that has just come. The store and the sessions are the test's: these functions stand
 * before the product's at link time. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/room/messages.h"
#include "edge/store/events.h"
#include "fake_loop.h"
#include "meridian/state/v1/state.pb-c.h"
#include "unit.h"

enum { LONG_MS = 3000 /* longer than any wait of messages.c for the store */ };

static struct fix {
    struct edge_app app;
    struct fake_clock clock;
    struct mer_rng_seeded seed;
    edge_store_event_cb read; /* NULL: nothing is asked */
    void *ctx;
    unsigned reads, told;
    char user[16], session[16]; /* told last; "": all of his */
    bool offline;
    enum mer_err refuse;
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err edge_store_inbox_get(struct edge_store *s, const char *user, edge_store_event_cb cb, void *ctx)
{
    (void)s;
    assert_null(f->read);
    assert_string_equal(user, "ana");
    f->reads++;
    if (f->refuse != MER_OK)
        return f->refuse;
    f->read = cb;
    f->ctx = ctx;
    return MER_OK;
}
enum mer_err edge_store_inbox_ack(struct edge_store *s, const char *user, uint64_t number, edge_store_event_cb cb, void *ctx)
{
    (void)s, (void)user, (void)number, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_event_put(struct edge_store *s, const struct edge_store_event *e, edge_store_event_cb cb, void *ctx)
{
    (void)s, (void)e, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_store_event_send(struct edge_store *s, const char *region, const struct edge_store_event *e, edge_store_event_cb cb,
                                   void *ctx)
{
    (void)s, (void)region, (void)e, (void)cb, (void)ctx;
    return MER_EBUSY;
}
enum mer_err edge_routers_send(struct edge_routers *r, const Meridian__Internal__V1__RouterMessage *m)
{
    (void)r, (void)m;
    return MER_ECLOSED;
}
bool edge_sessions_online(const struct edge_sessions *s, const char *user)
{
    (void)s, (void)user;
    return !f->offline;
}
void edge_sessions_to_user(struct edge_sessions *s, const char *user, const Meridian__Client__V1__ServerMessage *m)
{
    (void)s;
    assert_int_equal(m->body_case, MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MESSAGE);
    snprintf(f->user, sizeof(f->user), "%s", user);
    f->session[0] = 0;
    f->told++;
}
void edge_sessions_to_session(struct edge_sessions *s, const char *session, const Meridian__Client__V1__ServerMessage *m)
{
    (void)s;
    assert_int_equal(m->body_case, MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_MESSAGE);
    snprintf(f->session, sizeof(f->session), "%s", session);
    f->told++;
}
void edge_sessions_error(struct edge_sessions *s, const char *session, Meridian__Client__V1__ErrorCode code, const char *text,
                         const char *re, uint32_t retry_after_ms)
{
    (void)s, (void)session, (void)code, (void)text, (void)re, (void)retry_after_ms;
    fail();
}
void edge_routers_on(struct edge_routers *r, Meridian__Internal__V1__RouterMessage__BodyCase kind, edge_routers_cb cb, void *ctx)
{
    (void)r, (void)kind, (void)cb, (void)ctx;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    f->app.clock = fake_clock_init(&f->clock);
    assert_int_equal(mer_loop_init(&f->app.loop, f->app.clock), MER_OK);
    mer_log_init(&f->app.log, open("/dev/null", O_WRONLY | O_CLOEXEC), MER_ERROR, f->app.clock);
    mer_metrics_init(&f->app.metrics);
    f->app.rng = mer_rng_seed(&f->seed, 7);
    assert_int_equal(edge_messages_create(&f->app.messages, &f->app), MER_OK);
    return 0;
}
static int tear_down(void **state)
{
    edge_messages_destroy(f->app.messages);
    mer_loop_deinit(&f->app.loop);
    close(f->app.log.fd);
    free(*state);
    return 0;
}

/* The store's answer: so many messages. */
static void read_gave(enum edge_store_result result, size_t count)
{
    Meridian__State__V1__TextEvent text = MERIDIAN__STATE__V1__TEXT_EVENT__INIT;
    Meridian__State__V1__Event e = MERIDIAN__STATE__V1__EVENT__INIT;
    uint8_t packed[128];
    redisReply item = {.type = REDIS_REPLY_STRING, .str = (char *)packed}, *items[] = {&item, &item, &item};
    struct mer_event_reply r = {.count = count, .item = items};
    edge_store_event_cb cb = f->read;
    assert_non_null(cb);
    text.from = text.from_name = text.from_region = text.message_id = text.text = (char *)"x";
    e.to = (char *)"ana";
    e.body_case = MERIDIAN__STATE__V1__EVENT__BODY_TEXT;
    e.text = &text;
    item.len = meridian__state__v1__event__pack(&e, packed);
    f->read = NULL;
    cb(f->ctx, result, &r);
}
static void later(void)
{
    fake_loop_run_for(&f->app.loop, &f->clock, LONG_MS);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void what_waits_is_told_once(void **state)
{
    (void)state;
    edge_messages_sync(f->app.messages, "ana", "s-1");
    read_gave(EDGE_STORE_OK, 2);
    assert_int_equal(f->told, 2);
    assert_string_equal(f->session, "s-1");
    later();
    assert_int_equal(f->reads, 1);
}

static void asked_again_meanwhile_it_is_read_again_and_told_once(void **state)
{
    (void)state;
    edge_messages_sync(f->app.messages, "ana", "s-1");
    edge_messages_sync(f->app.messages, "ana", "s-1"); /* something came since: what is being read may be older */
    read_gave(EDGE_STORE_OK, 1);
    assert_int_equal(f->told, 0);
    read_gave(EDGE_STORE_OK, 2);
    assert_int_equal(f->told, 2);
    assert_int_equal(f->reads, 2);
}

/* He came while a replica of his shard was being replaced: he has his messages when it has been, not with his next connection. */
static void a_store_that_does_not_answer_is_asked_until_it_does(void **state)
{
    static const enum edge_store_result no_answer[] = {EDGE_STORE_AGAIN, EDGE_STORE_UNKNOWN};
    (void)state;
    f->refuse = MER_EBUSY;
    edge_messages_sync(f->app.messages, "ana", "");
    f->refuse = MER_OK;
    for (int i = 0; i < 2; i++) {
        later();
        read_gave(no_answer[i], 0);
        edge_messages_sync(f->app.messages, "ana", ""); /* by the way */
    }
    later();
    read_gave(EDGE_STORE_OK, 2);
    assert_int_equal(f->told, 2);
    assert_string_equal(f->user, "ana");
    later();
    assert_int_equal(f->reads, 4);
}

static void for_who_has_gone_nothing_is_asked_again(void **state)
{
    (void)state;
    edge_messages_sync(f->app.messages, "ana", "s-1");
    read_gave(EDGE_STORE_AGAIN, 0);
    f->offline = true;
    later();
    assert_int_equal(f->reads, 1);
    f->offline = false;
    edge_messages_sync(f->app.messages, "ana", "s-1"); /* back: a new one; the end of the test finds it waiting */
    read_gave(EDGE_STORE_AGAIN, 0);
    assert_int_equal(f->reads, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_told_once),
        TEST(asked_again_meanwhile_it_is_read_again_and_told_once),
        TEST(a_store_that_does_not_answer_is_asked_until_it_does),
        TEST(for_who_has_gone_nothing_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
