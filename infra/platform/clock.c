/* SPDX-License-Identifier: Apache-2.0
 * clock.c - the machine's clocks. CLOCK_BOOTTIME, not MONOTONIC: a lease must run out while a machine is suspended. */
#include <meridian/clock.h>

#include <time.h>

static uint64_t mono_us(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t wall_ms(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct mer_clock mer_clock_system(void)
{
    return (struct mer_clock){.mono_us = mono_us, .wall_ms = wall_ms};
}
