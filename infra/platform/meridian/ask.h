/* SPDX-License-Identifier: Apache-2.0
 * ask.h - what an operator's tool sent over a control link, as routers and geo agents read it (pure). */
#pragma once

#include <meridian/base.h>

#include "meridian/control/v1/control.pb-c.h"

enum { MER_ASK_BY_MAX = 64, MER_ASK_REASON_MAX = 255 }; /* bytes; as in control.proto */

/* NULL: not a message that operators send; the link is to be closed. Else the caller's (control_message__free_unpacked). */
Meridian__Control__V1__ControlMessage *mer_ask_read(const void *payload, size_t len);

/* NULL, or what is wrong with who asks and why. `changes`: it is an order, which needs a reason. */
const char *mer_ask_objection(const Meridian__Control__V1__Ask *ask, bool changes);
