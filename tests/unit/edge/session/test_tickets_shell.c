/* SPDX-License-Identifier: Apache-2.0
 * A ticket between its player, the store, the router and the game, in every order that an offer, a cancel, a new leader and the store's
 * answers can come. */
#include "tickets_world.h"

/* ---- friends ------------------------------------------------------------------------------------------------------------------------- */

static void an_invitation_tells_its_code_to_player_and_router(void **state)
{
    (void)state;
    find_as("eu-7KQM3-XPVTB", true);
    assert_string_equal(f->code, "eu-7KQM3-XPVTB");
    assert_string_equal(f->opened_code, f->code);
    assert_true(f->hosts && f->opened_hosts && !f->brief);
    assert_true(f->expires_at_ms - mer_clock_wall_ms(&f->app.clock) == EDGE_INVITE_MS);
    run_for(EDGE_INVITE_MS / 2);
    edge_tickets_explain(&f->session, f->id);
    assert_true(f->expires_at_ms - mer_clock_wall_ms(&f->app.clock) == EDGE_INVITE_MS / 2);
    ended();
}

static void a_friend_s_code_is_told_on_and_the_table_is_not_his(void **state)
{
    (void)state;
    find_as("us-east-7KQM3-XPVTB", false);
    assert_string_equal(f->code, "us-east-7KQM3-XPVTB");
    assert_string_equal(f->opened_code, f->code);
    assert_false(f->hosts || f->opened_hosts || f->brief);
    ended();
}

static void a_ticket_without_a_code_has_none(void **state)
{
    (void)state;
    waiting();
    assert_string_equal(f->code, "");
    assert_true(f->brief && !f->hosts && f->expires_at_ms == 0);
    ended();
}

static void a_ticket_outlives_the_last_device_by_half_a_minute_and_an_invitation_by_two(void **state)
{
    (void)state;
    for (int invites = 0; invites < 2; invites++) {
        invites ? find_as("eu-7KQM3-XPVTB", true) : waiting();
        edge_tickets_user_gone(f->app.tickets, &f->user);
        run_for((invites ? EDGE_INVITE_LINGER_MS : EDGE_TICKET_LINGER_MS) - 10);
        edge_tickets_user_back(f->app.tickets, &f->user);
        run_for(EDGE_INVITE_LINGER_MS);
        assert_null(f->call);
        edge_tickets_user_gone(f->app.tickets, &f->user);
        run_for((invites ? EDGE_INVITE_LINGER_MS : EDGE_TICKET_LINGER_MS) + 10);
        answer("get", EDGE_STORE_OK);
        answer("close", EDGE_STORE_OK);
        assert_null(f->user.ticket);
    }
}

static void a_ticket_goes_on_while_its_player_is_at_another_edge(void **state)
{
    struct edge_device d[] = {{"phone", "e-1.me", "e-1.me.1"}, {"desk", "e-2.other", "e-2.other.1"}};
    (void)state;
    waiting();
    edge_tickets_user_gone(f->app.tickets, &f->user);
    record.devices = d;
    for (int i = 0; i < 4; i++) { /* there; nobody can say; there; only the session that waits for him here */
        record.device_count = i < 3 ? 2 : 1;
        run_for(EDGE_TICKET_LINGER_MS);
        assert_false(f->user.ticket->cancel);
        answer("get", i == 1 ? EDGE_STORE_AGAIN : EDGE_STORE_OK);
    }
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_null(f->user.ticket);
}

static void who_is_back_while_it_is_asked_where_he_is_keeps_his_ticket(void **state)
{
    (void)state;
    waiting();
    edge_tickets_user_gone(f->app.tickets, &f->user);
    run_for(EDGE_TICKET_LINGER_MS);
    edge_tickets_user_back(f->app.tickets, &f->user);
    f->user.live = 1;
    answer("get", EDGE_STORE_OK);
    assert_false(f->user.ticket->cancel);
    f->user.live = 0;
    edge_tickets_user_gone(f->app.tickets, &f->user);
    run_for(EDGE_TICKET_LINGER_MS);
    edge_tickets_user_back(f->app.tickets, &f->user);
    edge_tickets_user_gone(f->app.tickets, &f->user); /* ... and away once more, for which he has his time again */
    answer("get", EDGE_STORE_OK);
    assert_false(f->user.ticket->cancel);
}

