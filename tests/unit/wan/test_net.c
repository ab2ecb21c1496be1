/* SPDX-License-Identifier: Apache-2.0
 * test_net.c - which node a packet goes to, and the words that change the paths. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/wan/net.h"

static int setup(void **state)
{
    struct wan_net *w = calloc(1, sizeof *w);
    assert_int_equal(wan_net_add(w, "us-east", "10.20.0.0/16", 1), MER_OK);
    assert_int_equal(wan_net_add(w, "eu", "10.30.0.0/16", 1), MER_OK);
    assert_int_equal(wan_net_add(w, "asia", "10.40.0.0/16", 1), MER_OK);
    *state = w;
    return 0;
}
static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* The answer, terminated; of static storage. */
static const char *tell(struct wan_net *w, const char *line)
{
    static char text[4096];
    struct mer_buf answer;
    mer_buf_init(&answer, 0);
    assert_int_equal(wan_net_command(w, line, &answer), MER_OK);
    assert_true(answer.len < sizeof text);
    memcpy(text, answer.data, answer.len);
    text[answer.len] = '\0';
    mer_buf_deinit(&answer);
    return text;
}

static void nodes_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *name, *network;
        enum mer_err err;
    } cases[] = {
        {"eu", "10.50.0.0/16", MER_EEXISTS},    {"us-west", "10.20.0.0/16", MER_EEXISTS}, {"us-west", "10.20.3.0/24", MER_EEXISTS},
        {"us-west", "10.0.0.0/8", MER_EEXISTS}, {"a b", "10.50.0.0/16", MER_EINVALID},    {"*", "10.50.0.0/16", MER_EINVALID},
        {"", "10.50.0.0/16", MER_EINVALID},     {"x", "10.50.0.0", MER_EINVALID},         {"x", "10.50.0.1/16", MER_EINVALID},
        {"x", "10.50.0.0/33", MER_EINVALID},    {"x", "10.50.0.0/0", MER_EINVALID},       {"x", "10.50.0.0/16 ", MER_EINVALID},
        {"x", "10.500.0.0/16", MER_EINVALID},   {"x", "fd00::/16", MER_EINVALID},         {"x", "", MER_EINVALID},
    };
    for (size_t i = 0; i < MER_COUNT(cases); i++)
        assert_int_equal(wan_net_add(*state, cases[i].name, cases[i].network, 1), cases[i].err);
    struct wan_net *w = *state;
    assert_int_equal(w->count, 3);
    for (uint32_t i = 3; i < WAN_NODES_MAX; i++) {
        char name[8], network[32];
        snprintf(name, sizeof name, "n%u", i);
        snprintf(network, sizeof network, "10.1%02u.0.0/16", i);
        assert_int_equal(wan_net_add(w, name, network, 1), MER_OK);
    }
    assert_int_equal(wan_net_add(w, "more", "10.9.0.0/16", 1), MER_EBUSY);
}

static void packets_go_to_the_network_of_their_destination(void **state)
{
    struct wan_net *w = *state;
    uint8_t packet[40] = {0x45, [16] = 10, 40, 7, 9};
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), 2);
    assert_int_equal(wan_net_route(w, 2, packet, sizeof packet), -1); /* back to where it came from */
    packet[17] = 50;
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), -1);
    assert_int_equal(w->nowhere, 2);
    packet[0] = 0x60;
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), -1);
    packet[0] = 0x45;
    for (size_t size = 0; size < 20; size++)
        assert_int_equal(wan_net_route(w, 0, packet, size), -1);
    assert_int_equal(w->not_ipv4, 21);
}

static void a_node_that_was_removed_is_gone_and_its_place_is_taken_anew(void **state)
{
    struct wan_net *w = *state;
    uint8_t packet[40] = {0x45, [16] = 10, 30};
    tell(w, "set both us-east eu delay_ms 40");
    wan_net_remove(w, (uint32_t)wan_net_find(w, "eu"));
    assert_int_equal(wan_net_find(w, "eu"), -1);
    assert_int_equal(wan_net_find(w, ""), -1);
    assert_int_equal(wan_net_find(w, "asia"), 2); /* the others keep their places */
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), -1);
    packet[16] = packet[17] = 0;
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), -1); /* an empty place has no network */
    assert_null(strstr(tell(w, "show"), "eu"));
    assert_string_equal(tell(w, "set us-east eu delay_ms 1"), "error: two nodes are wanted\n");
    assert_int_equal(wan_net_add(w, "asia", "10.30.0.0/16", 1), MER_EEXISTS);
    assert_int_equal(wan_net_add(w, "sa", "10.30.0.0/16", 1), MER_OK);
    assert_int_equal(wan_net_find(w, "sa"), 1);
    assert_int_equal(w->count, 3);
    assert_int_equal(w->path[0][1].set.delay_us, 0); /* nothing is left of who was there */
    packet[16] = 10, packet[17] = 30;
    assert_int_equal(wan_net_route(w, 0, packet, sizeof packet), 1);
}

