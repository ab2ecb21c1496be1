/* SPDX-License-Identifier: Apache-2.0
 * control.h - what operators ask of this agent (meridianctl geo): a listener of its own, over a unix socket, whose file's rights decide who
 * may, or TCP by mutual TLS with a certificate of the role "ctl". Overrides are journalled before they hold, as wishes on the admin port.
 */
#pragma once

#include <meridian/err.h>

struct geo_agent;
struct geo_control;

/* Without control_listen in the configuration: *out is NULL. */
MER_MUST_CHECK enum mer_err geo_control_create(struct geo_control **out, struct geo_agent *a, struct mer_msg *msg);
/* NULL is allowed. */
void geo_control_destroy(struct geo_control *c);
