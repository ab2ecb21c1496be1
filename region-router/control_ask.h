/* SPDX-License-Identifier: Apache-2.0
 * control_ask.h - what came over a control link, decoded and looked at before anything is done (pure). */
#pragma once

#include <meridian/base.h>

#include "meridian/control/v1/control.pb-c.h"

enum { ROUTER_ASK_TARGET_MAX = 96 }; /* bytes */

/* Orders: what goes into the journal. */
bool router_ask_changes(const Meridian__Control__V1__Ask *ask);
/* What an order is about; NULL: it is none. */
const char *router_ask_target(const Meridian__Control__V1__Ask *ask);
/* "drain edge" and so on. */
const char *router_ask_what(const Meridian__Control__V1__Ask *ask);
/* NULL, or what is wrong with the question. Kinds that this version does not know have nothing wrong. */
const char *router_ask_objection(const Meridian__Control__V1__Ask *ask);