static void words_change_the_paths_they_name(void **state)
{
    struct wan_net *w = *state;
    assert_string_equal(tell(w, "set us-east eu delay_ms 40 jitter_ms 1.5 loss_percent 0.25"), "ok\n");
    assert_int_equal(w->path[0][1].set.delay_us, 40000);
    assert_int_equal(w->path[0][1].set.jitter_us, 1500);
    assert_int_equal(w->path[0][1].set.loss_ppm, 2500);
    assert_int_equal(w->path[1][0].set.delay_us, 0);
    assert_string_equal(tell(w, "  set both\tus-east eu rate_kbit 1000 duplicate_percent 100 reorder_percent 1 "), "ok\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w->path[i][1 - i].set.rate_bps, 1000000);
        assert_int_equal(w->path[i][1 - i].set.duplicate_ppm, WAN_PPM);
        assert_int_equal(w->path[i][1 - i].set.reorder_ppm, 10000);
    }
    assert_int_equal(w->path[0][1].set.delay_us, 40000); /* what was not named stays */
    assert_string_equal(tell(w, "set * asia delay_ms 7"), "ok\n");
    assert_int_equal(w->path[0][2].set.delay_us, 7000);
    assert_int_equal(w->path[1][2].set.delay_us, 7000);
    assert_int_equal(w->path[2][0].set.delay_us, 0);
}

static void cuts_are_one_way_or_both_and_heal(void **state)
{
    struct wan_net *w = *state;
    assert_string_equal(tell(w, "cut eu asia"), "ok\n");
    assert_true(w->path[1][2].set.cut);
    assert_false(w->path[2][1].set.cut);
    assert_string_equal(tell(w, "cut both us-east *"), "ok\n");
    assert_true(w->path[0][1].set.cut && w->path[2][0].set.cut);
    assert_false(w->path[2][1].set.cut);
    assert_string_equal(tell(w, "heal both us-east eu"), "ok\n");
    assert_false(w->path[0][1].set.cut || w->path[1][0].set.cut);
    assert_true(w->path[0][2].set.cut);
    assert_string_equal(tell(w, "heal"), "ok\n");
    assert_false(w->path[0][2].set.cut || w->path[1][2].set.cut);
}

static void wrong_lines_are_told_and_change_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "frobnicate",
        "set",
        "set us-east",
        "set us-east eu",
        "set us-east mars delay_ms 1",
        "set us-east eu delay_ms",
        "set us-east eu delay_ms -1",
        "set us-east eu delay_ms 1e3",
        "set us-east eu delay_ms 0x10",
        "set us-east eu delay_ms 1.2.3",
        "set us-east eu delay_ms nan",
        "set us-east eu delay_ms 60000.1",
        "set us-east eu delay_ms 99999999999999999999",
        "set us-east eu loss_percent 100.5",
        "set us-east eu delay_ms 1 speed 2",
        "set both both eu delay_ms 1",
        "cut",
        "cut us-east",
        "cut us-east eu now",
        "heal us-east",
        "show me",
        "a a a a a a a a a a a a a a a a a a a a a a a a a",
    };
    struct wan_net *w = *state;
    struct wan_net *before = malloc(sizeof *before);
    memcpy(before, w, sizeof *w);
    for (size_t i = 0; i < MER_COUNT(lines); i++) {
        assert_int_equal(strncmp(tell(w, lines[i]), "error: ", 7), 0);
        assert_memory_equal(before, w, sizeof *w);
    }
    char *line = malloc(WAN_LINE_MAX + 2);
    memset(line, 'x', WAN_LINE_MAX + 1);
    line[WAN_LINE_MAX + 1] = '\0';
    assert_int_equal(strncmp(tell(w, line), "error: ", 7), 0);
    free(line);
    free(before);
}

static void show_tells_every_path_and_what_was_dropped(void **state)
{
    struct wan_net *w = *state;
    uint64_t at[2];
    tell(w, "set us-east eu delay_ms 40");
    assert_int_equal(wan_path_pass(&w->path[0][1], 0, 99, at), 1);
    const char *text = tell(w, "show");
    assert_non_null(strstr(text, "us-east eu delay_ms 40.000 jitter_ms 0.000 loss_percent 0.0000 "));
    assert_non_null(strstr(text, " passed 1 bytes 99 lost 0 "));
    assert_non_null(strstr(text, "\nasia eu delay_ms 0.000 "));
    assert_non_null(strstr(text, "\ndropped not_ipv4 0 nowhere 0 full 0\nok\n"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_that_cannot_be_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(packets_go_to_the_network_of_their_destination, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_was_removed_is_gone_and_its_place_is_taken_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(words_change_the_paths_they_name, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_are_one_way_or_both_and_heal, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_lines_are_told_and_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(show_tells_every_path_and_what_was_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
