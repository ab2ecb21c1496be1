/* SPDX-License-Identifier: Apache-2.0
 * ask.c - see ask.h. Operators are known, what they paste is not. */
#include <meridian/ask.h>

#include <string.h>

#include <meridian/id.h>

Meridian__Control__V1__ControlMessage *mer_ask_read(const void *payload, size_t len)
{
    Meridian__Control__V1__ControlMessage *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    if (m == NULL || m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK)
        return m;
    meridian__control__v1__control_message__free_unpacked(m, NULL);
    return NULL;
}

const char *mer_ask_objection(const Meridian__Control__V1__Ask *ask, bool changes)
{
    bool reason = ask->reason != NULL && ask->reason[0] != '\0';
    if (!mer_id_is_text(ask->by, strlen(ask->by), MER_ASK_BY_MAX))
        return "say who asks: 1 to 64 bytes of UTF-8 without control characters";
    if (reason && !mer_id_is_text(ask->reason, strlen(ask->reason), MER_ASK_REASON_MAX))
        return "a reason has at most 255 bytes of UTF-8 without control characters";
    if (changes && !reason)
        return "what changes something needs a reason";
    return NULL;
}
