/* SPDX-License-Identifier: Apache-2.0
 * id.c - texts of identifiers. Decoding is canonical (one text for one value), so an id can be compared as text everywhere. */
#include <meridian/id.h>

#include <string.h>

static const char b32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char b64u[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void mer_id_make(const struct mer_rng *r, const char *prefix, size_t bytes, char *out, size_t out_bytes)
{
    uint8_t random[64];

    MER_ASSERT(bytes <= sizeof(random));
    r->fill(r->ctx, random, bytes);
    mer_id_write(random, bytes, prefix, out, out_bytes);
}

void mer_id_write(const void *bytes, size_t n, const char *prefix, char *out, size_t out_bytes)
{
    const uint8_t *p = bytes;
    size_t len = strlen(prefix);

    MER_ASSERT(len + (n * 8 + 4) / 5 < out_bytes);
    memcpy(out, prefix, len);
    for (; n > 0; n -= n < 5 ? n : 5) { /* five bytes are eight letters */
        uint64_t bits = 0;
        size_t have = n < 5 ? n : 5, letters = (have * 8 + 4) / 5;
        for (size_t i = 0; i < 5; i++)
            bits = bits << 8 | (i < have ? *p++ : 0);
        for (size_t i = 0; i < letters; i++)
            out[len++] = b32[bits >> (35 - 5 * i) & 31];
    }
    out[len] = '\0';
}

/* Of a letter; 32 and more: none. */
static uint32_t b32_value(char c)
{
    return c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') : c >= '2' && c <= '7' ? (uint32_t)(c - '2') + 26 : 32;
}

bool mer_id_read(const char *text, const char *prefix, uint8_t *bytes, size_t n)
{
    size_t skip = strlen(prefix), len = (n * 8 + 4) / 5, at = 0;
    uint32_t bits = 0, have = 0;

    if (strncmp(text, prefix, skip) != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint32_t value = b32_value(text[skip + i]); /* also of the end */
        if (value > 31)
            return false;
        bits = bits << 5 | value;
        have += 5;
        if (have >= 8) {
            have -= 8;
            bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    return text[skip + len] == '\0' && (bits & ((1U << have) - 1)) == 0; /* left-over bits that no writer sets */
}

void mer_b64u_encode(const void *data, size_t n, char *out)
{
    const uint8_t *p = data;
    uint32_t bits = 0, have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = b64u[(bits >> (have - 6)) & 63];
    }
    if (have)
        *out++ = b64u[(bits << (6 - have)) & 63];
    *out = '\0';
}

static int b64u_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

enum mer_err mer_b64u_decode(const char *text, size_t n, uint8_t *out, size_t out_bytes, size_t *out_len)
{
    uint32_t bits = 0, have = 0;
    size_t len = 0;

    if (n % 4 == 1)
        return MER_EINVALID;
    for (size_t i = 0; i < n; i++) {
        int v = b64u_value(text[i]);
        if (v < 0)
            return MER_EINVALID;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            if (len == out_bytes)
                return MER_ERANGE;
            have -= 8;
            out[len++] = (uint8_t)(bits >> have);
        }
    }
    if (bits & ((1U << have) - 1))
        return MER_EINVALID; /* left-over bits that no encoder writes */
    *out_len = len;
    return MER_OK;
}

bool mer_id_is_plain(const char *s, size_t n, size_t max)
{
    if (n == 0 || n > max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (b64u_value(s[i]) < 0)
            return false;
    return true;
}

size_t mer_utf8_step(const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;
    uint8_t lo = 0x80, hi = 0xBF; /* range of the second byte */
    size_t len;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    len = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (n < len)
        return 0;
    if (s[0] == 0xE0)
        lo = 0xA0;
    else if (s[0] == 0xED)
        hi = 0x9F;
    else if (s[0] == 0xF0)
        lo = 0x90;
    else if (s[0] == 0xF4)
        hi = 0x8F;
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool mer_utf8_valid(const char *s, size_t n)
{
    while (n) {
        size_t step = mer_utf8_step(s, n);
        if (!step)
            return false;
        s += step;
        n -= step;
    }
    return true;
}

bool mer_id_is_text(const char *s, size_t n, size_t max)
{
    const uint8_t *p = (const uint8_t *)s;

    if (n == 0 || n > max || !mer_utf8_valid(s, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 || p[i] == 0x7F || (p[i] == 0xC2 && p[i + 1] < 0xA0)) /* C0, DEL, C1 */
            return false;
    return true;
}
