/* SPDX-License-Identifier: Apache-2.0
 * sim_stream.c - stands in for the platform's stream.c and stream_listen.c: streams over the simulated network. Addresses are "host:port"
 * with the name of a process as host. What arrives is sometimes handed over in two pieces, as a kernel may. */
#include <string.h>

#include <meridian/mem.h>
#include <meridian/stream.h>

#include "tests/sim/sim.h"

enum { KERNEL_BYTES = 256 * 1024 }; /* what socket buffers take before anything waits in the process */

struct mer_stream {
    struct mer_loop *loop;
    const struct mer_stream_cbs *cbs;
    void *ctx;
    struct sim_end *end; /* NULL when closed */
    struct mer_timer timer;
    struct mer_deferred flush;
    struct mer_buf out;
    size_t write_limit;
    bool open, closing;
    enum mer_err why;
    const char *text;
};

static void on_gone(void *ctx, uint64_t arg)
{
    struct mer_stream *s = ctx;
    (void)arg;
    if (s->cbs)
        s->cbs->on_close(s->ctx, s->why, s->text);
    mer_buf_deinit(&s->out);
    free(s);
}

static void end_by(struct mer_stream *s, enum mer_err why, const char *text, void (*end)(struct sim_end *e))
{
    if (s->closing)
        return;
    s->closing = true;
    s->why = why;
    s->text = text;
    mer_loop_disarm(s->loop, &s->timer);
    mer_deferred_cancel(&s->flush);
    if (s->end)
        end(s->end);
    s->end = NULL;
    sim_post(sim_proc_of(s->loop), 0, on_gone, s, 0);
}

static void fail(struct mer_stream *s, enum mer_err why, const char *text)
{
    end_by(s, why, text, sim_net_close);
}

static void on_timer(struct mer_timer *t)
{
    fail(MER_CONTAINER_OF(t, struct mer_stream, timer), MER_ETIMEOUT, "not connected in time");
}

static void on_flush(struct mer_deferred *d)
{
    mer_stream_flush(MER_CONTAINER_OF(d, struct mer_stream, flush));
}

static void opened(struct mer_stream *s)
{
    s->open = true;
    mer_loop_disarm(s->loop, &s->timer);
    s->cbs->on_open(s->ctx);
    if (!s->closing)
        mer_stream_flush(s);
}

static void end_open(void *ctx)
{
    opened(ctx);
}

static void end_data(void *ctx, const uint8_t *data, size_t len)
{
    struct mer_stream *s = ctx;
    size_t first = len > 1 && sim_chance(10) ? 1 + sim_below((uint32_t)len - 1) : len;
    s->cbs->on_data(s->ctx, data, first);
    if (first < len && !s->closing)
        s->cbs->on_data(s->ctx, data + first, len - first);
}

static void end_closed(void *ctx, bool clean, const char *why)
{
    struct mer_stream *s = ctx;
    s->end = NULL;
    fail(s, clean ? MER_OK : MER_EIO, why);
}

static const struct sim_end_ops end_ops = {end_open, end_data, end_closed};

static struct mer_stream *stream_new(const struct mer_stream_conf *conf)
{
    struct mer_stream *s = mer_xcalloc(1, sizeof(*s));
    s->loop = conf->loop;
    s->cbs = conf->cbs;
    s->ctx = conf->ctx;
    s->write_limit = conf->write_limit_bytes;
    mer_buf_init(&s->out, 0);
    mer_timer_init(&s->timer, on_timer);
    mer_deferred_init(&s->flush, on_flush);
    return s;
}

enum mer_err mer_stream_connect(struct mer_stream **out, const struct mer_stream_conf *conf, const char *address)
{
    struct mer_stream *s = stream_new(conf);
    if (conf->connect_timeout_ms)
        mer_loop_arm(s->loop, &s->timer, conf->connect_timeout_ms);
    s->end = sim_net_connect(sim_proc_of(conf->loop), address, &end_ops, s);
    *out = s;
    return MER_OK;
}

size_t mer_stream_unsent(const struct mer_stream *s)
{
    size_t flying = s->end ? sim_net_inflight(s->end) : 0;
    return s->out.len + (flying > KERNEL_BYTES ? flying - KERNEL_BYTES : 0);
}

enum mer_err mer_stream_write(struct mer_stream *s, const void *data, size_t len)
{
    if (s->closing)
        return MER_ECLOSED;
    if (s->write_limit && mer_stream_unsent(s) + len > s->write_limit)
        return MER_EBUSY;
    enum mer_err err = mer_buf_append(&s->out, data, len);
    if (err == MER_OK && s->open)
        mer_loop_defer(s->loop, &s->flush);
    return err;
}

void mer_stream_flush(struct mer_stream *s)
{
    mer_deferred_cancel(&s->flush);
    if (s->closing || !s->open || s->out.len == 0)
        return;
    sim_net_send(s->end, s->out.data, s->out.len);
    mer_buf_clear(&s->out);
}

void mer_stream_close(struct mer_stream *s)
{
    if (s->closing)
        return;
    mer_stream_flush(s);
    fail(s, MER_OK, "closed by us");
}

void mer_stream_reset(struct mer_stream *s)
{
    end_by(s, MER_OK, "reset by us", sim_net_abort);
}

X509 *mer_stream_peer_cert(const struct mer_stream *s)
{
    (void)s;
    return NULL;
}

const char *mer_stream_peer(const struct mer_stream *s)
{
    (void)s;
    return "sim";
}

bool mer_stream_peer_uid(const struct mer_stream *s, uint32_t *uid)
{
    (void)s, (void)uid;
    return false;
}

void mer_stream_set_ctx(struct mer_stream *s, const struct mer_stream_cbs *cbs, void *ctx)
{
    s->cbs = cbs;
    s->ctx = ctx;
}

/* --- listening ----------------------------------------------------------------------------------------------------------------------- */

struct mer_listener {
    struct mer_stream_conf conf;
    void (*on_accept)(void *ctx, struct mer_stream *s);
    void *ctx;
    char address[64];
};

static void accepted(void *ctx, struct sim_end *end)
{
    struct mer_listener *l = ctx;
    struct mer_stream *s = stream_new(&l->conf);
    s->cbs = NULL;
    s->end = end;
    l->on_accept(l->ctx, s);
    if (!s->closing && !s->cbs)
        mer_stream_close(s);
    if (s->closing)
        return;
    sim_net_take(end, &end_ops, s);
    opened(s);
}

enum mer_err mer_listener_open(struct mer_listener **out, const struct mer_stream_conf *conf, const char *address,
                               void (*on_accept)(void *ctx, struct mer_stream *s), void *ctx, struct mer_msg *msg)
{
    struct mer_listener *l = mer_xcalloc(1, sizeof(*l));
    l->conf = *conf;
    l->on_accept = on_accept;
    l->ctx = ctx;
    sim_copy(l->address, sizeof(l->address), address);
    if (!sim_net_listen(sim_proc_of(conf->loop), address, accepted, l)) {
        mer_msgf(msg, "%s: in use", address);
        free(l);
        return MER_EEXISTS;
    }
    *out = l;
    return MER_OK;
}

const char *mer_listener_address(const struct mer_listener *l)
{
    return l->address;
}

void mer_listener_close(struct mer_listener *l)
{
    sim_net_unlisten(sim_proc_of(l->conf.loop), l->address);
}

/* Nothing is encrypted here. */
void mer_listener_set_tls(struct mer_listener *l, SSL_CTX *ctx)
{
    (void)l, (void)ctx;
}
