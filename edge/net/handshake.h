/* SPDX-License-Identifier: Apache-2.0
 * handshake.h - the head of a request, parsed once and strictly, and the checks of an upgrade (RFC 6455 section 4.2). Pure.
 *
 * libh2o takes nearly anything (no version, any key, two hosts, folded lines, HTTP/1.0) and hides the rest from its handlers, so the head
 * is read again from the raw bytes. */
#pragma once

#include <meridian/err.h>

struct edge_text { /* borrowed, not terminated */
    const char *p;
    size_t len;
};
bool edge_text_is(struct edge_text t, const char *s);
/* ASCII letters alike. */
bool edge_text_is_nocase(struct edge_text t, const char *s);

enum { EDGE_HEAD_FIELDS_MAX = 32, EDGE_HEAD_BYTES_MAX = 8192, EDGE_ACCEPT_BYTES = 29 };

struct edge_field {
    struct edge_text name, value;
};
struct edge_head {
    struct edge_text method, path, query, host;
    uint8_t minor; /* HTTP/1.minor */
    uint8_t hosts; /* how many Host fields there were */
    uint32_t field_count;
    struct edge_field field[EDGE_HEAD_FIELDS_MAX];
};

/* Why a request is refused: fixed texts. status 0: it is not. */
struct edge_refusal {
    int status;
    const char *code, *message;
};

/* p: from the request line up to and including the empty line, or more. On refusal *out may be partly written. */
struct edge_refusal edge_head_parse(const char *p, size_t n, struct edge_head *out);
/* What every request must have: HTTP/1.1, one Host, one of `hosts` (NULL-terminated names without port; NULL: any), and at most one way to
 * tell how long its body is. */
struct edge_refusal edge_head_check(const struct edge_head *h, const char *const *hosts);
/* First field of that name, or NULL; *count (may be NULL) tells how many there are. */
const struct edge_text *edge_head_get(const struct edge_head *h, const char *name, unsigned *count);
/* `token` is a member of the comma-separated lists of all fields of that name. */
bool edge_head_has_token(const struct edge_head *h, const char *name, const char *token);

struct edge_origin_rules {
    const char *const *allowed; /* "https://play.example"; "*": any */
    size_t count;
    bool same_origin; /* an Origin whose host and port are the request's */
    bool native;      /* none at all */
};
/* No Origin, or exactly one that is allowed. */
bool edge_origin_allowed(const struct edge_head *h, const struct edge_origin_rules *rules);

struct edge_handshake {
    char accept[EDGE_ACCEPT_BYTES]; /* Sec-WebSocket-Accept */
    int subprotocol;                /* index into the list given; -1: none was offered, or the list is NULL */
};
/* A request that passed edge_head_check. subprotocols NULL-terminated; NULL: offers are ignored. Status 426 wants the header
 * Sec-WebSocket-Version: 13, 405 Allow: GET. */
struct edge_refusal edge_handshake_check(const struct edge_head *h, const struct edge_origin_rules *origins,
                                         const char *const *subprotocols, struct edge_handshake *out);

/* Value of `name` in a query string, percent-decoded, terminated. MER_ENOTFOUND; MER_EINVALID (bad escape, NUL, given twice); MER_ERANGE
 * (does not fit). */
MER_MUST_CHECK enum mer_err edge_query_get(struct edge_text query, const char *name, char *out, size_t out_bytes);
