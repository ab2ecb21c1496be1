/* SPDX-License-Identifier: Apache-2.0
 * fault.c - what libh2o refuses by itself before a handler sees it (a body that is far too large) is said the way we say everything: as a
 * JSON error. Such answers go through the filters of the path that stands in where none was found yet, so one there replaces their body.
 * What it cannot read as HTTP at all it answers with fixed bytes on the socket; there is no way in, and that stays plain text. */
#include <stdio.h>
#include <string.h>

#include "edge/net/http_private.h"

struct filter {
    h2o_filter_t super;
    struct edge_http *http;
};
struct fault {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static h2o_iovec_t body_of(h2o_req_t *req)
{
    int status = req->res.status;
    const char *code = status == 413 ? "too_large" : status == 408 ? "timeout" : status < 500 ? "bad_request" : "internal";
    char *text = h2o_mem_alloc_pool(&req->pool, 128);
    int len = snprintf(text, 128, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code,
                       status == 413 ? "the body is too large" : "not a request that is understood here");
    return h2o_iovec_init(text, (size_t)len);
}

static void send_body(h2o_ostream_t *stream, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state)
{
    struct fault *f = (struct fault *)stream;
    (void)bufs;
    h2o_ostream_send_next(stream, req, &f->body, count == 0 ? 0 : 1, state); /* none: it was a HEAD */
}

static void on_answer(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    if (req->res.status >= 400) {
        edge__count(((struct filter *)self)->http->net, req->res.status < 500 ? EDGE__M_HTTP_4XX : EDGE__M_HTTP_5XX);
        struct fault *f = (struct fault *)h2o_add_ostream(req, sizeof(*f), slot);
        f->super.do_send = send_body;
        f->body = body_of(req);
        req->res.content_length = f->body.len;
        h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/json; charset=utf-8"), 1);
        slot = &f->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void edge__fault_filter(struct edge_http *h, h2o_hostconf_t *host)
{
    struct filter *filter = (struct filter *)h2o_create_filter(&host->fallback_path, sizeof(*filter));
    filter->super.on_setup_ostream = on_answer;
    filter->http = h;
}
