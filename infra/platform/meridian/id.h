/* SPDX-License-Identifier: Apache-2.0
 * id.h - identifiers and their text: base64url (RFC 4648 section 5, no padding, canonical only), lower-case base32 ids, UTF-8. */
#pragma once

#include <meridian/err.h>
#include <meridian/rng.h>

/* "prefix" + `bytes` random bytes as lower-case base32 (a-z2-7), terminated. out must hold strlen(prefix) + bytes*8/5 + 2. */
void mer_id_make(const struct mer_rng *r, const char *prefix, size_t bytes, char *out, size_t out_bytes);

/* The text of these bytes, as mer_id_make writes it. */
void mer_id_write(const void *bytes, size_t n, const char *prefix, char *out, size_t out_bytes);
/* ... and back. False when it is not what mer_id_write would write of n bytes behind that prefix. */
bool mer_id_read(const char *text, const char *prefix, uint8_t *bytes, size_t n);

/* Length of the text for n bytes, without NUL. */
static inline size_t mer_b64u_len(size_t n)
{
    return (n * 4 + 2) / 3;
}
/* Writes mer_b64u_len(n) characters and a NUL. */
void mer_b64u_encode(const void *data, size_t n, char *out);
/* Refuses padding, other characters and non-canonical last characters: MER_EINVALID; MER_ERANGE when out is too small. */
MER_MUST_CHECK enum mer_err mer_b64u_decode(const char *text, size_t n, uint8_t *out, size_t out_bytes, size_t *out_len);

/* [A-Za-z0-9_-]{1,max}: devices, kids. */
bool mer_id_is_plain(const char *s, size_t n, size_t max);
/* No control characters, valid UTF-8, 1..max bytes: users, names. */
bool mer_id_is_text(const char *s, size_t n, size_t max);
/* Bytes of the UTF-8 sequence at s; 0 when there is none (RFC 3629: shortest form, no surrogates). n > 0. */
size_t mer_utf8_step(const char *s, size_t n);
bool mer_utf8_valid(const char *s, size_t n);
