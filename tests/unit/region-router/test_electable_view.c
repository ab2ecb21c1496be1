/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "region-router/electable_view.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

static struct router_view v;

static void a_table_of_nodes_is_read(void **state)
{
    (void)state;
    memset(&v, 0, sizeof v);
    assert_true(router_view_nodes(&v, A " 127.0.0.1:7601@17601,host myself,master - 0 0 7 connected 0-99 200 [300->-" B "]\r\n" B
                                        " 127.0.0.1:7602@17602 slave " A " 0 1795 7 connected\n" C
                                        " [::1]:7603@17603 master,fail - 0 1 3 disconnected\n" C
                                        " 127.0.0.1:9@9 handshake - 0 0 0 connected\n" C " :0@0 master,noaddr - 0 0 0 disconnected\n"));
    assert_string_equal(v.id, A);
    assert_string_equal(v.primary, "");
    assert_true(v.slots);
    assert_int_equal(v.config_epoch, 7);
    assert_int_equal(v.known_count, 2);
    assert_string_equal(router_view_find(&v, B)->primary, A);
    assert_string_equal(router_view_find(&v, B)->address, "127.0.0.1:7602");
    assert_false(router_view_find(&v, C)->slots);
    assert_true(router_view_find(&v, C)->failed);
    assert_int_equal(router_view_find(&v, C)->config_epoch, 3);
    assert_false(router_view_find(&v, B)->failed);
    assert_null(router_view_find(&v, A)); /* itself is not one of the others */
}

static void a_table_that_shows_less_than_it_has_says_so(void **state)
{
    static const struct {
        const char *line;
        bool hides;
    } table[] = {{"", false},
                 {B " 127.0.0.1:2@3 master - 0 0 1 connected\n", false},
                 {B " 127.0.0.1:2@3 master,fail - 0 0 1 disconnected\n", false},
                 {B " 127.0.0.1:2@3 handshake - 0 0 0 disconnected\n", true},
                 {B " :0@0 master,fail,noaddr - 0 0 1 disconnected 0-16383\n", true}};
    (void)state;
    for (size_t i = 0; i < MER_COUNT(table); i++) {
        char text[256];
        memset(&v, 0, sizeof v);
        snprintf(text, sizeof text, A " 127.0.0.1:1@2 myself,master - 0 0 1 connected\n%s", table[i].line);
        assert_true(router_view_nodes(&v, text));
        assert_int_equal(v.hides, table[i].hides);
    }
}

static void what_is_no_such_table_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "-ERR This instance has cluster support disabled",
        A " 127.0.0.1:1@2 master - 0 0 1 connected\n", /* nobody is itself */
        A " 127.0.0.1:1@2 myself,master - 0 0 x connected\n",
        A " 127.0.0.1:1@2 myself,master - 0 0\n",
        A " 127.0.0.1:1@2 myself,master - 0 0 1 connected\n" B " 127.0.0.1:2@3 master - 0 0 x connected\n",
        "short 127.0.0.1:1@2 myself,master - 0 0 1 connected\n",
        A " 127.0.0.1:1@2 myself,slave toolittle 0 0 1 connected\n",
        A " 127.0.0.1:1@2 myself,master - 0 0 99999999999999999999 connected\n",
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        memset(&v, 0, sizeof v);
        if (router_view_nodes(&v, bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
    static char many[ROUTER_NODES_MAX * 128 + 512];
    size_t n = (size_t)snprintf(many, sizeof many, A " 127.0.0.1:1@2 myself,master - 0 0 1 connected\n");
    for (int i = 0; i <= ROUTER_NODES_MAX; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "%040d 127.0.0.1:1@2 master - 0 0 1 connected\n", i);
    memset(&v, 0, sizeof v);
    assert_false(router_view_nodes(&v, many));
}

static void replication_tells_who_is_attached_and_how_far(void **state)
{
    (void)state;
    memset(&v, 0, sizeof v);
    assert_true(router_view_replication(&v, "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
                                            "slave0:ip=127.0.0.1,port=7604,state=online,offset=1234,lag=0\r\n"
                                            "slave1:ip=::1,port=7605,state=wait_bgsave,offset=0,lag=-1\r\n"
                                            "slave2:ip=127.0.0.1,port=7606,state=online,offset=9,lag=7,new=1\r\n"
                                            "slave_repl_offset_of_others:1\r\nmaster_repl_offset:1300\r\n"));
    assert_int_equal(v.attached_count, 3);
    assert_true(router_view_attached(&v, "127.0.0.1:7604")->online);
    assert_int_equal(router_view_attached(&v, "127.0.0.1:7604")->offset, 1234);
    assert_false(router_view_attached(&v, "[::1]:7605")->online);
    assert_int_equal(router_view_attached(&v, "[::1]:7605")->lag_s, UINT32_MAX);
    assert_int_equal(router_view_attached(&v, "127.0.0.1:7606")->lag_s, 7);
    assert_null(router_view_attached(&v, "127.0.0.1:1"));
    assert_int_equal(v.offset, 1300);
    memset(&v, 0, sizeof v);
    assert_true(router_view_replication(&v, "role:slave\nslave_repl_offset:77\nmaster_repl_offset:80\n"));
    assert_int_equal(v.offset, 77);
    static const char *const bad[] = {"",
                                      "role:master\r\n",
                                      "slave0:nonsense\nmaster_repl_offset:1\n",
                                      "slave0:ip=,port=1\nmaster_repl_offset:1\n",
                                      "slave0:ip=1,port=1,offset=x\nmaster_repl_offset:1\n",
                                      "master_repl_offset:-1\n"};
    for (size_t i = 0; i < MER_COUNT(bad); i++) {
        memset(&v, 0, sizeof v);
        if (router_view_replication(&v, bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
}

static void users_that_are_on_and_the_epoch_are_read(void **state)
{
    (void)state;
    memset(&v, 0, sizeof v);
    assert_true(router_view_user(&v, "user default on #abc ~* &* +@all"));
    assert_true(router_view_user(&v, "user repl-1 off #abc -@all"));
    assert_true(router_view_user(&v, "user repl-2 on #abc -@all"));
    assert_false(router_view_user(&v, "repl-2 on"));
    assert_false(router_view_user(&v, ""));
    assert_true(router_view_user_on(&v, "default"));
    assert_true(router_view_user_on(&v, "repl-2"));
    assert_false(router_view_user_on(&v, "repl-1"));
    assert_true(router_view_cluster(&v, "cluster_state:ok\r\ncluster_current_epoch:12\r\ncluster_my_epoch:3\r\n"));
    assert_int_equal(v.current_epoch, 12);
    assert_int_equal(v.assigned, 0);
    assert_true(router_view_cluster(&v, "cluster_slots_assigned:16384\r\ncluster_current_epoch:12\r\n"));
    assert_int_equal(v.assigned, 16384);
    memset(&v, 0, sizeof v);
    assert_true(router_view_cluster(&v, "cluster_slots_assigned:99999999\r\ncluster_current_epoch:12\r\n"));
    assert_int_equal(v.assigned, 0);
    assert_false(router_view_cluster(&v, "cluster_state:ok\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_nodes_is_read),
        cmocka_unit_test(a_table_that_shows_less_than_it_has_says_so),
        cmocka_unit_test(what_is_no_such_table_is_refused),
        cmocka_unit_test(replication_tells_who_is_attached_and_how_far),
        cmocka_unit_test(users_that_are_on_and_the_epoch_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
