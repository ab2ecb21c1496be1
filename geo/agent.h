/* SPDX-License-Identifier: Apache-2.0
 * agent.h - meridian-geo: looks at every region once a second, lets the policy decide, and writes gdnsd's state file when the answer
 * changes (R32). Admin port: GET /status; POST /wish?region=eu&wish=drain|force_in|nothing[&over_ms=900000]&reason=TEXT&by=NAME. */
#pragma once

#include <meridian/admin.h>
#include <meridian/process.h>

#include "geo/config.h"

struct geo_agent;
/* conf and footprint are taken, also on failure. */
MER_MUST_CHECK enum mer_err geo_agent_create(struct geo_agent **out, struct geo_config *conf, struct geo_footprint *footprint,
                                             struct mer_msg *msg);
/* Runs until the process is stopped; returns the exit code. The state file stays: what holds, holds on. */
int geo_agent_run(struct geo_agent *a);
void geo_agent_destroy(struct geo_agent *a);
