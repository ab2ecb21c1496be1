/* SPDX-License-Identifier: Apache-2.0
 * journal.c - see journal.h. */
#include "region-router/journal.h"

#include <string.h>

#define SV1(x) Meridian__State__V1__##x

/* Numbers are whole in Redis' arithmetic, and in JSON. */
static bool is_entry(const SV1(JournalEntry) * e)
{
    return e->number > 0 && e->number < (uint64_t)1 << 53;
}

void router_journal_take(struct router_journal_page *p, const void *data, size_t len)
{
    SV1(JournalEntry) *e = len <= ROUTER_JOURNAL_ENTRY_MAX ? meridian__state__v1__journal_entry__unpack(NULL, len, data) : NULL;
    if (e == NULL || !is_entry(e)) {
        p->bad++;
        if (e != NULL)
            meridian__state__v1__journal_entry__free_unpacked(e, NULL);
        return;
    }
    if (e->number > p->last)
        p->last = e->number;
    size_t at = p->count;
    while (at > 0 && p->entry[at - 1]->number < e->number)
        at--;
    if (p->count == ROUTER_JOURNAL_TOLD) {
        SV1(JournalEntry) *oldest = at < p->count ? p->entry[--p->count] : e;
        meridian__state__v1__journal_entry__free_unpacked(oldest, NULL);
        if (oldest == e)
            return;
    }
    memmove(&p->entry[at + 1], &p->entry[at], (p->count - at) * sizeof p->entry[0]);
    p->entry[at] = e;
    p->count++;
}

void router_journal_page_free(struct router_journal_page *p)
{
    while (p->count > 0)
        meridian__state__v1__journal_entry__free_unpacked(p->entry[--p->count], NULL);
}

uint32_t router_journal_field(uint64_t number)
{
    return (uint32_t)(number % ROUTER_JOURNAL_KEPT);
}

size_t router_journal_write(const SV1(JournalEntry) * e, uint8_t *out)
{
    if (meridian__state__v1__journal_entry__get_packed_size(e) > ROUTER_JOURNAL_ENTRY_MAX)
        return 0;
    return meridian__state__v1__journal_entry__pack(e, out);
}
