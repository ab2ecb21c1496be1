/* SPDX-License-Identifier: Apache-2.0
 * Intrusive lists. */
#include "unit.h"

#include <meridian/list.h>

static void nodes_are_kept_in_order_and_removing_twice_is_harmless(void **state)
{
    struct mer_list head, other, n[5];
    int i = 0;

    (void)state;
    mer_list_init(&head);
    mer_list_init(&other);
    for (int k = 0; k < 5; k++)
        mer_list_init(&n[k]);
    mer_list_push_back(&head, &n[1]);
    mer_list_push_back(&head, &n[2]);
    mer_list_push_front(&head, &n[0]);
    mer_list_push_back(&other, &n[3]);
    mer_list_push_back(&other, &n[4]);
    mer_list_move_all(&head, &other);
    assert_true(mer_list_empty(&other));
    mer_list_move_all(&head, &other);
    MER_LIST_EACH (it, &head)
        assert_ptr_equal(it, &n[i++]);
    assert_int_equal(i, 5);
    mer_list_remove(&n[2]);
    mer_list_remove(&n[2]);
    MER_LIST_EACH_SAFE (it, &head)
        mer_list_remove(it);
    assert_true(mer_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_kept_in_order_and_removing_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
