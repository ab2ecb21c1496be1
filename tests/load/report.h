/* SPDX-License-Identifier: Apache-2.0
 * report.h - what people and scripts get to see of a run. */
#pragma once

#include "tests/load/run.h"

/* A line a second on stderr, unless quiet. */
void load_report_progress(struct load_run *r);
/* Mode idle: memory of the edges now, a line on stdout. */
void load_report_memory(struct load_run *r, const char *when);
/* All players are online: how fast they came. */
void load_report_arrived(struct load_run *r);
/* The tables on stdout. */
void load_report_print(struct load_run *r);
/* The result as JSON; false (told) when the file cannot be written. */
bool load_report_write(struct load_run *r, const char *file);
/* No invariant broken and something played; under --strict also no error, lost connection, unanswered move or stuck player, and the rate
 * kept. */
bool load_report_fine(const struct load_run *r);
