/* SPDX-License-Identifier: Apache-2.0
 * files.c - the compiled-in page: few files, found by exact path, answered from memory, revalidated by ETag (a new edge may serve a new
 * page under the same name, so nothing is cached unasked). */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include <meridian/mem.h>
#include <meridian/web.h>

#include "edge/net/http_private.h"

/* Scripts and styles of our own only; sockets and requests to wherever the list of regions says; the page is in nobody's frame. */
static const char csp[] = "default-src 'self'; connect-src 'self' ws: wss: http: https:; img-src 'self' data:; frame-ancestors 'none'";

enum mer_err edge__file_etags(struct edge_http *h)
{
    size_t n = 0;
    while (h->conf.files != NULL && h->conf.files[n].path != NULL)
        n++;
    if (n == 0)
        return MER_OK;
    h->etags = mer_try_calloc(n, sizeof(*h->etags));
    if (h->etags == NULL)
        return MER_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        unsigned char d[SHA256_DIGEST_LENGTH];
        SHA256(h->conf.files[i].data, h->conf.files[i].len, d);
        snprintf(h->etags[i], sizeof(h->etags[i]), "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
    }
    return MER_OK;
}

const struct mer_web_file *edge__file_find(const struct edge_http *h, struct edge_text path)
{
    bool index = edge_text_is(path, "/");
    for (const struct mer_web_file *f = h->conf.files; f != NULL && f->path != NULL; f++)
        if (index ? strcmp(f->path, "/index.html") == 0 : edge_text_is(path, f->path))
            return f;
    return NULL;
}

void edge__file_send(struct edge__exchange *x, const struct mer_web_file *f)
{
    const char *etag = x->http->etags[f - x->http->conf.files];
    edge__http_add_header(x, "etag", etag);
    edge__http_add_header(x, "cache-control", "no-cache");
    edge__http_add_header(x, "content-security-policy", csp);
    edge__http_add_header(x, "referrer-policy", "no-referrer");
    if (edge_head_has_token(x->head, "if-none-match", etag))
        edge__http_answer(x, 304, NULL, NULL, 0, false);
    else
        edge__http_answer(x, 200, mer_web_type(f->path), f->data, f->len, false);
}
