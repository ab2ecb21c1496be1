/* SPDX-License-Identifier: Apache-2.0
 * token_fixture.h - the key set and the moment that tests of tokens share. The keys are the examples of RFC 7515 (A.1, A.3) and RFC 8037
 * (A.1): everybody's, so good for tests only. */
#pragma once

#include <meridian/token.h>

/* One key of each kind, in the order ES256, EdDSA, HS256. */
#define TOKEN_FIXTURE_ES \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"es-1\",\"alg\":\"ES256\",\"use\":\"sig\"," \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"," \
    "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
#define TOKEN_FIXTURE_ED \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed-1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"," \
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"
#define TOKEN_FIXTURE_HS \
    "{\"kty\":\"oct\",\"kid\":\"hs-1\"," \
    "\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
#define TOKEN_FIXTURE_JWKS "{\"keys\":[" TOKEN_FIXTURE_ES "," TOKEN_FIXTURE_ED "," TOKEN_FIXTURE_HS "]}"

#define TOKEN_FIXTURE_NOW_S UINT64_C(1700000000)
#define TOKEN_FIXTURE_NOW_MS (TOKEN_FIXTURE_NOW_S * 1000)

static const struct mer_token_rules token_fixture_rules = {
    .issuer = "https://id.test", .audience = "meridian", .skew_s = 30, .max_lifetime_s = 900};
