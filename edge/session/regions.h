/* SPDX-License-Identifier: Apache-2.0
 * regions.h - the list a player falls back on: every region of the footprint and how it is reached (protocol: GET /v1/regions; R32). Pure.
 *
 * Two sources. The configuration says which regions there are, nearest to this one first, and the address that each always has. The leader
 * of our routers says which edges live now, here and, as far as the other leaders told it, elsewhere; and which region takes nobody. A
 * region nothing is known of is listed with its address: whoever asks it will see. */
#pragma once

#include <meridian/buf.h>
#include <meridian/conf.h>

#include "meridian/internal/v1/internal.pb-c.h"

enum { EDGE_REGIONS_MAX = 16, EDGE_REGION_URL_MAX = 255 };

struct edge_regions {
    const char *own;                         /* kept */
    const struct mer_strs *rows;             /* "NAME URL", kept; may be none */
    Meridian__Internal__V1__EdgeList *edges; /* the last list told; NULL: none yet */
};

/* One row of the configuration: "NAME http[s]://HOST[:PORT]". False when it is not one. *url points into the row. */
MER_MUST_CHECK bool edge_regions_row(const char *row, char name[32], const char **url);

void edge_regions_init(struct edge_regions *r, const char *own, const struct mer_strs *rows);
void edge_regions_deinit(struct edge_regions *r);
/* The leader's list is copied. MER_ENOMEM: the old one still holds. */
MER_MUST_CHECK enum mer_err edge_regions_tell(struct edge_regions *r, const Meridian__Internal__V1__EdgeList *list);
/* Appends {"regions": [...], "expiresAtMs"}: ours first, then as the configuration says, then those only the leader knows; whoever takes no
 * new players is last, and without edges. An edge that is a region's own name is the address its edges share. */
MER_MUST_CHECK enum mer_err edge_regions_write(const struct edge_regions *r, uint64_t expires_ms, struct mer_buf *out);
