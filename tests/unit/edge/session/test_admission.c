/* SPDX-License-Identifier: Apache-2.0
 * Admission: every cell of the levels, marks of every load, what each level refuses, rates that are learnt. */
#include "edge/session/admission.h"

#include "unit.h"

#define N EDGE_LEVEL_NORMAL
#define B EDGE_LEVEL_BUSY
#define S EDGE_LEVEL_SATURATED

static const struct edge_load calm = {0}, busy = {.late_us = 20000}, saturated = {.late_us = 80000};

static struct edge_admission make(void)
{
    struct edge_admission a;
    edge_admission_init(&a, (struct edge_admission_conf){true, 20}, 0);
    return a;
}

static void every_level_meets_every_band(void **state)
{
    (void)state;
    static const enum edge_level expected[EDGE_NLEVELS][EDGE_BANDS] = {[N] = {N, N, B, B, S}, [B] = {N, B, B, B, S}, [S] = {B, B, B, S, S}};
    for (unsigned level = 0; level < EDGE_NLEVELS; level++)
        for (unsigned band = 0; band < EDGE_BANDS; band++)
            assert_int_equal(edge_level_next((enum edge_level)level, band), expected[level][band]);
}

static void the_worst_load_decides_the_band(void **state)
{
    (void)state;
    const struct edge_admission_conf conf = {true, 20};
    static const struct {
        struct edge_load load;
        unsigned band;
    } rows[] = {
        {{0}, 0},
        {{.late_us = 14999}, 0},
        {{.late_us = 15000}, 1},
        {{.late_us = 20000}, 2},
        {{.late_us = 40000}, 3},
        {{.late_us = 80000}, 4},
        {{.memory_permille = 699}, 0},
        {{.memory_permille = 700}, 1},
        {{.memory_permille = 750}, 2},
        {{.memory_permille = 780}, 3},
        {{.memory_permille = 800}, 4},
        {{.store_waiting = 2 * 1024}, 1},
        {{.store_waiting = 4 * 1024}, 2},
        {{.store_waiting = 16 * 1024}, 3},
        {{.store_waiting = 32 * 1024}, 4},
        {{.late_us = UINT32_MAX}, 4},
        {{.full_permille = 1000}, 0}, /* full is not slow */
        {{.late_us = 15000, .memory_permille = 780, .store_waiting = 4 * 1024}, 3},
    };
    for (size_t i = 0; i < MER_COUNT(rows); i++)
        assert_int_equal(edge_admission_band(&conf, &rows[i].load), rows[i].band);
}

/* What a fresh process takes at each level. */
static void each_level_sheds_more(void **state)
{
    (void)state;
    static const bool taken[EDGE_NWORKS][EDGE_NLEVELS] = {
        [EDGE_WORK_RETURN] = {true, true, true},  [EDGE_WORK_UNKNOWN] = {true, true, true}, [EDGE_WORK_NEWCOMER] = {true, true, false},
        [EDGE_WORK_GUEST] = {true, false, false}, [EDGE_WORK_MATCH] = {true, false, false}, [EDGE_WORK_ASK] = {true, true, true},
    };
    const struct edge_load *loads[] = {&calm, &busy, &saturated};
    for (unsigned work = 0; work < EDGE_NWORKS; work++)
        for (unsigned level = 0; level < EDGE_NLEVELS; level++) {
            struct edge_admission a = make();
            edge_admission_tick(&a, loads[level], 100);
            assert_int_equal(a.level, level);
            assert_int_equal(edge_admission_take(&a, (enum edge_work)work, 1100), taken[work][level]);
            assert_int_equal(a.refused[work], !taken[work][level]);
        }
}

static unsigned taken_in_a_second(struct edge_admission *a, enum edge_work work, uint64_t from_ms)
{
    unsigned n = 0;
    for (uint64_t ms = 0; ms < 1000; ms++)
        for (int i = 0; i < 5; i++)
            n += edge_admission_take(a, work, from_ms + ms);
    return n;
}

static void who_comes_back_has_a_share_when_saturated(void **state)
{
    (void)state;
    struct edge_admission a = make();
    edge_admission_tick(&a, &saturated, 1000);
    assert_int_equal(taken_in_a_second(&a, EDGE_WORK_NEWCOMER, 1000), 0);
    unsigned back = taken_in_a_second(&a, EDGE_WORK_RETURN, 1000);
    assert_in_range(back, 100, 151); /* with what was saved up */
    assert_in_range(taken_in_a_second(&a, EDGE_WORK_UNKNOWN, 1000), 20, 31);
}

static void the_last_places_are_for_those_who_come_back(void **state)
{
    (void)state;
    struct edge_admission a = make();
    const struct edge_load full = {.full_permille = 950};
    edge_admission_tick(&a, &full, 100);
    assert_int_equal(a.level, EDGE_LEVEL_NORMAL);
    assert_false(edge_admission_take(&a, EDGE_WORK_NEWCOMER, 100));
    assert_false(edge_admission_take(&a, EDGE_WORK_UNKNOWN, 100));
    assert_true(edge_admission_take(&a, EDGE_WORK_RETURN, 100));
    assert_true(edge_admission_take(&a, EDGE_WORK_MATCH, 100));
}

