/* SPDX-License-Identifier: Apache-2.0
 * files.c - the compiled-in page: few files, found by exact path, answered from memory, revalidated by ETag (a new edge may serve a new
 * page under the same name, so nothing is cached unasked). */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include <meridian/mem.h>

#include "edge/net/http_private.h"

/* Scripts and styles of our own only; sockets and requests to wherever the list of regions says; the page is in nobody's frame. */
static const char csp[] = "default-src 'self'; connect-src 'self' ws: wss: http: https:; img-src 'self' data:; frame-ancestors 'none'";

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".png", "image/png"},
    {".ico", "image/vnd.microsoft.icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
};

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < MER_COUNT(types); i++)
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

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

const struct edge_web_file *edge__file_find(const struct edge_http *h, struct edge_text path)
{
    bool index = edge_text_is(path, "/");
    for (const struct edge_web_file *f = h->conf.files; f != NULL && f->path != NULL; f++)
        if (index ? strcmp(f->path, "/index.html") == 0 : edge_text_is(path, f->path))
            return f;
    return NULL;
}

void edge__file_send(struct edge__exchange *x, const struct edge_web_file *f)
{
    const char *etag = x->http->etags[f - x->http->conf.files];
    edge__http_add_header(x, "etag", etag);
    edge__http_add_header(x, "cache-control", "no-cache");
    edge__http_add_header(x, "content-security-policy", csp);
    edge__http_add_header(x, "referrer-policy", "no-referrer");
    if (edge_head_has_token(x->head, "if-none-match", etag))
        edge__http_answer(x, 304, NULL, NULL, 0, false);
    else
        edge__http_answer(x, 200, type_of(f->path), f->data, f->len, false);
}