static void a_ticket_may_end_while_it_is_asked_where_its_player_is(void **state)
{
    (void)state;
    waiting();
    edge_tickets_user_gone(f->app.tickets, &f->user);
    run_for(EDGE_TICKET_LINGER_MS);
    assert_string_equal(f->call, "get");
    edge_store_player_cb told = f->player;
    void *ctx = f->ctx;
    f->call = NULL;
    ended();
    told(ctx, EDGE_STORE_OK, &record);
}

static void who_still_waits_when_the_edge_ends_is_told_to_ask_again(void **state)
{
    (void)state;
    waiting();
    offer("g-1");
    edge_tickets_end(f->app.tickets); /* may become a game: what his record says then is true elsewhere, too */
    assert_int_equal(f->cancels, 0);
    answer("seat", EDGE_STORE_OK);
    edge_tickets_end(f->app.tickets);
    release("g-1");
    reopened();
    edge_tickets_end(f->app.tickets);
    assert_int_equal(f->cancels, 1);
    edge_tickets_end(f->app.tickets);
    assert_int_equal(f->cancels, 1);
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(EXPIRED));
    assert_non_null(strstr(f->reason, "ask again"));
    assert_null(f->user.ticket);
}

/* The last answers of a process that ends: its store is gone when another region's edge is given up. */
static void no_answer_moves_a_ticket_of_a_process_that_ends(void **state)
{
    (void)state;
    waiting();
    sit("asia.g-1");
    release("asia.g-1");
    run_for(EDGE_ABROAD_GIVE_UP_MS);
    f->sessions.stopping = true;
    answer("void", EDGE_STORE_UNKNOWN);
    assert_null(f->call);
    run_for(1000);
    assert_non_null(f->user.ticket); /* the sessions drop it */
}

/* ---- cancelling ---------------------------------------------------------------------------------------------------------------------- */

static void cancel_before_the_offer_is_cancelled_and_the_offer_declined(void **state)
{
    (void)state;
    waiting();
    cancel();
    assert_int_equal(f->cancels, 1);
    offer("g-1");
    assert_int_equal(f->declined, 1);
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
}

static void cancel_while_the_seat_is_being_written_is_too_late(void **state)
{
    (void)state;
    waiting();
    offer("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    answer("seat", EDGE_STORE_OK);
    seated();
    assert_null(f->user.ticket);
    assert_int_equal(f->error, 0);
}

static void cancel_of_a_seat_that_is_released_after_all_is_cancelled(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    release("g-1");
    reopened();
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_int_equal(f->opens, 1); /* the router was not asked again */
}

static void cancel_while_it_is_found_out_whether_the_game_was_made_is_answered_by_it(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    cancel();
    assert_int_equal(f->asked, STATE(MATCHED));
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-1");
    assert_null(f->user.ticket);
}

static void cancel_while_the_ticket_is_opened_again_is_cancelled(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    answer("void", EDGE_STORE_OK);
    cancel();
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(CANCELLED));
}

static void cancel_that_crosses_matched_gets_matched_again(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    seated();
    f->seat = "g-1";
    record.game = "g-1";
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_string_equal(f->joined, "g-1");
    assert_int_equal(f->error, 0);
}

static void cancel_of_a_game_that_nobody_here_knows_yet_is_to_be_asked_again(void **state)
{
    (void)state;
    static const struct edge_device devices[] = {{"phone", "e-2.other", "s-2"}};
    record.game = "g-1"; /* the ticket was opened at another edge, and is SEATED there */
    record.devices = devices;
    record.device_count = 1;
    snprintf(f->id, sizeof(f->id), "t-elsewhere");
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->forwarded, 1); /* the wish, should it come to nothing */
    assert_string_equal(f->joined, "g-1");
    assert_int_equal(f->error, CODE(TRY_AGAIN));
}

