/* SPDX-License-Identifier: Apache-2.0
 * What the agent makes of probes and reports each second: good or bad, why, and with it in or out of DNS. Probes and routers are the
 * test's: these functions stand before the product's at link time. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "geo/agent_private.h"
#include "geo/control.h"

enum { EAST, EU, REGIONS, ADDRESSES = 2, TICK_MS = 1000 };

static struct fix {
    struct geo_agent *agent;
    struct geo_report report[REGIONS];
    char dir[32], state_file[64], journal[64];
} * f;

/* ---- the world ----------------------------------------------------------------------------------------------------------------------- */

void geo_probe_start(struct geo_probe *p, const struct geo_probe_conf *conf, const char *address, uint16_t port)
{
    p->conf = conf;
    p->verdict = GEO_GOOD;
    snprintf(p->address, sizeof p->address, "%s:%u", address, port);
    snprintf(p->why, sizeof p->why, "silent");
}
void geo_probe_stop(struct geo_probe *p)
{
    p->conf = NULL;
}
enum mer_err geo_reports_create(struct geo_reports **out, const struct geo_reports_conf *conf, struct mer_msg *msg)
{
    (void)conf, (void)msg;
    *out = (struct geo_reports *)f;
    return MER_OK;
}
void geo_reports_destroy(struct geo_reports *r)
{
    (void)r;
}
struct geo_report geo_reports_of(const struct geo_reports *r, uint32_t region)
{
    (void)r;
    return f->report[region];
}
enum mer_err geo_control_create(struct geo_control **out, struct geo_agent *a, struct mer_msg *msg)
{
    (void)a, (void)msg;
    *out = NULL;
    return MER_OK;
}
void geo_control_destroy(struct geo_control *c)
{
    (void)c;
}

static void make_footprint(struct geo_footprint *p)
{
    static const char *const names[REGIONS] = {"us-east", "eu"};
    *p = (struct geo_footprint){.name = strdup("play"), .zone = strdup("play.example"), .count = REGIONS};
    for (int i = 0; i < REGIONS; i++) {
        struct geo_region *r = &p->region[i];
        *r = (struct geo_region){.name = strdup(names[i]), .capacity_players = 1000, .buddy = (uint32_t)!i, .address_count = ADDRESSES};
        for (int k = 0; k < ADDRESSES; k++) {
            char address[32];
            snprintf(address, sizeof address, "192.0.2.%d", i * ADDRESSES + k);
            r->address[k] = strdup(address);
        }
    }
}

