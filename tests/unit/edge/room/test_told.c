/* SPDX-License-Identifier: Apache-2.0
 * Events of an inbox as their user is told of them, hostile ones and those of other versions among them. */
#include <string.h>

#include <meridian/buf.h>
#include <meridian/json.h>

#include "edge/room/told.h"
#include "unit.h"

#define ST(x) Meridian__State__V1__##x
#define EVENT(x) MERIDIAN__STATE__V1__EVENT__BODY_##x
#define SM(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

enum { PLAYERS = 5, PACKED_MAX = 512 };
static const struct edge_told_place at = {7, 3};

/* A result of so many players, with these words and numbers. */
struct result {
    ST(Event) event;
    ST(ResultEvent) result;
    ST(ResultPlayer) player[PLAYERS], *players[PLAYERS];
    uint32_t scores[PLAYERS];
};

static void result_of(struct result *r, unsigned players, uint32_t reason)
{
    *r = (struct result){.event = MERIDIAN__STATE__V1__EVENT__INIT, .result = MERIDIAN__STATE__V1__RESULT_EVENT__INIT};
    for (unsigned i = 0; i < players; i++) {
        r->player[i] = (ST(ResultPlayer))MERIDIAN__STATE__V1__RESULT_PLAYER__INIT;
        r->player[i].user = r->player[i].name = (char *)"ana";
        r->player[i].kind = i == 1 ? MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_BOT : MERIDIAN__STATE__V1__SEAT_KIND__SEAT_KIND_HUMAN;
        r->players[i] = &r->player[i];
        r->scores[i] = i;
    }
    r->result.game_id = (char *)"g-1";
    r->result.n_players = r->result.n_scores = players;
    r->result.players = r->players;
    r->result.scores = r->scores;
    r->result.reason = reason;
    r->event.to = (char *)"ana";
    r->event.at_ms = 99;
    r->event.body_case = EVENT(RESULT);
    r->event.result = &r->result;
}

static bool tell(struct edge_told *t, const ST(Event) * e)
{
    uint8_t packed[PACKED_MAX];
    assert_true(meridian__state__v1__event__get_packed_size(e) <= sizeof(packed));
    return edge_told_make(t, packed, meridian__state__v1__event__pack(e, packed), &at);
}

/* A message that cannot be written ends the connection it was for. */
static void assert_can_be_said(const struct edge_told *t)
{
    struct mer_buf out;
    mer_buf_init(&out, 0);
    assert_int_equal(mer_json_write(&t->message.base, &out), MER_OK);
    mer_buf_deinit(&out);
}

static void a_text_is_told_with_its_place(void **state)
{
    ST(TextEvent) text = MERIDIAN__STATE__V1__TEXT_EVENT__INIT;
    ST(Event) e = MERIDIAN__STATE__V1__EVENT__INIT;
    struct edge_told t;
    (void)state;
    text.from = (char *)"bob";
    text.from_name = (char *)"Bob";
    text.from_region = (char *)"eu";
    text.message_id = (char *)"m-1";
    text.text = (char *)"hello";
    e.to = (char *)"ana";
    e.at_ms = 42;
    e.body_case = EVENT(TEXT);
    e.text = &text;
    assert_true(tell(&t, &e));
    assert_int_equal(t.message.body_case, SM(MESSAGE));
    assert_string_equal(t.message.message->from, "bob");
    assert_string_equal(t.message.message->text, "hello");
    assert_int_equal(t.message.message->seq, 7);
    assert_int_equal(t.message.message->settled_seq, 3);
    assert_int_equal(t.message.message->sent_at_ms, 42);
    assert_can_be_said(&t);
    edge_told_free(&t);
}

static void who_wrote_a_text_that_found_no_room_is_told(void **state)
{
    ST(UndeliveredEvent) u = MERIDIAN__STATE__V1__UNDELIVERED_EVENT__INIT;
    ST(Event) e = MERIDIAN__STATE__V1__EVENT__INIT;
    struct edge_told t;
    (void)state;
    u.message_id = (char *)"m-1";
    u.recipient = (char *)"bob";
    u.region = (char *)"eu";
    e.to = (char *)"ana";
    e.body_case = EVENT(UNDELIVERED);
    e.undelivered = &u;
    assert_true(tell(&t, &e));
    assert_int_equal(t.message.body_case, SM(MESSAGE_UNDELIVERED));
    assert_string_equal(t.message.message_undelivered->to, "bob");
    assert_int_equal(t.message.message_undelivered->seq, 7);
    assert_can_be_said(&t);
    edge_told_free(&t);
}

static void a_result_names_everybody(void **state)
{
    struct result r;
    struct edge_told t;
    (void)state;
    result_of(&r, EDGE_TOLD_SEATS, MERIDIAN__CLIENT__V1__OVER_REASON__OVER_REASON_EXPIRED);
    assert_true(tell(&t, &r.event));
    assert_int_equal(t.message.body_case, SM(GAME_RESULT));
    assert_int_equal(t.message.game_result->n_players, 4);
    assert_int_equal(t.message.game_result->players[1]->kind, MERIDIAN__CLIENT__V1__PLAYER_KIND__PLAYER_KIND_BOT);
    assert_int_equal(t.message.game_result->players[3]->seat, 3);
    assert_int_equal(t.message.game_result->ended_at_ms, 99);
    assert_can_be_said(&t);
    edge_told_free(&t);
}

static void what_is_no_event_is_not_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } hostile[] = {{"", 0},
                   {"\xff", 1},
                   {"\x0a\x03"
                    "ana",
                    5},
                   {"\x0a\xff\xff\xff\xff\x0f", 6},
                   {"\x2a\x7f", 2},
                   {"not an event", 12}};
    struct edge_told t;
    struct result r;
    (void)state;
    for (size_t i = 0; i < MER_COUNT(hostile); i++)
        assert_false(edge_told_make(&t, hostile[i].bytes, hostile[i].len, &at));
    result_of(&r, PLAYERS, 1);
    assert_false(tell(&t, &r.event)); /* more than sit at a table */
}

/* An edge of a newer version, perhaps in another region, wrote it; here there is no word for it. */
static void a_reason_of_another_version_is_not_told(void **state)
{
    static const uint32_t reasons[] = {0, 5, 77, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX};
    struct result r;
    struct edge_told t;
    (void)state;
    for (uint32_t reason = 1; reason < 5; reason++) {
        result_of(&r, 2, reason);
        assert_true(tell(&t, &r.event));
        assert_can_be_said(&t);
        edge_told_free(&t);
    }
    for (size_t i = 0; i < MER_COUNT(reasons); i++) {
        result_of(&r, 2, reasons[i]);
        assert_false(tell(&t, &r.event));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_told_with_its_place),
        cmocka_unit_test(who_wrote_a_text_that_found_no_room_is_told),
        cmocka_unit_test(a_result_names_everybody),
        cmocka_unit_test(what_is_no_event_is_not_told),
        cmocka_unit_test(a_reason_of_another_version_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
