/* SPDX-License-Identifier: Apache-2.0
 * numbers.h - small numbers for a few things (pure): what very many tickets point to costs them two or four bytes instead of eight. */
#pragma once

#include <meridian/err.h>

struct router_numbers {
    void **at; /* of number n: at[n - 1]; NULL: free */
    uint32_t size, used;
    uint32_t first_free; /* none is free below */
};

void router_numbers_deinit(struct router_numbers *n);
/* The lowest number that is free, 1 .. max; 0: none is, or no memory. */
uint32_t router_numbers_take(struct router_numbers *n, void *thing, uint32_t max);
void router_numbers_give(struct router_numbers *n, uint32_t number);
