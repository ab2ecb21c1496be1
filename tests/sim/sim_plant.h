/* SPDX-License-Identifier: Apache-2.0
 * sim_plant.h - bugs put in on purpose, to see that the simulator finds them: none of it is in the product. Two are a setting (an
 * acknowledgement before WAIT, WAIT 1 of 2), two a changed line of the function library, three stand around a product function. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* "" is none. false: there is no such bug. Before the first fork. */
bool sim_plant_prepare(const char *name);
void sim_plant_list(FILE *out);
