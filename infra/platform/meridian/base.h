/* SPDX-License-Identifier: Apache-2.0
 * base.h - the few words every file uses: contract attributes, asserts, container_of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MER_MUST_CHECK __attribute__((warn_unused_result))
#define MER_NONNULL __attribute__((nonnull))
#define MER_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define MER_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MER_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Prints the failed condition and aborts. For invariants of our own only: whatever a peer, file or operator can cause is an error value. */
_Noreturn void mer_assert_failed(const char *what, const char *file, int line);

#define MER_ASSERT(cond) ((cond) ? (void)0 : mer_assert_failed(#cond, __FILE__, __LINE__))
#ifdef NDEBUG
#define MER_DASSERT(cond) ((void)0)
#else
#define MER_DASSERT(cond) MER_ASSERT(cond)
#endif