static int set_up(void **state)
{
    char set[8][96];
    char *item[8];
    struct mer_strs sets = {item, 0};
    struct geo_config conf;
    struct geo_footprint footprint;
    struct mer_buf errors;
    struct mer_msg msg;
    f = calloc(1, sizeof *f);
    *state = f;
    snprintf(f->dir, sizeof f->dir, "/tmp/agent.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->state_file, sizeof f->state_file, "%s/admin_state", f->dir);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->dir);
    const char *const pairs[][2] = {{"footprint", "none"},         {"id", "geo-1"},         {"admin_listen", "127.0.0.1:0"},
                                    {"state_file", f->state_file}, {"journal", f->journal}, {"log_level", "error"}};
    for (; sets.count < MER_COUNT(pairs); sets.count++) {
        snprintf(set[sets.count], sizeof set[0], "%s=%s", pairs[sets.count][0], pairs[sets.count][1]);
        item[sets.count] = set[sets.count];
    }
    mer_buf_init(&errors, 0);
    assert_int_equal(mer_conf_load(geo_config_items, geo_config_item_count, &conf, NULL, &sets, &errors), MER_OK);
    mer_buf_deinit(&errors);
    make_footprint(&footprint);
    assert_int_equal(geo_agent_create(&f->agent, &conf, &footprint, &msg), MER_OK);
    return 0;
}
static int tear_down(void **state)
{
    geo_agent_destroy(f->agent);
    (void)unlink(f->state_file);
    assert_int_equal(unlink(f->journal), 0);
    assert_int_equal(rmdir(f->dir), 0);
    free(*state);
    return 0;
}

static void seconds(unsigned n)
{
    for (; n > 0; n--) {
        f->agent->loop.now_ms += TICK_MS;
        f->agent->tick.cb(&f->agent->tick);
    }
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void a_region_is_as_good_as_its_probes_and_its_routers_say(void **state)
{
    static const struct {
        enum geo_verdict probe[ADDRESSES];
        struct geo_report report;
        enum geo_verdict verdict;
        const char *why;
    } rows[] = {
        {{GEO_GOOD, GEO_GOOD}, {.known = false}, GEO_GOOD, "well"}, /* routers that say nothing are no sign */
        {{GEO_GOOD, GEO_GOOD}, {.known = true, .ready = true}, GEO_GOOD, "well"},
        {{GEO_GOOD, GEO_GOOD}, {.known = true}, GEO_BAD, "no edge takes new players"},
        {{GEO_GOOD, GEO_GOOD}, {.leaderless = true}, GEO_BAD, "no router can lead"},
        {{GEO_GOOD, GEO_UNKNOWN}, {.leaderless = true}, GEO_BAD, "no router can lead"},
        {{GEO_UNKNOWN, GEO_UNKNOWN}, {.leaderless = true}, GEO_UNKNOWN, "well"},
        {{GEO_UNKNOWN, GEO_BAD}, {.known = false}, GEO_UNKNOWN, "probe of 192.0.2.3:443: silent"},
        {{GEO_BAD, GEO_BAD}, {.known = true, .ready = true}, GEO_BAD, "probe of 192.0.2.3:443: silent"},
        {{GEO_BAD, GEO_BAD}, {.leaderless = true}, GEO_BAD, "probe of 192.0.2.3:443: silent"},
        {{GEO_BAD, GEO_GOOD}, {.known = true, .ready = true}, GEO_GOOD, "probe of 192.0.2.2:443: silent"},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        char why[300];
        for (int k = 0; k < ADDRESSES; k++)
            f->agent->probe[EU][k].verdict = rows[i].probe[k];
        f->report[EU] = rows[i].report;
        seconds(1);
        geo__agent_reason(f->agent, EU, why, sizeof why);
        if (f->agent->reading[EU].verdict != rows[i].verdict || strcmp(why, rows[i].why) != 0)
            fail_msg("row %zu: verdict %d, \"%s\"", i, (int)f->agent->reading[EU].verdict, why);
        assert_int_equal(f->agent->reading[EAST].verdict, GEO_GOOD);
    }
}

static void a_region_without_a_leader_leaves_dns_and_comes_back(void **state)
{
    const struct geo_region_state *eu = &f->agent->policy.region[EU];
    (void)state;
    f->report[EU].leaderless = true;
    seconds(1 + GEO_BAD_MS / TICK_MS);
    assert_true(eu->out);
    assert_false(f->agent->policy.region[EAST].out);
    f->report[EU] = (struct geo_report){.known = true, .ready = true};
    seconds(1 + GEO_GOOD_MS / TICK_MS);
    assert_false(eu->out);
}

static void load_is_of_the_smaller_of_what_is_said_and_what_is_planned(void **state)
{
    static const struct {
        struct geo_report report;
        int32_t load_permille;
    } rows[] = {
        {{.players = 500, .capacity = 1000}, -1}, /* nobody said it lately */
        {{.known = true, .ready = true, .players = 500, .capacity = 2000}, 500},
        {{.known = true, .ready = true, .players = 500, .capacity = 800}, 625},
        {{.known = true, .ready = true, .players = 5, .capacity = 0}, -1},
        {{.known = true, .ready = true, .players = UINT64_MAX, .capacity = UINT64_MAX}, 2000},
    };
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        f->report[EU] = rows[i].report;
        seconds(1);
        assert_int_equal(f->agent->reading[EU].load_permille, rows[i].load_permille);
    }
}

static uint64_t state_age_s(void)
{
    f->agent->set.refresh(&f->agent->set);
    return f->agent->values[A_STATE_AGE];
}

/* Its alarm wakes somebody at 10 s. */
static void a_state_file_that_cannot_be_written_grows_old(void **state)
{
    char aside[96];
    (void)state;
    seconds(2);
    assert_true(f->agent->values[A_WRITTEN] == 1 && state_age_s() <= 1);
    seconds(60); /* nothing to say */
    assert_true(state_age_s() <= 1);
    int log = f->agent->log.fd;
    f->agent->log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* it complains, and should */
    snprintf(aside, sizeof aside, "%s.new", f->state_file);
    assert_int_equal(mkdir(aside, 0700), 0); /* where the file is written first */
    f->report[EU].leaderless = true;
    seconds(1 + GEO_BAD_MS / TICK_MS);
    assert_true(f->agent->policy.region[EU].out);
    for (uint64_t n = 0; n < 30; n++) {
        assert_in_range(state_age_s(), n, n + 1);
        seconds(1);
    }
    assert_true(f->agent->values[A_WRITE_FAILED] >= 10);
    assert_int_equal(rmdir(aside), 0);
    seconds(2);
    assert_true(f->agent->values[A_WRITTEN] == 2 && state_age_s() <= 1);
    close(f->agent->log.fd);
    f->agent->log.fd = log;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_region_is_as_good_as_its_probes_and_its_routers_say),
        TEST(a_region_without_a_leader_leaves_dns_and_comes_back),
        TEST(load_is_of_the_smaller_of_what_is_said_and_what_is_planned),
        TEST(a_state_file_that_cannot_be_written_grows_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
