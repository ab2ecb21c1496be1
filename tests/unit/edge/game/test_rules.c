/* SPDX-License-Identifier: Apache-2.0 */
#include "game_fix.h"

#include "last_card.h"

static void the_product_knows_memory_and_nothing_else(void **state)
{
    (void)state;
    assert_ptr_equal(edge_rules_find("memory"), &edge_memory);
    assert_null(edge_rules_find("last_card"));
    assert_null(edge_rules_find(""));
}

static void a_second_game_is_played_to_its_end_by_the_same_core(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(3, 1, 4, 0);
    fix_init(&f, &last_card, &spec, 1);
    for (unsigned i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof(id), "m%u", i);
        fix_flip(&f, i, 3 - i, id);
        fix_store(&f);
        assert_said(&f, 2, MOVE_OK);
        assert_said(&f, 1, CARD_FLIPPED);
        assert_said(&f, 0, TURN_CHANGED);
        assert_int_equal(fix_last(&f, 0)->seat, (i + 1) % 3);
        assert_int_equal(fix_last(&f, 0)->deadline_ms, f.t.store_ms + 5000);
    }
    fix_flip(&f, 0, 0, "last");
    fix_store(&f);
    assert_said(&f, 0, GAME_OVER);
    assert_int_equal(fix_last(&f, 0)->version, 5);
    assert_int_equal(fix_last(&f, 0)->reason, OVER(FINISHED));
    fix_deinit(&f);
}

static void bots_of_a_second_game_play_it_alone(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(2, 2, 5, 3);
    fix_init(&f, &last_card, &spec, 7);
    while (!f.g.now.over) {
        fix_run(&f, 100);
        fix_store(&f);
    }
    assert_int_equal(f.g.now.version, 11);
    fix_deinit(&f);
}

static void the_clock_and_leaving_work_with_any_rules(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(2, 1, 10, 0);
    fix_init(&f, &last_card, &spec, 7);
    fix_run(&f, 5000);
    fix_store(&f);
    assert_said(&f, 0, TURN_CHANGED);
    assert_int_equal(f.g.now.turns_lost[0], 1);
    fix_leave(&f, 0);
    fix_store(&f);
    assert_said(&f, 0, GAME_OVER);
    assert_int_equal(fix_last(&f, 0)->reason, OVER(RESIGNED));
    fix_deinit(&f);
}

static void a_second_game_survives_its_record(void **state)
{
    (void)state;
    struct fix f;
    struct edge_game_spec spec = fix_spec(2, 1, 6, 0);
    struct edge_game again;
    struct mer_buf b;
    mer_buf_init(&b, 0);
    fix_init(&f, &last_card, &spec, 3);
    fix_flip(&f, 0, 2, "m");
    fix_store(&f);
    assert_int_equal(edge_game_encode(&f.g, true, &b), MER_OK);
    assert_int_equal(edge_game_decode(&again, NULL, b.data, b.len, &f.env), MER_EINVALID); /* not in the product's list */
    assert_int_equal(edge_game_decode(&again, &last_card, b.data, b.len, &f.env), MER_OK);
    assert_memory_equal(&again.now, &f.g.now, sizeof(again.now));
    edge_game_deinit(&again);
    mer_buf_deinit(&b);
    fix_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_product_knows_memory_and_nothing_else), cmocka_unit_test(a_second_game_is_played_to_its_end_by_the_same_core),
        cmocka_unit_test(bots_of_a_second_game_play_it_alone),       cmocka_unit_test(the_clock_and_leaving_work_with_any_rules),
        cmocka_unit_test(a_second_game_survives_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
