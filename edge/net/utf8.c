/* SPDX-License-Identifier: Apache-2.0
 * utf8.c - the check of table 3-7 of the Unicode standard as three bytes of state: how many continuation bytes are missing and the range of
 * the next one (narrower than 80..BF only for the second byte: no overlong forms, no surrogates, nothing above U+10FFFF). ASCII, which is
 * nearly all there is, goes eight bytes at a time. */
#include "edge/net/utf8.h"

#include <string.h>

static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(&word, p + i, sizeof(word));
        if (word & 0x8080808080808080ULL)
            break;
    }
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

static bool lead(struct edge_utf8 *u, uint8_t c)
{
    u->lo = 0x80;
    u->hi = 0xbf;
    if (c < 0xc2 || c > 0xf4)
        return false;
    if (c < 0xe0) {
        u->need = 1;
    } else if (c < 0xf0) {
        u->need = 2;
        if (c == 0xe0)
            u->lo = 0xa0;
        else if (c == 0xed)
            u->hi = 0x9f;
    } else {
        u->need = 3;
        if (c == 0xf0)
            u->lo = 0x90;
        else if (c == 0xf4)
            u->hi = 0x8f;
    }
    return true;
}

bool edge_utf8_feed(struct edge_utf8 *u, const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (;;) {
        if (u->need == 0)
            i += ascii_run(p + i, n - i);
        if (i == n)
            return true;
        uint8_t c = p[i++];
        if (u->need == 0) {
            if (!lead(u, c))
                return false;
            continue;
        }
        if (c < u->lo || c > u->hi)
            return false;
        u->need--;
        u->lo = 0x80;
        u->hi = 0xbf;
    }
}
