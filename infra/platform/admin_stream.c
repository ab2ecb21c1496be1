/* SPDX-License-Identifier: Apache-2.0
 * admin_stream.c - server-sent events on the admin port.
 *
 * One frame a period is made for all listeners, who share it by counting. A listener has at most one frame on its way; meanwhile the next
 * ones pass him by, so what a slow one costs is one frame and what the kernel holds, which is made small. The frames are states of
 * something, not steps: who misses some sees the newest.
 *
 * h2o does not read while it answers, so a listener that left is noticed by the frame that cannot be written.
 *
 * Invariants: the timer is armed while somebody listens; `sending` is set from h2o_send to proceed, or to stop.
 * Timer: mer__admin_stream.timer, every period; it also finds those who have taken nothing for stall_ms. Owner: the admin port. */
#include "admin_private.h"

#include <string.h>
#include <sys/socket.h>

#include <meridian/mem.h>

enum {
    MAX_FRAME_BYTES = 1 << 20,    /* far above any state of a region */
    SEND_BUFFER_BYTES = 32 << 10, /* of the kernel: some frames */
};

struct frame {
    unsigned refs;
    size_t len;
    char bytes[];
};

struct mer__admin_stream {
    struct mer_admin *a;
    struct mer_list node;
    struct mer_admin_stream_conf conf;
    struct mer_list listeners;
    uint32_t count;
    struct frame *last; /* NULL: none yet, or too old */
    struct mer_timer timer;
};

struct listener {
    h2o_generator_t super; /* first: h2o hands it back */
    struct mer__admin_stream *stream;
    struct mer_list node;
    h2o_req_t *req;
    struct frame *sending; /* NULL: ready for another */
    uint64_t since_ms;     /* sending */
    bool cut;
};

/* ---- frames -------------------------------------------------------------------------------------------------------------------------- */

static void frame_unref(struct frame **f)
{
    struct frame *frame = *f;
    *f = NULL;
    if (frame != NULL && --frame->refs == 0)
        mer_free(&frame);
}

/* The browser comes back two seconds after its connection ended. With nothing to say it is a comment, which finds out who left. */
static enum mer_err frame_make(struct mer__admin_stream *s, struct frame **out)
{
    static const char head[] = "retry: 2000\ndata: ", tail[] = "\n\n", nothing[] = ":\n\n";
    struct mer_buf text;
    mer_buf_init(&text, MAX_FRAME_BYTES);
    enum mer_err err = mer_buf_appends(&text, head);
    if (err == MER_OK)
        err = s->conf.tell(s->conf.ctx, &text);
    if (err != MER_OK)
        mer_buf_clear(&text);
    err = mer_buf_appends(&text, err == MER_OK ? tail : nothing);
    struct frame *frame = err == MER_OK ? mer_try_calloc(1, sizeof *frame + text.len) : NULL;
    if (frame != NULL) {
        frame->refs = 1;
        frame->len = text.len;
        memcpy(frame->bytes, text.data, text.len);
        *out = frame;
    }
    mer_buf_deinit(&text);
    return err == MER_OK && frame == NULL ? MER_ENOMEM : err;
}

/* ---- listeners ----------------------------------------------------------------------------------------------------------------------- */

static void listener_free(struct listener *l)
{
    struct mer__admin_stream *s = l->stream;
    frame_unref(&l->sending);
    mer_list_remove(&l->node);
    s->count--;
    s->a->values[MER__ADMIN_LISTENERS]--;
    if (s->count == 0) {
        mer_loop_disarm(s->a->loop, &s->timer);
        frame_unref(&s->last);
    }
    mer_free(&l);
}

static void on_stop(h2o_generator_t *self, h2o_req_t *req)
{
    (void)req;
    listener_free((struct listener *)self);
}

static void on_proceed(h2o_generator_t *self, h2o_req_t *req)
{
    (void)req;
    frame_unref(&((struct listener *)self)->sending);
}

static int descriptor_of(const struct listener *l)
{
    return h2o_socket_get_fd(l->req->conn->callbacks->get_socket(l->req->conn));
}

