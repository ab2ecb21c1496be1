/* SPDX-License-Identifier: Apache-2.0
 * hostile_traces.h - what a peer may send as a trace and is none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static const struct {
    size_t len;
    uint8_t bytes[64];
} hostile_traces[] = {
    {0, {0}},
    {1, {1}},
    {24, "trace-of-a-find!matching"},
    {26, "trace-of-a-find!matching\1\1"},
    {64, "trace-of-a-find!matching\1"},
    {25, "trace-of-a-find!matching\0"},                 /* not sampled */
    {25, "trace-of-a-find!matching\376"},               /* likewise */
    {25, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0matching\1"}, /* nobody's */
    {25, "trace-of-a-find!\0\0\0\0\0\0\0\0\1"},
};
