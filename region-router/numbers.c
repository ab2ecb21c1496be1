/* SPDX-License-Identifier: Apache-2.0
 * numbers.c - see numbers.h. */
#include "region-router/numbers.h"

#include <string.h>

#include <meridian/mem.h>

enum { FIRST = 16 };

void router_numbers_deinit(struct router_numbers *n)
{
    MER_ASSERT(n->used == 0);
    mer_free(&n->at);
    n->size = n->first_free = 0;
}

static bool grow(struct router_numbers *n)
{
    uint32_t size = n->size > 0 ? n->size * 2 : FIRST;
    void **at = mer_try_realloc(n->at, size * sizeof *at);
    if (at == NULL)
        return false;
    memset(&at[n->size], 0, (size - n->size) * sizeof *at);
    n->at = at;
    n->size = size;
    return true;
}

uint32_t router_numbers_take(struct router_numbers *n, void *thing, uint32_t max)
{
    uint32_t i = n->first_free;
    while (i < n->size && n->at[i] != NULL)
        i++;
    if (i >= max || (i == n->size && !grow(n)))
        return 0;
    n->first_free = i + 1;
    n->at[i] = thing;
    n->used++;
    return i + 1;
}

void router_numbers_give(struct router_numbers *n, uint32_t number)
{
    n->at[number - 1] = NULL;
    n->used--;
    if (number - 1 < n->first_free)
        n->first_free = number - 1;
}
