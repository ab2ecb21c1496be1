/* SPDX-License-Identifier: Apache-2.0
 * token.h - JSON Web Tokens (RFC 7519, JWS compact RFC 7515) with ES256, EdDSA (Ed25519, RFC 8037) and, where a key of that kind is
 * configured, HS256 (R11). The key decides the algorithm, never the header (RFC 8725). Keys come from a JWKS file (RFC 7517), found by kid.
 * Signatures are OpenSSL's. Pure but for file reading. */
#pragma once

#include <meridian/err.h>

enum { MER_TOKEN_MAX_BYTES = 4096, MER_TOKEN_SUB_MAX = 128, MER_TOKEN_NAME_MAX = 64, MER_TOKEN_RATING_MAX = 5000 };

struct mer_keys; /* a set of keys */

/* Reads a JWKS (or one JWK). HS256 ("oct") keys only when allow_hs256; keys of other kinds or for other uses are passed over. A file
 * with no usable key, a key without kid ([A-Za-z0-9_-]{1,64}), a duplicate kid or a malformed key is an error told in msg. */
MER_MUST_CHECK enum mer_err mer_keys_load(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg);
MER_MUST_CHECK enum mer_err mer_keys_parse(struct mer_keys **out, const char *json, size_t len, bool allow_hs256, struct mer_msg *msg);
/* As mer_keys_load, and one of the keys must have a private part. */
MER_MUST_CHECK enum mer_err mer_keys_load_signing(struct mer_keys **out, const char *file, bool allow_hs256, struct mer_msg *msg);
void mer_keys_destroy(struct mer_keys *k);

#define MER_TOKEN_CAUSES(X) \
    X(OK) \
    X(MALFORMED) \
    X(HEADER) X(ALGORITHM) X(UNKNOWN_KEY) X(SIGNATURE) X(CLAIMS) X(ISSUER) X(AUDIENCE) X(SUBJECT) X(EXPIRED) X(NOT_YET) X(TOO_LONG_LIVED)
#define X(n) MER_TOKEN_##n,
enum mer_token_cause { MER_TOKEN_CAUSES(X) MER_TOKEN_NCAUSES };
#undef X
const char *mer_token_cause_name(enum mer_token_cause c); /* lower case, for metrics */

struct mer_token_rules {
    const char *issuer, *audience;
    uint32_t skew_s;         /* for exp, nbf and iat; at most 30, more counts as 30 */
    uint32_t max_lifetime_s; /* exp may lie at most this far ahead; no skew is granted */
};
struct mer_claims {
    char sub[MER_TOKEN_SUB_MAX + 1];
    char name[MER_TOKEN_NAME_MAX + 1]; /* "" when absent */
    uint64_t exp_ms;                   /* wall clock */
    uint32_t rating;                   /* 0 when absent; at most MER_TOKEN_RATING_MAX */
    bool guest;                        /* claim "guest": true */
};

/* The token's text may hold any bytes. claims are written on MER_TOKEN_OK and on MER_TOKEN_EXPIRED (everything else was good). */
enum mer_token_cause mer_token_verify(const struct mer_keys *k, const struct mer_token_rules *rules, const char *token, size_t len,
                                      uint64_t wall_ms, struct mer_claims *claims);

/* Whose token it says it is; nothing is checked but its form. Only for guesses that are free to be wrong (who is let in first). */
MER_MUST_CHECK bool mer_token_peek_sub(const char *token, size_t len, char sub[MER_TOKEN_SUB_MAX + 1]);

/* Signs `payload` (JSON) with the first private key of the set: JWS compact into out (terminated). typ "JWT". MER_ENOTFOUND without a
 * private key (an HS256 key is one), MER_ERANGE when out is too small. */
MER_MUST_CHECK enum mer_err mer_token_sign(const struct mer_keys *k, const char *payload, size_t len, char *out, size_t out_bytes);
/* Detached JWS (RFC 7515 appendix F): "header..signature" over body. */
MER_MUST_CHECK enum mer_err mer_jws_sign_detached(const struct mer_keys *k, const void *body, size_t len, char *out, size_t out_bytes);
/* Makes a new key pair (OpenSSL's randomness): private JWKS and public JWKS texts, with kid. alg "ES256" or "EdDSA". */
struct mer_buf;
MER_MUST_CHECK enum mer_err mer_keys_generate(const char *alg, const char *kid, struct mer_buf *private_jwks, struct mer_buf *public_jwks);
