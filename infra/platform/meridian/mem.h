/* SPDX-License-Identifier: Apache-2.0
 * mem.h - two families of allocation (C14): mer_x* dies, allowed before the first accept; mer_try_* may return NULL and must be checked:
 * for everything a peer can cause. All memory is malloc's: free with mer_free(&p), which NULLs the pointer. */
#pragma once

#include <stdlib.h>

#include <meridian/base.h>

void *mer_xmalloc(size_t size);
void *mer_xcalloc(size_t count, size_t size);
void *mer_xrealloc(void *p, size_t size);
char *mer_xstrdup(const char *s);

MER_MUST_CHECK void *mer_try_malloc(size_t size);
MER_MUST_CHECK void *mer_try_calloc(size_t count, size_t size);
MER_MUST_CHECK void *mer_try_realloc(void *p, size_t size);
/* Pages of their own, zeroed, outside malloc's heap: `size` is a power of two of at least 4096, and the address a multiple of it. From
 * malloc such blocks would lie a whole block apart, with everybody's short-lived memory in between. */
MER_MUST_CHECK void *mer_try_pages(size_t size);
void mer_free_pages(void *p, size_t size);
/* Copies n bytes and adds a terminating NUL. */
MER_MUST_CHECK char *mer_try_strndup(const char *s, size_t n);
MER_MUST_CHECK char *mer_try_strdup(const char *s);

/* Test hook: the n-th mer_try_* call from now (1 = the next) returns NULL once; 0 turns it off. */
void mer_mem_fail_at(unsigned n);

#define mer_free(pp) \
    ({ \
        __typeof__(pp) mer_free_at_ = (pp); \
        free(*mer_free_at_); \
        *mer_free_at_ = NULL; \
    })
