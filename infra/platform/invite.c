/* SPDX-License-Identifier: Apache-2.0
 * invite.c - see invite.h.
 *
 * The check symbol is a polynomial over GF(32) (x^5 + x^2 + 1, whose x generates the field) evaluated by Horner's rule: a change of one
 * symbol, or of two neighbours' order, cannot cancel out over the 31 + 9 places a code has at most. */
#include <meridian/invite.h>

#include <string.h>

#include <meridian/map.h>

enum { RANDOM_SYMBOLS = 9, SYMBOLS = RANDOM_SYMBOLS + 1, TEXT_MAX = 96 /* with whatever stands between */ };

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static int symbol_of(char c)
{
    c = upper(c);
    if (c == 'O')
        return 0;
    if (c == 'I' || c == 'L')
        return 1;
    const char *at = c != 0 ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

static unsigned step(unsigned sum, unsigned value)
{
    return (sum << 1 ^ (sum & 16 ? 0x25 : 0)) ^ (value & 31);
}

static unsigned check_symbol(const char *region, const uint8_t symbol[RANDOM_SYMBOLS])
{
    unsigned sum = 0;
    for (; *region != 0; region++)
        sum = step(sum, (unsigned char)*region);
    for (unsigned i = 0; i < RANDOM_SYMBOLS; i++)
        sum = step(sum, symbol[i]);
    return step(sum, 0); /* one place on, so that it cannot change places with the last one either */
}

static bool separates(char c)
{
    return c == '-' || c == ' ';
}

/* Copies n bytes of a region's name as people write it. */
static enum mer_err read_region(char out[MER_INVITE_REGION_BYTES], const char *text, size_t n)
{
    while (n > 0 && separates(text[n - 1]))
        n--;
    for (; n > 0 && text[0] == ' '; n--)
        text++;
    if (n == 0 || n >= MER_INVITE_REGION_BYTES || separates(text[0]))
        return MER_EINVALID;
    for (size_t i = 0; i < n; i++) {
        char c = text[i] == ' ' ? '-' : lower(text[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.", c) != NULL) || c == 0)
            return MER_EINVALID;
        out[i] = c;
    }
    out[n] = 0;
    return MER_OK;
}

/* region and symbols are good: the rest follows from them. */
static void complete(struct mer_invite *out, const uint8_t symbol[SYMBOLS])
{
    static const uint64_t seed[2] = {0x6d657269, 0x6469616e}; /* the same in all processes, for ever */
    size_t len = strlen(out->region);
    uint64_t key = mer_siphash13(seed, out->region, len);
    memcpy(out->text, out->region, len);
    for (unsigned i = 0; i < SYMBOLS; i++) {
        if (i % 5 == 0)
            out->text[len++] = '-';
        out->text[len++] = alphabet[symbol[i]];
        if (i < RANDOM_SYMBOLS)
            key = key << 5 | symbol[i];
    }
    out->text[len] = 0;
    out->key = key != 0 ? key : 1;
}

static enum mer_err from_bits(struct mer_invite *out, const char *region, uint64_t bits)
{
    uint8_t symbol[SYMBOLS];
    if (strchr(region, ' ') != NULL || read_region(out->region, region, strlen(region)) != MER_OK || strlen(out->region) != strlen(region))
        return MER_EINVALID;
    for (unsigned i = 0; i < RANDOM_SYMBOLS; i++, bits >>= 5)
        symbol[i] = bits & 31;
    symbol[RANDOM_SYMBOLS] = (uint8_t)check_symbol(out->region, symbol);
    complete(out, symbol);
    return MER_OK;
}

enum mer_err mer_invite_make(struct mer_invite *out, const char *region, const struct mer_rng *rng)
{
    return from_bits(out, region, mer_rng_u64(rng));
}

enum mer_err mer_invite_derive(struct mer_invite *out, const char *region, const char *secret)
{
    static const uint64_t seed[2] = {0x72656d61, 0x746368};
    return from_bits(out, region, mer_siphash13(seed, secret, strlen(secret)));
}

enum mer_err mer_invite_read(struct mer_invite *out, const char *text)
{
    uint8_t symbol[SYMBOLS];
    size_t n = strnlen(text, TEXT_MAX + 1);
    unsigned left = SYMBOLS;
    if (n > TEXT_MAX)
        return MER_EINVALID;
    for (; n > 0 && left > 0; n--) {
        if (separates(text[n - 1]))
            continue;
        int value = symbol_of(text[n - 1]);
        if (value < 0)
            return MER_EINVALID;
        symbol[--left] = (uint8_t)value;
    }
    if (left > 0 || n == 0 || !separates(text[n - 1])) /* else nobody could tell where the region's name ends */
        return MER_EINVALID;
    if (read_region(out->region, text, n) != MER_OK || check_symbol(out->region, symbol) != symbol[RANDOM_SYMBOLS])
        return MER_EINVALID;
    complete(out, symbol);
    return MER_OK;
}