static void cancel_of_what_is_no_ticket_is_told_so(void **state)
{
    (void)state;
    snprintf(f->id, sizeof(f->id), "t-nothing");
    cancel();
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->error, CODE(NO_SUCH_TICKET));
    waiting();
    cancel();
    answer("close", EDGE_STORE_OK);
    f->error = 0;
    cancel(); /* twice */
    answer("get", EDGE_STORE_OK);
    assert_int_equal(f->error, CODE(NO_SUCH_TICKET));
}

static void cancel_of_a_ticket_that_another_game_takes_the_place_of_is_cancelled(void **state)
{
    (void)state;
    find();
    find(); /* which tells its id */
    cancel();
    record.game = "g-other";
    answer("open", EDGE_STORE_HAS_GAME);
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-other");
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_null(f->user.ticket);
}

static void cancel_does_not_wait_for_a_region_that_cannot_be_reached(void **state)
{
    (void)state;
    find();
    find(); /* which tells its id */
    record.game = "asia.g-1";
    answer("open", EDGE_STORE_HAS_GAME);
    answer("void", EDGE_STORE_UNKNOWN);
    run_for(1000); /* it is asked again */
    cancel();
    answer("void", EDGE_STORE_UNKNOWN);
    answer("close", EDGE_STORE_LOST);
    assert_int_equal(f->told, STATE(CANCELLED));
    assert_string_equal(f->joined, "");
    assert_null(f->user.ticket);
}

static void cancel_while_it_expires_is_expired(void **state)
{
    (void)state;
    IM(TicketStatus) st = MERIDIAN__INTERNAL__V1__TICKET_STATUS__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    waiting();
    st.ticket_id = f->id;
    st.state = STATE(EXPIRED);
    st.reason = (char *)"no match was found in time";
    m.ticket_status = &st;
    f->router[ROUTER(TICKET_STATUS)](f->router_ctx, &m);
    cancel();
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(EXPIRED));
    assert_string_equal(f->reason, "no match was found in time");
}

static void the_router_is_told_everything_when_it_asks(void **state)
{
    IM(TicketAsk) a = MERIDIAN__INTERNAL__V1__TICKET_ASK__INIT;
    IM(RouterMessage) m = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    (void)state;
    waiting();
    assert_int_equal(f->briefs, 1);
    m.ticket_ask = &a;
    a.ticket_id = f->id;
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m);
    assert_int_equal(f->opens, 2);
    assert_int_equal(f->briefs, 1);
    sit("g-1");
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m); /* not now */
    a.ticket_id = (char *)"t-unknown";
    f->router[ROUTER(TICKET_ASK)](f->router_ctx, &m);
    assert_int_equal(f->opens, 2);
}

/* --- leaders ----------------------------------------------------------------------------------------------------------------------------
 */

static void a_new_leader_frees_a_seat_whose_game_nobody_will_make(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    reopened(); /* at once, not after six seconds */
    assert_int_equal(f->told, STATE(WAITING));
    assert_int_equal(f->opens, 2);
    sit("g-2");
}

static void a_game_that_was_made_wins_over_a_new_leader(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    answer("void", EDGE_STORE_EXISTS);
    assert_string_equal(f->joined, "g-1");
    assert_null(f->user.ticket);
}

static void a_seat_that_opens_while_it_is_voided_is_taken(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    edge_tickets_hand_in(f->app.tickets);
    seated();
    answer("void", EDGE_STORE_EXISTS);
    assert_null(f->user.ticket);
    assert_int_equal(f->opens, 1);
}

static void a_new_leader_during_the_writing_of_a_seat_frees_it_behind(void **state)
{
    (void)state;
    waiting();
    offer("g-1");
    edge_tickets_hand_in(f->app.tickets);
    answer("seat", EDGE_STORE_OK);
    assert_int_equal(f->accepted, 0);
    reopened();
    assert_int_equal(f->opens, 2);
}

static void a_new_leader_gets_what_waits(void **state)
{
    (void)state;
    waiting();
    edge_tickets_hand_in(f->app.tickets);
    assert_int_equal(f->opens, 2);
    assert_null(f->call);
}

/* --- games that are never made ----------------------------------------------------------------------------------------------------------
 */

