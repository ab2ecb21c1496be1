/* SPDX-License-Identifier: Apache-2.0
 * journal.h - what operators did to this region, who, why and with what result (pure part). It lies in Redis, a ring of ROUTER_JOURNAL_KEPT
 * fields of journal:{<region>}, so that it outlives routers and anybody of them can tell it; the log has each line too. */
#pragma once

#include <meridian/err.h>

#include "meridian/state/v1/state.pb-c.h"

enum {
    ROUTER_JOURNAL_KEPT = 256,
    ROUTER_JOURNAL_TOLD = 64,        /* of these, in one answer: a frame has 64 KiB */
    ROUTER_JOURNAL_ENTRY_MAX = 1000, /* bytes, packed: 64 of them fit */
    ROUTER_JOURNAL_RESULT_MAX = 255,
};

/* The newest entries, newest first. All zero: none. */
struct router_journal_page {
    Meridian__State__V1__JournalEntry *entry[ROUTER_JOURNAL_TOLD]; /* ours */
    size_t count;
    uint64_t last; /* highest number seen */
    size_t bad;    /* values that are none */
};

/* One value of the hash, in whatever order they come. */
void router_journal_take(struct router_journal_page *p, const void *data, size_t len);
void router_journal_page_free(struct router_journal_page *p);
/* The field that an entry of this number has. */
uint32_t router_journal_field(uint64_t number);
/* Packed into out, of ROUTER_JOURNAL_ENTRY_MAX bytes; 0: it does not fit, which texts within their bounds always do. */
size_t router_journal_write(const Meridian__State__V1__JournalEntry *e, uint8_t *out);