static void a_rate_that_was_too_much_is_cut_below_what_was_done_and_grows_again(void **state)
{
    (void)state;
    struct edge_admission a = make();
    uint64_t ms = 0;
    for (; ms < 5000; ms += EDGE_TICK_MS) { /* 200 a second, all taken */
        for (int i = 0; i < 20; i++)
            assert_true(edge_admission_take(&a, EDGE_WORK_MATCH, ms));
        assert_false(edge_admission_tick(&a, &calm, ms));
    }
    assert_true(edge_admission_tick(&a, &busy, ms));
    assert_in_range(a.match.rate_milli, 145 * 1000, 175 * 1000);
    assert_false(edge_admission_take(&a, EDGE_WORK_MATCH, ms));
    assert_true(edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS));
    assert_int_equal(a.level, EDGE_LEVEL_NORMAL);
    assert_in_range(taken_in_a_second(&a, EDGE_WORK_MATCH, ms), 110, 230);
    for (int i = 0; i < 600; i++)
        edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS);
    assert_int_equal(a.match.rate_milli, EDGE_PACE_FREE_MILLI);
    assert_int_equal(taken_in_a_second(&a, EDGE_WORK_MATCH, ms), 5000);
}

static void while_those_inside_find_no_game_the_door_closes(void **state)
{
    (void)state;
    struct edge_admission a = make();
    uint64_t ms = 0;
    edge_admission_tick(&a, &busy, ms);
    for (int tick = 0; tick < 50; tick++)
        edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS);
    uint32_t open = a.door.rate_milli, matches = a.match.rate_milli;
    assert_true(open > EDGE_PACE_LEAST_MILLI);
    for (int tick = 0; tick < 20; tick++) {
        for (int i = 0; i < 20; i++)
            edge_admission_take(&a, EDGE_WORK_MATCH, ms);
        edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS);
    }
    assert_true(a.door.rate_milli < open);
    assert_true(a.match.rate_milli > matches);
    for (int tick = 0; tick < 1000; tick++)
        edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS);
    assert_int_equal(a.door.rate_milli, EDGE_PACE_FREE_MILLI);
}

static void a_rate_is_never_cut_to_nothing(void **state)
{
    (void)state;
    struct edge_admission a = make();
    uint64_t ms = 0;
    for (int i = 0; i < 50; i++) {
        edge_admission_tick(&a, &busy, ms += EDGE_TICK_MS);
        edge_admission_tick(&a, &calm, ms += EDGE_TICK_MS);
    }
    assert_true(a.door.rate_milli >= EDGE_PACE_LEAST_MILLI);
    assert_true(taken_in_a_second(&a, EDGE_WORK_NEWCOMER, ms + 1000) >= 1);
}

static void switched_off_it_measures_and_refuses_nothing(void **state)
{
    (void)state;
    struct edge_admission a;
    edge_admission_init(&a, (struct edge_admission_conf){false, 20}, 0);
    assert_true(edge_admission_tick(&a, &saturated, 100));
    assert_int_equal(a.level, EDGE_LEVEL_SATURATED);
    for (unsigned work = 0; work < EDGE_NWORKS; work++)
        assert_true(edge_admission_take(&a, (enum edge_work)work, 100));
}

static void retries_are_spread_between_1_and_30_seconds(void **state)
{
    (void)state;
    struct edge_admission a = make();
    const uint32_t random[] = {0, 1, 12345, 999999999, UINT32_MAX};
    uint32_t first = edge_admission_retry_ms(&a, EDGE_WORK_MATCH, 0);
    for (int level = 0; level < EDGE_NLEVELS; level++)
        for (size_t i = 0; i < MER_COUNT(random); i++) {
            a.level = (enum edge_level)level;
            assert_in_range(edge_admission_retry_ms(&a, EDGE_WORK_NEWCOMER, random[i]), 1000, 30000);
        }
    assert_int_not_equal(edge_admission_retry_ms(&a, EDGE_WORK_MATCH, 777), first);
}

static uint32_t longest_wait(const struct edge_admission *a, enum edge_work work)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < 40000; i++)
        if (edge_admission_retry_ms(a, work, i) > most)
            most = edge_admission_retry_ms(a, work, i);
    return most;
}

static void refuse_for_10_s(struct edge_admission *a, enum edge_work work, unsigned each_tick)
{
    for (uint64_t ms = 0; ms < 10000; ms += EDGE_TICK_MS) {
        for (unsigned i = 0; i < each_tick; i++)
            assert_false(edge_admission_take(a, work, ms));
        edge_admission_tick(a, &saturated, ms);
    }
}

static void the_more_are_refused_the_later_they_come_back(void **state)
{
    (void)state;
    struct edge_admission a = make();
    edge_admission_tick(&a, &saturated, 0);
    assert_int_equal(longest_wait(&a, EDGE_WORK_NEWCOMER), 8000);
    refuse_for_10_s(&a, EDGE_WORK_NEWCOMER, 5);
    assert_in_range(longest_wait(&a, EDGE_WORK_NEWCOMER), 19000, 20000);
    assert_int_equal(longest_wait(&a, EDGE_WORK_MATCH), 8000); /* a crowd outside is not theirs */
    refuse_for_10_s(&a, EDGE_WORK_MATCH, 5);
    assert_in_range(longest_wait(&a, EDGE_WORK_MATCH), 19000, 20000);
    refuse_for_10_s(&a, EDGE_WORK_NEWCOMER, 1000);
    assert_int_equal(longest_wait(&a, EDGE_WORK_NEWCOMER), 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_meets_every_band),
        cmocka_unit_test(the_worst_load_decides_the_band),
        cmocka_unit_test(each_level_sheds_more),
        cmocka_unit_test(who_comes_back_has_a_share_when_saturated),
        cmocka_unit_test(the_last_places_are_for_those_who_come_back),
        cmocka_unit_test(a_rate_that_was_too_much_is_cut_below_what_was_done_and_grows_again),
        cmocka_unit_test(while_those_inside_find_no_game_the_door_closes),
        cmocka_unit_test(a_rate_is_never_cut_to_nothing),
        cmocka_unit_test(switched_off_it_measures_and_refuses_nothing),
        cmocka_unit_test(the_more_are_refused_the_later_they_come_back),
        cmocka_unit_test(retries_are_spread_between_1_and_30_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
