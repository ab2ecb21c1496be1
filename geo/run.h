/* SPDX-License-Identifier: Apache-2.0
 * run.h - another program, run to its end. For command lines only: it blocks. */
#pragma once

#include <meridian/buf.h>

/* argv[0] is searched in PATH and /usr/sbin. Standard output and error are appended to `out`. *code: its exit code, 128 + signal, 127: not
 * found. */
MER_MUST_CHECK enum mer_err geo_run(const char *const *argv, struct mer_buf *out, int *code);
