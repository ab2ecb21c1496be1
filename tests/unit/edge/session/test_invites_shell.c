/* SPDX-License-Identifier: Apache-2.0
 * What a find_match says of codes: which are read, which are refused and why, and what guessing costs. The session's answers and the list
 * of regions are the test's: these functions stand before the product's at link time. */
#include <string.h>

#include "edge/room/messages.h"
#include "edge/session/session.h"
#include "edge/session/ticket.h"
#include "fake_clock.h"
#include "unit.h"

#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

static struct fix {
    struct edge_app app;
    struct mer_rng_seeded seed;
    struct edge_sessions sessions;
    struct edge_user user;
    struct edge_session session;
    struct edge_ticket ticket;
    struct edge_invite invite; /* as it was read last */
    int error;                 /* the last one; 0: none */
    uint32_t retry_after_ms;
    char said[96];
} * f;

void edge__session_error(struct edge_session *s, Meridian__Client__V1__ErrorCode code, const char *text, const char *re,
                         uint32_t retry_after_ms)
{
    assert_ptr_equal(s, &f->session);
    assert_string_equal(re, "find_match");
    f->error = (int)code;
    f->retry_after_ms = retry_after_ms;
    snprintf(f->said, sizeof(f->said), "%s", text);
}

bool edge_messages_has_region(const struct edge_messages *ms, const char *region)
{
    (void)ms;
    return strcmp(region, "eu") == 0 || strcmp(region, "us-east") == 0;
}

static bool reads(const char *code, bool invite, const char *rematch)
{
    Meridian__Client__V1__FindMatch m = MERIDIAN__CLIENT__V1__FIND_MATCH__INIT;
    m.code = (char *)code;
    m.has_invite = m.invite = invite;
    m.rematch = (char *)rematch;
    memset(&f->invite, 0x5a, sizeof(f->invite)); /* the caller's is not initialised either */
    f->error = 0;
    return edge__invite_read(&f->session, &m, &f->invite);
}

static const char *made_in(const char *region, const char *secret)
{
    static struct mer_invite code;
    assert_int_equal(mer_invite_derive(&code, region, secret), MER_OK);
    return code.text;
}

static void holds_ticket(const char *code, bool hosts)
{
    snprintf(f->ticket.code, sizeof(f->ticket.code), "%s", code);
    f->ticket.hosts = hosts;
    f->user.ticket = &f->ticket;
}

/* How many codes the user may still name now; they are spent. */
static unsigned tokens(void)
{
    unsigned n = 0;
    f->user.ticket = NULL;
    while (n < 100 && reads(NULL, false, "g-anything"))
        n++;
    assert_int_equal(f->error, CODE(RATE_LIMITED));
    return n;
}

static int set_up(void **state)
{
    f = calloc(1, sizeof(*f));
    *state = f;
    f->app.rng = mer_rng_seed(&f->seed, 7);
    f->app.conf.region = (char *)"eu";
    f->app.loop.now_ms = 1000 * 1000;
    f->sessions.app = &f->app;
    f->session.all = &f->sessions;
    f->session.user = &f->user;
    edge__invites_init(&f->user, f->app.loop.now_ms);
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void a_wish_without_a_code_is_for_anybody_and_costs_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(reads(NULL, false, NULL));
        assert_string_equal(f->invite.code.text, "");
        assert_false(f->invite.hosts);
    }
    assert_int_equal(tokens(), 6);
}

static void an_invitation_gets_a_new_code_of_this_region_and_costs_nothing(void **state)
{
    char before[MER_INVITE_BYTES] = "";
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(reads(NULL, true, NULL));
        assert_string_equal(f->invite.code.region, "eu");
        assert_true(f->invite.hosts);
        assert_string_not_equal(f->invite.code.text, before);
        memcpy(before, f->invite.code.text, sizeof(before));
    }
    assert_int_equal(tokens(), 6);
}

static void a_friend_s_code_is_read_and_the_table_is_not_his(void **state)
{
    const char *code = made_in("us-east", "any");
    (void)state;
    assert_true(reads(code, false, NULL));
    assert_string_equal(f->invite.code.text, code);
    assert_false(f->invite.hosts);
    assert_int_equal(tokens(), 5);
}

static void a_host_who_lost_his_ticket_names_his_code_and_hosts_again(void **state)
{
    const char *code = made_in("eu", "any");
    (void)state;
    assert_true(reads(code, true, NULL));
    assert_string_equal(f->invite.code.text, code);
    assert_true(f->invite.hosts);
    assert_int_equal(tokens(), 5); /* he might be guessing */
}