static void a_game_that_is_never_made_ends_the_ticket_at_the_third(void **state)
{
    (void)state;
    waiting();
    for (int i = 0; i < 3; i++) {
        sit("g-1");
        run_for(EDGE_SEAT_OPEN_WAIT_MS);
        reopened();
    }
    answer("close", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(EXPIRED));
    assert_string_equal(f->reason, "no server could start the game");
    assert_null(f->user.ticket);
    assert_int_equal(f->opens, 3);
}

static void seats_that_somebody_took_back_do_not_count(void **state)
{
    (void)state;
    waiting();
    for (int i = 0; i < 5; i++) {
        sit("g-1");
        if (i % 2)
            release("g-1");
        else
            edge_tickets_hand_in(f->app.tickets);
        reopened();
    }
    assert_int_equal(f->told, STATE(WAITING));
}

/* What runs while it cannot be found out whether the game was made. */
static void void_in_vain(uint64_t ms)
{
    for (uint64_t waited = 0; waited < ms; waited += 10 * 1000) {
        answer("void", EDGE_STORE_UNKNOWN);
        run_for(10 * 1000);
    }
}

static void a_seat_in_a_region_that_cannot_be_reached_is_given_up(void **state)
{
    (void)state;
    waiting();
    sit("asia.g-1");
    release("asia.g-1");
    void_in_vain(EDGE_ABROAD_GIVE_UP_MS - 10 * 1000);
    assert_string_equal(f->call, "void");
    void_in_vain(10 * 1000);
    answer("void", EDGE_STORE_UNKNOWN);
    answer("unseat", EDGE_STORE_OK);
    answer("open", EDGE_STORE_OK);
    assert_int_equal(f->told, STATE(WAITING));
}

static void a_seat_at_home_is_never_given_up_before_its_store_has_spoken(void **state)
{
    (void)state;
    waiting();
    sit("g-1");
    release("g-1");
    void_in_vain(3 * EDGE_ABROAD_GIVE_UP_MS);
    assert_string_equal(f->call, "void");
    reopened();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(an_invitation_tells_its_code_to_player_and_router),
        TEST(a_friend_s_code_is_told_on_and_the_table_is_not_his),
        TEST(a_ticket_without_a_code_has_none),
        TEST(a_ticket_outlives_the_last_device_by_half_a_minute_and_an_invitation_by_two),
        TEST(a_ticket_goes_on_while_its_player_is_at_another_edge),
        TEST(who_is_back_while_it_is_asked_where_he_is_keeps_his_ticket),
        TEST(who_still_waits_when_the_edge_ends_is_told_to_ask_again),
        TEST(no_answer_moves_a_ticket_of_a_process_that_ends),
        TEST(a_ticket_may_end_while_it_is_asked_where_its_player_is),
        TEST(cancel_before_the_offer_is_cancelled_and_the_offer_declined),
        TEST(cancel_while_the_seat_is_being_written_is_too_late),
        TEST(cancel_of_a_seat_that_is_released_after_all_is_cancelled),
        TEST(cancel_while_it_is_found_out_whether_the_game_was_made_is_answered_by_it),
        TEST(cancel_while_the_ticket_is_opened_again_is_cancelled),
        TEST(cancel_that_crosses_matched_gets_matched_again),
        TEST(cancel_of_a_game_that_nobody_here_knows_yet_is_to_be_asked_again),
        TEST(cancel_of_what_is_no_ticket_is_told_so),
        TEST(cancel_of_a_ticket_that_another_game_takes_the_place_of_is_cancelled),
        TEST(cancel_does_not_wait_for_a_region_that_cannot_be_reached),
        TEST(cancel_while_it_expires_is_expired),
        TEST(the_router_is_told_everything_when_it_asks),
        TEST(a_new_leader_frees_a_seat_whose_game_nobody_will_make),
        TEST(a_game_that_was_made_wins_over_a_new_leader),
        TEST(a_seat_that_opens_while_it_is_voided_is_taken),
        TEST(a_new_leader_during_the_writing_of_a_seat_frees_it_behind),
        TEST(a_new_leader_gets_what_waits),
        TEST(a_game_that_is_never_made_ends_the_ticket_at_the_third),
        TEST(seats_that_somebody_took_back_do_not_count),
        TEST(a_seat_in_a_region_that_cannot_be_reached_is_given_up),
        TEST(a_seat_at_home_is_never_given_up_before_its_store_has_spoken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
