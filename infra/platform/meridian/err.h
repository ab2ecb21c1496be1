/* SPDX-License-Identifier: Apache-2.0
 * err.h - the one error type. 0 is success, negatives are errors; names and texts come from one map. */
#pragma once

#include <meridian/base.h>

#define MER_ERR_MAP(X) \
    X(NOMEM, -1, "out of memory") \
    X(INVALID, -2, "not a valid message or value") \
    X(CLOSED, -3, "already closed") \
    X(BUSY, -4, "refused: over a limit") \
    X(NOTFOUND, -5, "not found") \
    X(EXISTS, -6, "exists already") \
    X(TIMEOUT, -7, "no answer in time: the outcome is unknown") \
    X(IO, -8, "input or output failed") \
    X(TLS, -9, "TLS failed") \
    X(AUTH, -10, "not authenticated") \
    X(EXPIRED, -11, "expired") \
    X(RANGE, -12, "out of range") \
    X(AGAIN, -13, "not now: try again") \
    X(FENCED, -14, "another owner has it") \
    X(UNKNOWN, -15, "the outcome is unknown") \
    X(REFUSED, -16, "the peer answered with an error")

#define X(name, num, text) MER_E##name = num,
enum mer_err { MER_OK = 0, MER_ERR_MAP(X) };
#undef X

/* "NOMEM", "OK"; never NULL. */
const char *mer_err_name(enum mer_err err);
/* A sentence for people; never NULL. */
const char *mer_err_text(enum mer_err err);

/* Human detail (file, line, key) for start-up and configuration errors; filled by mer_msgf, always terminated, cut at the end. */
struct mer_msg {
    char text[512];
};
void mer_msgf(struct mer_msg *msg, const char *fmt, ...) MER_PRINTF(2, 3);
