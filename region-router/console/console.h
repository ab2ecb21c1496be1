/* SPDX-License-Identifier: Apache-2.0
 * console.h - the wall: a page on the admin port, /wall/, with a map of all regions, kept up to date by /wall/events (wall.proto as JSON, a
 * state a second). Read-only, and only for browsers on this host; while nobody looks, nothing is put together. */
#pragma once

#include <meridian/wheel.h>

#include "region-router/console/wall.h"

struct router_app;

struct router_console {
    struct router_app *app;
    struct router_wall_place place[ROUTER_REGIONS_MAX];
    size_t place_count;
    struct mer_timer timer; /* from init to deinit, every ROUTER_PACE_STEP_MS: the pace of games, which the news tell, too */
};

/* After the admin port and everything that is told. */
void router_console_init(struct router_console *c, struct router_app *app);
/* The admin port is closed before. One that was never initialised is left alone. */
void router_console_deinit(struct router_console *c);
