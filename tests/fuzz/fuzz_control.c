/* SPDX-License-Identifier: Apache-2.0
 * fuzz_control.c - what operators' links may say, to a router and to a geo agent: the input is one payload. Whatever it is, it is refused,
 * objected to, or planned in words that fit; and what would be stored of it is read back as it was. */
#include <stdio.h>
#include <string.h>

#include <meridian/ask.h>

#include "geo/override.h"
#include "region-router/control_ask.h"
#include "region-router/control_plan.h"
#include "region-router/journal.h"
#include "region-router/region_drain.h"

#include "fuzz.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x
#define MODE(x) MERIDIAN__CONTROL__V1__REGION_MODE__REGION_MODE_##x

static void plan(const CV1(Ask) * ask)
{
    static struct router_edge edge[2];
    struct mer_list edges;
    struct router_region_view regions[] = {{.name = "us", .mode = MODE(ACTIVE)}, {.name = "eu", .mode = MODE(ACTIVE), .linked = true}};
    struct router_plan_world w = {&edges, regions, MER_COUNT(regions), 1000};
    struct router_plan p;
    mer_list_init(&edges);
    for (size_t i = 0; i < MER_COUNT(edge); i++) {
        snprintf(edge[i].id, sizeof edge[i].id, "us-%zu", i);
        edge[i].reported = true;
        edge[i].draining = i == 1;
        mer_list_push_back(&edges, &edge[i].node);
    }
    router_plan(&p, &w, ask, false);
    MER_ASSERT(p.code != CODE(INVALID) && memchr(p.why, '\0', sizeof p.why) != NULL && (!p.nothing || p.code == CODE(OK)));
}

/* As control_order.c would. */
static void journal(const CV1(Ask) * ask)
{
    Meridian__State__V1__JournalEntry e = MERIDIAN__STATE__V1__JOURNAL_ENTRY__INIT;
    uint8_t packed[ROUTER_JOURNAL_ENTRY_MAX];
    struct router_journal_page page = {{0}};
    e.number = 1;
    e.what = (char *)router_ask_what(ask);
    e.target = (char *)router_ask_target(ask);
    e.by = ask->by;
    e.reason = ask->reason;
    e.who = e.router = e.result = (char *)"";
    size_t len = router_journal_write(&e, packed);
    MER_ASSERT(len > 0);
    router_journal_take(&page, packed, len);
    MER_ASSERT(page.count == 1 && strcmp(page.entry[0]->target, e.target) == 0);
    router_journal_page_free(&page);
}

static void drain(const CV1(Ask) * ask)
{
    struct router_region_drain d = {.on = true, .over_ms = ask->drain_region->over_ms}, read = {0};
    uint8_t packed[ROUTER_DRAIN_PACKED_MAX];
    MER_ASSERT(strlen(ask->by) < sizeof d.by && strlen(ask->reason) < sizeof d.reason);
    strcpy(d.by, ask->by);
    strcpy(d.reason, ask->reason);
    MER_ASSERT(router_region_drain_read(&read, packed, router_region_drain_write(&d, packed)) == MER_OK);
    MER_ASSERT(memcmp(&read, &d, sizeof d) == 0);
}

static void to_router(const uint8_t *data, size_t size)
{
    CV1(ControlMessage) *m = mer_ask_read(data, size);
    if (m == NULL)
        return;
    if (router_ask_objection(m->ask) == NULL && router_ask_changes(m->ask)) {
        plan(m->ask);
        journal(m->ask);
        if (m->ask->body_case == ASK(DRAIN_REGION))
            drain(m->ask);
    }
    meridian__control__v1__control_message__free_unpacked(m, NULL);
}

static void to_agent(const uint8_t *data, size_t size)
{
    static char names[][8] = {"us", "eu"};
    static struct geo_footprint f;
    struct geo_policy p;
    struct geo_wish wishes[GEO_REGIONS_MAX] = {{0}};
    struct geo_wished w;
    struct mer_msg msg = {{0}};
    uint32_t region;
    CV1(ControlMessage) *m = mer_ask_read(data, size);
    f.count = MER_COUNT(names);
    for (uint32_t i = 0; i < f.count; i++) {
        f.region[i].name = names[i];
        f.region[i].capacity_players = 100;
    }
    geo_policy_init(&p, &f, 1000);
    if (m != NULL && mer_ask_objection(m->ask, m->ask->body_case == ASK(GEO_OVERRIDE)) == NULL && m->ask->body_case == ASK(GEO_OVERRIDE) &&
        geo_override_read(m->ask, &f, &region, &w, &msg) == MER_OK) {
        MER_ASSERT(region < f.count && w.share < 100 && (w.kind == GEO_WISH_SHARE) == (w.share > 0) && w.reason[0] != '\0');
        bool done = geo_override_check(&p, wishes, region, &w, false, &msg) == MER_OK;
        MER_ASSERT(msg.text[0] != '\0' && (done || w.kind == GEO_WISH_DRAIN));
    }
    if (m != NULL)
        meridian__control__v1__control_message__free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    to_router(data, size);
    to_agent(data, size);
    return 0;
}
