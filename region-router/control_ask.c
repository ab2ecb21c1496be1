/* SPDX-License-Identifier: Apache-2.0
 * control_ask.c - see control_ask.h. Operators are known, what they paste is not: every text is bounded here, once. */
#include "region-router/control_ask.h"

#include <string.h>

#include <meridian/ask.h>
#include <meridian/id.h>

#include "region-router/region_drain.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

bool router_ask_changes(const CV1(Ask) * ask)
{
    return router_ask_target(ask) != NULL;
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
    const char *wrong = mer_ask_objection(ask, router_ask_changes(ask));
    if (wrong != NULL)
        return wrong;
    if (target != NULL && !mer_id_is_text(target, strlen(target), ROUTER_ASK_TARGET_MAX))
        return "a name has 1 to 96 bytes of UTF-8 without control characters";
    if (ask->body_case == ASK(DRAIN_REGION) && ask->drain_region->over_ms > ROUTER_DRAIN_OVER_MAX_MS)
        return "a drain takes at most a day";
    return NULL;
}
