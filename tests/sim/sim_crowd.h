/* SPDX-License-Identifier: Apache-2.0
 * sim_crowd.h - a crowd: hundreds of thousands of players on many edges, most of whom sit there while some find matches and play. */
#pragma once

#include "tests/sim/sim.h"

/* Prints what it saw; 0 when no invariant was broken. */
int sim_crowd(uint64_t seed, unsigned players);
