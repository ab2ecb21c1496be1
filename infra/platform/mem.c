/* SPDX-License-Identifier: Apache-2.0
 * mem.c - malloc in two families (mem.h). The only state is the test hook: a counter, so that a test can let any one allocation fail and
 * walk every clean-up path. It is file-level data on purpose (C11): threading a context through every allocation would cost each caller an
 * argument for a test's sake. */
#include <meridian/mem.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static unsigned fail_in;

void mer_mem_fail_at(unsigned n)
{
    fail_in = n;
}

static bool fails_now(void)
{
    return fail_in && --fail_in == 0;
}

_Noreturn static void die(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
    abort();
}

void *mer_xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        die(size);
    return p;
}

void *mer_xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        die(count * size);
    return p;
}

void *mer_xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q)
        die(size);
    return q;
}

char *mer_xstrdup(const char *s)
{
    size_t len = strlen(s) + 1;

    return memcpy(mer_xmalloc(len), s, len);
}

void *mer_try_malloc(size_t size)
{
    return fails_now() ? NULL : malloc(size ? size : 1);
}

void *mer_try_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *mer_try_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : realloc(p, size ? size : 1);
}

void *mer_try_pages(size_t size)
{
    MER_ASSERT(size >= 4096 && (size & (size - 1)) == 0);
    if (fails_now())
        return NULL;
    /* Twice as much, of which the aligned half is kept; mappings side by side become one. */
    char *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    char *kept = (char *)(((uintptr_t)p + size - 1) & ~(uintptr_t)(size - 1));
    if (kept > p)
        munmap(p, (size_t)(kept - p));
    munmap(kept + size, (size_t)(p + size - kept));
    return kept;
}

void mer_free_pages(void *p, size_t size)
{
    if (p != NULL)
        munmap(p, size);
}

char *mer_try_strndup(const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? mer_try_malloc(n + 1) : NULL;

    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *mer_try_strdup(const char *s)
{
    return mer_try_strndup(s, strlen(s));
}
