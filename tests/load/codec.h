/* SPDX-License-Identifier: Apache-2.0
 * codec.h - the two encodings of the player's protocol. */
#pragma once

#include <meridian/buf.h>

#include "meridian/client/v1/client.pb-c.h"

/* Appends the message to out. */
MER_MUST_CHECK enum mer_err load_encode(bool proto, const Meridian__Client__V1__ClientMessage *m, struct mer_buf *out);
/* NULL: not a message a server may send. Free with meridian__client__v1__server_message__free_unpacked(m, NULL). */
MER_MUST_CHECK Meridian__Client__V1__ServerMessage *load_decode(bool proto, const uint8_t *data, size_t len);
