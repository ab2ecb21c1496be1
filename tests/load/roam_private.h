/* SPDX-License-Identifier: Apache-2.0
 * roam_private.h - what roam.c (where a player is) and survey.c (whether regions are there) share. */
#pragma once

#include "tests/load/roam.h"

static inline uint64_t load__max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static inline uint64_t load__min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The at-th address of the ring of a region, which ends with the one its edges share. */
const struct load_url *load__roam_url(const struct load_player *p, uint32_t region, uint32_t at);

/* Looks whether the player's region is there, and who else is; one at a time. leave: his own is not asked. */
void load__survey_begin(struct load_player *p, bool leave);
void load__survey_step(struct load_player *p);
/* Forgets it; nothing is decided. */
void load__survey_end(struct load_player *p);

/* Its decisions. heard: his region is there; else nobody is. */
void load__roam_stay(struct load_player *p, bool heard);
void load__roam_leave_for(struct load_player *p, uint8_t region);

/* Asks the player's home; load__roam_home_heard tells. */
void load__ping_home(struct load_player *p);
void load__roam_home_heard(struct load_player *p, bool there);
/* His pings are given up: those of a survey, and with `all` also the one to home. */
void load__pings_close(struct load_player *p, bool all);
