/* SPDX-License-Identifier: Apache-2.0
 * fuzz_token.c - any text as a token under fixed keys; and, since no fuzzer finds a signature, any text as the payload of a token that is
 * signed right, and as a key set. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tests/fuzz/fuzz.h"
#include "token_fixture.h"
#include <meridian/id.h>

static void verify(const struct mer_keys *keys, const char *text, size_t len, bool trusted)
{
    struct mer_claims claims;
    memset(&claims, 0xff, sizeof(claims));
    enum mer_token_cause cause = mer_token_verify(keys, &token_fixture_rules, text, len, TOKEN_FIXTURE_NOW_MS, &claims);
    MER_ASSERT(cause < MER_TOKEN_NCAUSES && ERR_peek_error() == 0);
    if (cause == MER_TOKEN_OK || cause == MER_TOKEN_EXPIRED) {
        size_t sub = strnlen(claims.sub, sizeof(claims.sub)), name = strnlen(claims.name, sizeof(claims.name));
        MER_ASSERT(mer_id_is_text(claims.sub, sub, MER_TOKEN_SUB_MAX));
        MER_ASSERT(name == 0 || mer_id_is_text(claims.name, name, MER_TOKEN_NAME_MAX));
        MER_ASSERT(claims.rating <= MER_TOKEN_RATING_MAX);
    } else if (trusted) {
        MER_ASSERT(cause != MER_TOKEN_SIGNATURE && cause != MER_TOKEN_HEADER && cause != MER_TOKEN_UNKNOWN_KEY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mer_keys *keys, *secret; /* made once; all kinds, and HS256 alone because it signs fast */
    struct mer_msg msg;
    struct mer_keys *other;
    char token[2 * MER_TOKEN_MAX_BYTES];
    if (!keys) {
        MER_ASSERT(mer_keys_parse(&keys, TOKEN_FIXTURE_JWKS, strlen(TOKEN_FIXTURE_JWKS), true, &msg) == MER_OK);
        MER_ASSERT(mer_keys_parse(&secret, TOKEN_FIXTURE_HS, strlen(TOKEN_FIXTURE_HS), true, &msg) == MER_OK);
    }
    verify(keys, (const char *)data, size, false);
    if (size <= MER_TOKEN_MAX_BYTES && mer_token_sign(secret, (const char *)data, size, token, sizeof(token)) == MER_OK &&
        strlen(token) <= MER_TOKEN_MAX_BYTES && size > 0)
        verify(secret, token, strlen(token), true);
    if (mer_keys_parse(&other, (const char *)data, size, true, &msg) == MER_OK)
        mer_keys_destroy(other);
    MER_ASSERT(ERR_peek_error() == 0);
    return 0;
}
