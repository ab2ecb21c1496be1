/* SPDX-License-Identifier: Apache-2.0
 * control_ask.h - what came over a control link, decoded and looked at before anything is done (pure). */
#pragma once

#include <meridian/base.h>

#include "meridian/control/v1/control.pb-c.h"

enum { ROUTER_ASK_BY_MAX = 64, ROUTER_ASK_REASON_MAX = 255 /* bytes; as in control.proto */, ROUTER_ASK_TARGET_MAX = 96 };

/* NULL: not a message that operators send; the link is to be closed. Else the caller's (control_message__free_unpacked). */
Meridian__Control__V1__ControlMessage *router_ask_read(const void *payload, size_t len);
/* Orders: what goes into the journal. */
bool router_ask_changes(const Meridian__Control__V1__Ask *ask);
/* What an order is about; NULL: it is none. */
const char *router_ask_target(const Meridian__Control__V1__Ask *ask);
/* "drain edge" and so on. */
const char *router_ask_what(const Meridian__Control__V1__Ask *ask);
/* NULL, or what is wrong with the question. Kinds that this version does not know have nothing wrong. */
const char *router_ask_objection(const Meridian__Control__V1__Ask *ask);