static void what_is_no_code_is_refused_and_costs_nothing(void **state)
{
    static char huge[1100], long_id[EDGE_ID_MAX + 2];
    char mistyped[MER_INVITE_BYTES];
    snprintf(mistyped, sizeof(mistyped), "%s", made_in("eu", "any"));
    char *last = mistyped + strlen(mistyped) - 1;
    *last = *last == '0' ? '1' : '0';
    memset(huge, '0', sizeof(huge) - 1);
    memset(long_id, 'g', sizeof(long_id) - 1);
    const char *const code[] = {"", "x", "eu", huge, mistyped, mistyped + 3, "e\x01-00000-00000", "\xff\xfe", made_in("nowhere", "any")};
    const char *const rematch[] = {"", long_id, "g-\n", "\xff", ".g-1", "e u.g-1", "-.g-1", "a-region-whose-name-has-over-31-letters.g-1"};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(code) + MER_COUNT(rematch); i++) {
        bool is_code = i < MER_COUNT(code);
        assert_false(reads(is_code ? code[i] : NULL, false, is_code ? NULL : rematch[i - MER_COUNT(code)]));
        assert_int_equal(f->error, CODE(BAD_CODE));
        assert_int_equal(f->retry_after_ms, 0); /* asking again is no use */
    }
    assert_int_equal(tokens(), 6);
}

static void one_s_own_code_is_refused_but_not_a_friend_s(void **state)
{
    char own[MER_INVITE_BYTES];
    snprintf(own, sizeof(own), "%s", made_in("eu", "own"));
    (void)state;
    holds_ticket(own, true);
    assert_false(reads(own, false, NULL));
    assert_int_equal(f->error, CODE(BAD_CODE));
    assert_non_null(strstr(f->said, "your own code"));
    assert_true(reads(own, true, NULL)); /* asks for what he has: is told of it */
    holds_ticket(own, false);
    assert_true(reads(own, false, NULL)); /* a guest who asks again */
}

static void who_has_a_ticket_is_only_told_of_it_and_spends_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        holds_ticket("", false);
        assert_true(reads(made_in("nowhere", "any"), false, NULL));
        assert_true(reads(NULL, false, "g-1"));
    }
    assert_int_equal(tokens(), 6);
}

static void codes_are_six_at_once_and_then_one_in_ten_seconds(void **state)
{
    char code[MER_INVITE_BYTES];
    snprintf(code, sizeof(code), "%s", made_in("eu", "any"));
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_true(i % 2 ? reads(code, false, NULL) : reads(NULL, false, "g-1")); /* one purse */
    assert_false(reads(code, false, NULL));
    assert_int_equal(f->error, CODE(RATE_LIMITED));
    assert_in_range(f->retry_after_ms, 9000, 10 * 1000);
    f->app.loop.now_ms += f->retry_after_ms - 20;
    assert_false(reads(code, true, NULL));
    f->app.loop.now_ms += 30;
    assert_true(reads(code, true, NULL));
    assert_false(reads(NULL, false, "g-1"));
    f->app.loop.now_ms += 3600 * 1000;
    assert_int_equal(tokens(), 6);
}

static void all_who_ask_for_a_rematch_have_one_code_of_the_region_that_had_the_game(void **state)
{
    static const char *const game[] = {"asia.g-abcdefgh", "asia.g-abcdefgh", "asia.g-abcdefgi", "g-abcdefgh"};
    char code[4][MER_INVITE_BYTES];
    (void)state;
    for (size_t i = 0; i < MER_COUNT(game); i++) {
        assert_true(reads(NULL, false, game[i]));
        assert_true(f->invite.hosts);
        memcpy(code[i], f->invite.code.text, sizeof(code[i]));
    }
    assert_string_equal(code[0], code[1]);
    assert_string_not_equal(code[0], code[2]);
    assert_memory_equal(code[0], "asia-", 5);
    assert_memory_equal(code[3], "eu-", 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_wish_without_a_code_is_for_anybody_and_costs_nothing),
        TEST(an_invitation_gets_a_new_code_of_this_region_and_costs_nothing),
        TEST(a_friend_s_code_is_read_and_the_table_is_not_his),
        TEST(a_host_who_lost_his_ticket_names_his_code_and_hosts_again),
        TEST(what_is_no_code_is_refused_and_costs_nothing),
        TEST(one_s_own_code_is_refused_but_not_a_friend_s),
        TEST(who_has_a_ticket_is_only_told_of_it_and_spends_nothing),
        TEST(codes_are_six_at_once_and_then_one_in_ten_seconds),
        TEST(all_who_ask_for_a_rematch_have_one_code_of_the_region_that_had_the_game),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
