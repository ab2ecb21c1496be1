/* SPDX-License-Identifier: Apache-2.0
 * sim_faults.h - what goes wrong, when and for how long, drawn from the seed. A Redis fault comes only when all replicas are in sync again:
 * two at a time are outside the promise. Everything heals. */
#pragma once

#include "tests/sim/sim.h"

/* The first of `count` faults comes in a few seconds. */
void sim_faults_start(unsigned count);
/* All of them came and went. */
bool sim_faults_over(void);
/* ... so long ago; 0: not yet. */
uint64_t sim_faults_calm_ms(void);
unsigned sim_faults_count(void);
