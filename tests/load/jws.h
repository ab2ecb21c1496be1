/* SPDX-License-Identifier: Apache-2.0
 * jws.h - is a text signed? JWS with the payload left out (RFC 7515, appendix F), as GET /v1/regions carries it; ES256 and EdDSA. */
#pragma once

#include <stddef.h>

#include <meridian/base.h>

/* By a key of the JWKS (its text). `signature` is "header..value"; may hold anything. */
MER_MUST_CHECK bool load_jws_signed(const char *jwks, const char *signature, const char *text, size_t len);
