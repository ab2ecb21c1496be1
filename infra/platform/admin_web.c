/* SPDX-License-Identifier: Apache-2.0
 * admin_web.c - pages on the admin port: compiled-in files, for browsers on this machine.
 *
 * The port is on loopback, and a browser here reaches it for whatever site is open in it. Two things keep sites out: who says an Origin may
 * only read, and only when it is ours; and a page is answered only when it was asked for by a name of this machine, so that a site whose
 * name was made to point at 127.0.0.1 is not the same origin as we are. */
#include "admin_private.h"

#include <string.h>

/* Scripts and styles of ours only, nothing from elsewhere, in nobody's frame. */
static const char csp[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                          "form-action 'none'; frame-ancestors 'none'";

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, strlen(value));
}

static bool is_v4_loopback(const char *name)
{
    struct in_addr addr;
    return inet_pton(AF_INET, name, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
}

bool mer__admin_is_here(struct mer_admin *a, h2o_req_t *req)
{
    char name[64];
    size_t len = req->authority.len;
    if (len < sizeof name) {
        memcpy(name, req->authority.base, len);
        name[len] = 0;
        char *port = strrchr(name, ':');
        if (port != NULL && port[strspn(port + 1, "0123456789") + 1] == 0)
            *port = 0;
        if (is_v4_loopback(name) || strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0)
            return true;
    }
    mer__admin_error(a, req, 421, "asked for by a name that is not this machine's");
    return false;
}

bool mer__admin_origin_allowed(const h2o_req_t *req)
{
    static const char scheme[] = "http://";
    size_t n = sizeof scheme - 1;
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
    if (at == -1)
        return true;
    h2o_iovec_t origin = req->headers.entries[at].value;
    bool reads =
        h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) || h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    return reads && origin.len > n && memcmp(origin.base, scheme, n) == 0 &&
           h2o_memis(origin.base + n, origin.len - n, req->authority.base, req->authority.len) &&
           h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), at) == -1;
}

/* NULL: none. The prefix alone is a file, too: the one that leads to the page. */
static const struct mer_web_file *find(const struct mer__admin_route *r, const h2o_req_t *req, bool *moved)
{
    h2o_iovec_t path = req->path_normalized;
    size_t n = strlen(r->path);
    *moved = false;
    if (path.len < n || memcmp(path.base, r->path, n) != 0)
        return NULL;
    path = h2o_iovec_init(path.base + n, path.len - n);
    *moved = path.len == 0;
    if (path.len == 0 || (path.len == 1 && path.base[0] == '/'))
        path = h2o_iovec_init(H2O_STRLIT("/index.html"));
    for (const struct mer_web_file *f = r->files; f->path != NULL; f++)
        if (h2o_memis(path.base, path.len, f->path, strlen(f->path)))
            return f;
    return NULL;
}

bool mer__admin_has_file(const struct mer__admin_route *r, const h2o_req_t *req)
{
    bool moved;
    return find(r, req, &moved) != NULL;
}

void mer__admin_file(struct mer_admin *a, h2o_req_t *req, const struct mer__admin_route *r)
{
    bool moved;
    const struct mer_web_file *f = find(r, req, &moved);
    struct mer_buf body = {.data = (uint8_t *)f->data, .len = f->len};
    if (!mer__admin_is_here(a, req))
        return;
    if (moved) {
        h2o_iovec_t to = h2o_concat(&req->pool, h2o_iovec_init(r->path, strlen(r->path)), h2o_iovec_init(H2O_STRLIT("/")));
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_LOCATION, NULL, to.base, to.len);
        mer__admin_answer(a, req, 301, "text/plain", &(struct mer_buf){0});
        return;
    }
    add_header(req, "content-security-policy", csp);
    add_header(req, "x-content-type-options", "nosniff");
    add_header(req, "referrer-policy", "no-referrer");
    mer__admin_answer(a, req, 200, mer_web_type(f->path), &body);
}

void mer_admin_files(struct mer_admin *a, const char *prefix, const struct mer_web_file *files)
{
    mer__admin_add(a, &(struct mer__admin_route){.method = "GET", .path = prefix, .files = files});
}