static void send_to(struct listener *l, struct frame *f)
{
    h2o_iovec_t bytes = h2o_iovec_init(f->bytes, f->len);
    f->refs++;
    l->sending = f;
    l->since_ms = l->stream->a->loop->now_ms;
    h2o_send(l->req, &bytes, 1, H2O_SEND_STATE_IN_PROGRESS);
}

/* What is being written fails then, and h2o closes. */
static void cut_off(struct listener *l)
{
    l->cut = true;
    l->stream->a->values[MER__ADMIN_DROPPED]++;
    shutdown(descriptor_of(l), SHUT_RDWR);
}

static void on_timer(struct mer_timer *t)
{
    struct mer__admin_stream *s = MER_CONTAINER_OF(t, struct mer__admin_stream, timer);
    struct frame *next = NULL;
    mer_loop_arm(s->a->loop, &s->timer, s->conf.period_ms);
    frame_unref(&s->last);
    if (frame_make(s, &next) == MER_OK)
        s->last = next;
    MER_LIST_EACH_SAFE (it, &s->listeners) {
        struct listener *l = MER_LIST_ENTRY(it, struct listener, node);
        if (l->sending != NULL && !l->cut && s->a->loop->now_ms - l->since_ms >= s->conf.stall_ms)
            cut_off(l);
        else if (l->sending == NULL && s->last != NULL)
            send_to(l, s->last);
    }
}

static struct listener *listener_new(struct mer__admin_stream *s, h2o_req_t *req)
{
    struct listener *l = mer_try_calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->super = (h2o_generator_t){.proceed = on_proceed, .stop = on_stop};
    l->stream = s;
    l->req = req;
    mer_list_push_back(&s->listeners, &l->node);
    s->a->values[MER__ADMIN_LISTENERS]++;
    if (s->count++ == 0)
        mer_loop_arm(s->a->loop, &s->timer, s->conf.period_ms);
    return l;
}

void mer__admin_listen(struct mer__admin_stream *s, h2o_req_t *req)
{
    static const char type[] = "text/event-stream";
    int bytes = SEND_BUFFER_BYTES;
    struct listener *l = NULL;
    if (!mer__admin_is_here(s->a, req))
        return;
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        mer__admin_answer(s->a, req, 200, type, &(struct mer_buf){0});
        return;
    }
    if (!s->a->closing && s->count < s->conf.listeners_max)
        l = listener_new(s, req);
    if (l == NULL) {
        h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("retry-after"), 1, NULL, H2O_STRLIT("10"));
        mer__admin_error(s->a, req, 503, "as many listen as may");
        return;
    }
    setsockopt(descriptor_of(l), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    mer__admin_head(s->a, req, 200, type);
    h2o_start_response(req, &l->super);
    if (s->last != NULL || frame_make(s, &s->last) == MER_OK)
        send_to(l, s->last);
}

/* ---- birth and death ----------------------------------------------------------------------------------------------------------------- */

void mer_admin_stream(struct mer_admin *a, const struct mer_admin_stream_conf *conf)
{
    struct mer__admin_stream *s = mer_xcalloc(1, sizeof *s);
    s->a = a;
    s->conf = *conf;
    mer_list_init(&s->listeners);
    mer_timer_init(&s->timer, on_timer);
    mer_list_push_back(&a->streams, &s->node);
    mer__admin_add(a, &(struct mer__admin_route){.method = "GET", .path = conf->path, .stream = s});
}

void mer__admin_streams_close(struct mer_admin *a)
{
    MER_LIST_EACH (it, &a->streams) {
        struct mer__admin_stream *s = MER_LIST_ENTRY(it, struct mer__admin_stream, node);
        MER_LIST_EACH_SAFE (at, &s->listeners) {
            struct listener *l = MER_LIST_ENTRY(at, struct listener, node);
            if (l->sending != NULL)
                continue; /* its write fails, and then it stops */
            h2o_req_t *req = l->req;
            listener_free(l);
            h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
        }
    }
}

void mer__admin_streams_free(struct mer_admin *a)
{
    while (!mer_list_empty(&a->streams)) {
        struct mer__admin_stream *s = MER_LIST_ENTRY(a->streams.next, struct mer__admin_stream, node);
        MER_ASSERT(s->count == 0);
        mer_list_remove(&s->node);
        mer_free(&s);
    }
}
