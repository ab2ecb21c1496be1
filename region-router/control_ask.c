/* SPDX-License-Identifier: Apache-2.0
 * control_ask.c - see control_ask.h. Operators are known, what they paste is not: every text is bounded here, once. */
#include "region-router/control_ask.h"

#include <string.h>

#include <meridian/id.h>

#include "region-router/region_drain.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

CV1(ControlMessage) * router_ask_read(const void *payload, size_t len)
{
    CV1(ControlMessage) *m = meridian__control__v1__control_message__unpack(NULL, len, payload);
    if (m == NULL || m->body_case == MERIDIAN__CONTROL__V1__CONTROL_MESSAGE__BODY_ASK)
        return m;
    meridian__control__v1__control_message__free_unpacked(m, NULL);
    return NULL;
}

static bool is_text(const char *text, size_t max)
{
    return mer_id_is_text(text, strlen(text), max);
}

bool router_ask_changes(const CV1(Ask) * ask)
{
    return ask->body_case == ASK(DRAIN_EDGE) || ask->body_case == ASK(UNDRAIN_EDGE) || ask->body_case == ASK(DRAIN_REGION) ||
           ask->body_case == ASK(UNDRAIN_REGION);
}

const char *router_ask_target(const CV1(Ask) * ask)
{
    switch (ask->body_case) {
    case ASK(DRAIN_EDGE):
        return ask->drain_edge->edge;
    case ASK(UNDRAIN_EDGE):
        return ask->undrain_edge->edge;
    case ASK(DRAIN_REGION):
        return ask->drain_region->region;
    case ASK(UNDRAIN_REGION):
        return ask->undrain_region->region;
    default:
        return NULL;
    }
}

const char *router_ask_what(const CV1(Ask) * ask)
{
    switch (ask->body_case) {
    case ASK(DRAIN_EDGE):
        return "drain edge";
    case ASK(UNDRAIN_EDGE):
        return "undrain edge";
    case ASK(DRAIN_REGION):
        return "drain region";
    case ASK(UNDRAIN_REGION):
        return "undrain region";
    default:
        return "ask";
    }
}

const char *router_ask_objection(const CV1(Ask) * ask)
{
    const char *target = router_ask_target(ask);
    if (!is_text(ask->by, ROUTER_ASK_BY_MAX))
        return "say who asks: 1 to 64 bytes of UTF-8 without control characters";
    if (ask->reason != NULL && ask->reason[0] != 0 && !is_text(ask->reason, ROUTER_ASK_REASON_MAX))
        return "a reason has at most 255 bytes of UTF-8 without control characters";
    if (router_ask_changes(ask) && (ask->reason == NULL || ask->reason[0] == 0))
        return "what changes something needs a reason";
    if (target != NULL && !is_text(target, ROUTER_ASK_TARGET_MAX))
        return "a name has 1 to 96 bytes of UTF-8 without control characters";
    if (ask->body_case == ASK(DRAIN_REGION) && ask->drain_region->over_ms > ROUTER_DRAIN_OVER_MAX_MS)
        return "a drain takes at most a day";
    return NULL;
}
