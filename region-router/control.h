/* SPDX-License-Identifier: Apache-2.0
 * control.h - what operators ask of this router (meridianctl): a listener of its own, because who may change something is somebody else
 * than who plays. Over a unix socket the file's rights decide who may, over TCP a certificate with the role "ctl".
 * Geo agents of other networks come here, too, with one of the role "geo".
 *
 * Every ask gets exactly one answer while its link is up. What changes something needs a reason, and is in the journal (journal.h) and the
 * log with it, who asked, and what came of it.
 */
#pragma once

#include <meridian/link.h>

#include "meridian/control/v1/control.pb-c.h"
#include "meridian/internal/v1/internal.pb-c.h"

struct router_app;
struct router_control;
struct router_edge;

/* Without control_listen in the configuration: *out is NULL. */
MER_MUST_CHECK enum mer_err router_control_create(struct router_control **out, struct router_app *app, struct mer_msg *msg);
/* The certificate was read again: new links show it. NULL is allowed. */
void router_control_reload(struct router_control *c);
/* What an edge of ours answered to an order. c may be NULL. */
void router_control_undrained(struct router_control *c, const struct router_edge *e, const Meridian__Internal__V1__EdgeUndrained *u);
/* After Redis is gone, which gave every outstanding call its end. NULL is allowed. */
void router_control_destroy(struct router_control *c);
