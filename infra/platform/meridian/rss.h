/* SPDX-License-Identifier: Apache-2.0
 * rss.h - the memory this process holds, and how much it may. */
#pragma once

#include <meridian/base.h>

/* Resident bytes; 0: not known. */
uint64_t mer_rss_bytes(void);
/* What this process may grow to: the limit of its control group where it has one (version 1 or 2), else an equal share of the machine for
 * each core, because a host runs a process a core. 0: not known. */
uint64_t mer_rss_limit_bytes(void);
