/* SPDX-License-Identifier: Apache-2.0
 * override.c - see override.h. Less than half of the world needs --force, as the guard would keep it from the probes; nobody at all is
 * refused always, because by the policy's last rule DNS would name everybody then, the contrary of what was asked. */
#include "geo/override.h"

#include <stdio.h>
#include <string.h>

#include <meridian/id.h>

#include "geo/plan.h"
#include "geo/wish.h"

#define CV1(x) Meridian__Control__V1__##x
#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define OVERRIDE(x) MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_##x

static enum mer_err wrong(struct mer_msg *msg, enum mer_err err, const char *text)
{
    mer_msgf(msg, "%s", text);
    return err;
}

enum mer_err geo_override_read(const CV1(Ask) * ask, const struct geo_footprint *f, uint32_t *region, struct geo_wished *w,
                               struct mer_msg *msg)
{
    static const enum geo_wish_kind kinds[] = {
        [OVERRIDE(NONE)] = GEO_WISH_NOTHING,
        [OVERRIDE(UP)] = GEO_WISH_FORCE_IN,
        [OVERRIDE(DOWN)] = GEO_WISH_DRAIN,
        [OVERRIDE(SHARE)] = GEO_WISH_SHARE,
    };
    const CV1(GeoOverride) *o = ask->geo_override;
    int found = geo_footprint_find(f, o->region);
    uint32_t share = o->has_share_percent ? o->share_percent : 0;
    if (found < 0)
        return wrong(msg, MER_ENOTFOUND, "no such region in the footprint");
    if (o->override <= OVERRIDE(UNSPECIFIED) || (size_t)o->override >= MER_COUNT(kinds))
        return wrong(msg, MER_EINVALID, "this agent does not know such an override: it is older than the one who asks");
    if ((o->override == OVERRIDE(SHARE)) != (share != 0) || share >= 100 || share % GEO_SPILL_STEP_PERCENT != 0)
        return wrong(msg, MER_EINVALID, "a share is 10, 20 ... 90 percent, and nothing else has one");
    if (o->override == OVERRIDE(NONE) ? o->has_for_ms
                                      : !o->has_for_ms || o->for_ms < GEO_OVERRIDE_FOR_MIN_MS || o->for_ms > GEO_OVERRIDE_FOR_MAX_MS)
        return wrong(msg, MER_EINVALID, "an override holds for 1 s to a week");
    *w = (struct geo_wished){.kind = kinds[o->override], .share = share, .until_ms = o->has_for_ms ? o->for_ms : 0};
    snprintf(w->by, sizeof w->by, "%s", ask->by);
    snprintf(w->reason, sizeof w->reason, "%s", ask->reason);
    *region = (uint32_t)found;
    return MER_OK;
}

enum mer_err geo_override_check(const struct geo_policy *p, const struct geo_wish *wishes, uint32_t region, const struct geo_wished *w,
                                bool force, struct mer_msg *msg)
{
    struct geo_wish with[GEO_REGIONS_MAX];
    const char *name = p->footprint->region[region].name;
    memcpy(with, wishes, p->footprint->count * sizeof *with);
    with[region] = (struct geo_wish){.drain = w->kind == GEO_WISH_DRAIN, .force_in = w->kind == GEO_WISH_FORCE_IN, .share = w->share};
    uint32_t left = geo_policy_left(p, w->kind == GEO_WISH_NOTHING ? wishes : with);
    if (w->kind == GEO_WISH_DRAIN && left == 0) {
        mer_msgf(msg, "nobody would be left, so DNS would name everybody: take another region's override or drain back first");
        return MER_EBUSY;
    }
    if (w->kind == GEO_WISH_DRAIN && left < GEO_GUARD_PERMILLE && !force) {
        mer_msgf(msg, "only %u %% of the world's room would be left in DNS: --force does it all the same", left / 10);
        return MER_EBUSY;
    }
    switch (w->kind) {
    case GEO_WISH_DRAIN:
        mer_msgf(msg, "no new players for %s; %u %% of the world's room stay in DNS", name, left / 10);
        break;
    case GEO_WISH_FORCE_IN:
        mer_msgf(msg, "DNS names %s whatever the probes and its routers say", name);
        break;
    case GEO_WISH_SHARE:
        mer_msgf(msg, "%u %% of new players for %s go to the nearest region that has room", w->share, name);
        break;
    default:
        mer_msgf(msg, "%s is answered by the rules", name);
    }
    return MER_OK;
}
