/* SPDX-License-Identifier: Apache-2.0
 * report_private.h - what report.c (people) and report_json.c (scripts) share. */
#pragma once

#include "tests/load/run.h"

const char *load__report_error_name(unsigned code); /* "TRY_AGAIN" */
uint64_t load__report_errors(const struct load_count *c);
/* Length of the measured phase. */
double load__report_seconds(const struct load_run *r);
