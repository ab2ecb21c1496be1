/* SPDX-License-Identifier: Apache-2.0
 * err.c - names and texts of errors from the one map, and the end of the road for broken invariants. */
#include <meridian/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *mer_err_name(enum mer_err err)
{
    switch (err) {
    case MER_OK:
        return "OK";
#define X(name, num, text) \
    case MER_E##name: \
        return #name;
        MER_ERR_MAP(X)
#undef X
    }
    return "?";
}

const char *mer_err_text(enum mer_err err)
{
    switch (err) {
    case MER_OK:
        return "no error";
#define X(name, num, text) \
    case MER_E##name: \
        return text;
        MER_ERR_MAP(X)
#undef X
    }
    return "an error without a name";
}

void mer_msgf(struct mer_msg *msg, const char *fmt, ...)
{
    va_list args;

    if (!msg)
        return;
    va_start(args, fmt);
    if (vsnprintf(msg->text, sizeof(msg->text), fmt, args) < 0)
        msg->text[0] = '\0';
    va_end(args);
}

void mer_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
    abort();
}
