/* SPDX-License-Identifier: Apache-2.0
 * The journal of orders: a page is the newest entries in order, whatever stands in the hash. */
#include "unit.h"

#include <string.h>

#include "region-router/journal.h"

static Meridian__State__V1__JournalEntry entry(uint64_t number)
{
    Meridian__State__V1__JournalEntry e = MERIDIAN__STATE__V1__JOURNAL_ENTRY__INIT;
    e.number = number;
    e.at_ms = 1790000000000 + number;
    e.what = (char *)"drain region";
    e.target = (char *)"eu";
    e.by = (char *)"ana";
    e.who = (char *)"uid 1000";
    e.reason = (char *)"new racks";
    e.router = (char *)"eu-r1.aaaaa";
    e.result = (char *)"";
    return e;
}

static void put(struct router_journal_page *p, uint64_t number)
{
    uint8_t packed[ROUTER_JOURNAL_ENTRY_MAX];
    Meridian__State__V1__JournalEntry e = entry(number);
    size_t len = router_journal_write(&e, packed);
    assert_true(len > 0);
    router_journal_take(p, packed, len);
}

static void a_page_is_the_newest_newest_first(void **state)
{
    struct router_journal_page p = {{0}};
    (void)state;
    for (uint64_t i = 0; i < ROUTER_JOURNAL_KEPT; i++)
        put(&p, 1000 + i * 77 % ROUTER_JOURNAL_KEPT); /* as a hash gives them: in any order */
    assert_int_equal(p.count, ROUTER_JOURNAL_TOLD);
    assert_int_equal(p.last, 1000 + ROUTER_JOURNAL_KEPT - 1);
    for (size_t i = 0; i < p.count; i++)
        assert_int_equal(p.entry[i]->number, p.last - i);
    router_journal_page_free(&p);
}

static void what_is_no_entry_is_passed_over(void **state)
{
    struct router_journal_page p = {{0}};
    uint8_t packed[ROUTER_JOURNAL_ENTRY_MAX], large[2 * ROUTER_JOURNAL_ENTRY_MAX] = {0};
    Meridian__State__V1__JournalEntry e = entry(7);
    size_t len = router_journal_write(&e, packed);
    (void)state;
    for (size_t cut = 0; cut < len; cut++)
        router_journal_take(&p, packed, cut);
    router_journal_take(&p, large, sizeof large);
    router_journal_take(&p, "x", 1);
    e.number = 0;
    router_journal_take(&p, packed, router_journal_write(&e, packed));
    e.number = (uint64_t)1 << 53;
    router_journal_take(&p, packed, router_journal_write(&e, packed));
    assert_int_equal(p.count, 0);
    assert_int_equal(p.last, 0);
    assert_int_equal(p.bad, len + 4);
    put(&p, 3);
    assert_int_equal(p.count, 1);
    router_journal_page_free(&p);
}

/* Every text at its longest, and 64 of them in one answer. */
static void the_longest_entry_fits(void **state)
{
    static char by[65], reason[256], target[97], who[96], router[100], result[ROUTER_JOURNAL_RESULT_MAX + 1];
    uint8_t packed[ROUTER_JOURNAL_ENTRY_MAX];
    Meridian__State__V1__JournalEntry e = entry(((uint64_t)1 << 53) - 1);
    (void)state;
    e.by = memset(by, 'x', sizeof by - 1);
    e.reason = memset(reason, 'x', sizeof reason - 1);
    e.target = memset(target, 'x', sizeof target - 1);
    e.who = memset(who, 'x', sizeof who - 1);
    e.router = memset(router, 'x', sizeof router - 1);
    e.result = memset(result, 'x', sizeof result - 1);
    e.what = (char *)"undrain region";
    assert_true(router_journal_write(&e, packed) > 0);
    assert_true(ROUTER_JOURNAL_TOLD * (ROUTER_JOURNAL_ENTRY_MAX + 4) < 65000);
}

static void numbers_go_round(void **state)
{
    (void)state;
    assert_int_equal(router_journal_field(1), 1);
    assert_int_equal(router_journal_field(ROUTER_JOURNAL_KEPT), 0);
    assert_int_equal(router_journal_field(ROUTER_JOURNAL_KEPT + 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_the_newest_newest_first),
        cmocka_unit_test(what_is_no_entry_is_passed_over),
        cmocka_unit_test(the_longest_entry_fits),
        cmocka_unit_test(numbers_go_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
