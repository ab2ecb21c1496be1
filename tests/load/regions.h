/* SPDX-License-Identifier: Apache-2.0
 * regions.h - mode failover: the signed list of regions, asked and checked once for all players, and how far each region is. */
#pragma once

#include "tests/load/options.h"

/* Asks the first edge of *e for /v1/regions, checks the signature against the public keys in the file `jwks` and puts all regions' edges
 * into *e; home is region 0. Then measures the way to each. */
MER_MUST_CHECK enum mer_err load_regions_learn(struct load_endpoints *e, const char *jwks, struct mer_msg *msg);

/* The list's text into *e; false when it is none. */
MER_MUST_CHECK bool load_regions_parse(struct load_endpoints *e, const char *text, size_t len);
