/* SPDX-License-Identifier: Apache-2.0
 * invite.h - codes by which friends find each other (pure; decision 22): "eu-7KQM3-XPVTB".
 *
 *   region   where it was made, so that people see where they will play and whoever reads it knows whether that region can be reached
 *   9        random symbols of 5 bits: 45 bits
 *   1        check symbol over the region and these: any one wrong or two swapped neighbours are found before anybody is asked
 *
 * Symbols are Crockford's: digits and capitals without I, L, O and U. Read as people write: any case, with spaces or hyphens anywhere or
 * nowhere, O for 0, I and L for 1, "US East" for us-east. Two texts of one code give the same `text` and `key`. */
#pragma once

#include <meridian/err.h>
#include <meridian/rng.h>

enum { MER_INVITE_REGION_BYTES = 32, MER_INVITE_BYTES = MER_INVITE_REGION_BYTES + 12 /* -XXXXX-XXXXX */ };

struct mer_invite {
    char region[MER_INVITE_REGION_BYTES]; /* in lower case */
    uint64_t key;                         /* what routers tell groups apart by; never 0 */
    char text[MER_INVITE_BYTES];
};

/* A new code of this region, whose name must be 1-31 of A-Z a-z 0-9 _ . - and neither begin nor end with a hyphen: else MER_EINVALID. */
MER_MUST_CHECK enum mer_err mer_invite_make(struct mer_invite *out, const char *region, const struct mer_rng *rng);
/* Not a random one, but that of a secret that several know: the same for all of them. */
MER_MUST_CHECK enum mer_err mer_invite_derive(struct mer_invite *out, const char *region, const char *secret);
/* MER_EINVALID: not a code, or one with a mistake in it. */
MER_MUST_CHECK enum mer_err mer_invite_read(struct mer_invite *out, const char *text);
