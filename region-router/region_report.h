/* SPDX-License-Identifier: Apache-2.0
 * region_report.h - what geo-DNS is told of this region (R32): every second, to every geo agent that is connected, by leader and standby
 * alike; who leads says so in it. */
#pragma once

#include <meridian/wheel.h>

struct router_app;

struct router_region_report {
    struct router_app *app;
    struct mer_timer timer; /* while an agent is connected */
};

void router_region_report_init(struct router_region_report *r, struct router_app *app);
/* An agent is there; idempotent. */
void router_region_report_start(struct router_region_report *r);
void router_region_report_deinit(struct router_region_report *r);
