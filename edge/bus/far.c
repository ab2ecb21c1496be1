/* SPDX-License-Identifier: Apache-2.0
 * far.c - messages to edges of other regions on the link to our leader (far.h). Next: far_peers.c (the bus), edge/game/abroad.c (records),
 * region-router/far.c (the way). */
#include "edge/bus/far.h"

#include <stdio.h>
#include <string.h>

#include <meridian/mem.h>

#define IM(x) Meridian__Internal__V1__##x
#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { KINDS = MERIDIAN__INTERNAL__V1__FAR_BODY__BODY_GAME_TOLD + 1, LISTENERS = 2 };

enum { M_SENT, M_UNSENT, M_RECEIVED, M_BAD, M_COUNT };
static const struct mer_metric_def metrics[M_COUNT] = {
    [M_SENT] = {"meridian_edge_far_sent_total", "messages to edges of other regions"},
    [M_UNSENT] = {"meridian_edge_far_unsent_total", "of these, refused at once, or reported as not delivered"},
    [M_RECEIVED] = {"meridian_edge_far_received_total", "messages of edges of other regions"},
    [M_BAD] = {"meridian_edge_far_bad_total", "messages of edges of other regions that are none"},
};

struct edge_far {
    struct edge_far_conf conf;
    struct {
        edge_far_cb cb;
        void *ctx;
    } handler[KINDS];
    struct {
        edge_far_unsent_cb cb;
        void *ctx;
    } listener[LISTENERS];
    unsigned listeners;
    uint8_t *scratch;
    uint64_t values[M_COUNT];
    struct mer_metric_set set;
};

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

bool edge_far_is(const char *incarnation)
{
    return strchr(incarnation, '/') != NULL;
}

bool edge_far_name(char out[EDGE_FAR_NAME_BYTES], const char *from, const char *name)
{
    size_t region = edge_far_is(from) && !edge_far_is(name) ? strcspn(from, "/") + 1 : 0;
    int n = snprintf(out, EDGE_FAR_NAME_BYTES, "%.*s%s", (int)region, from, name);
    return n > 0 && n < EDGE_FAR_NAME_BYTES;
}

bool edge_far_game(char out[EDGE_FAR_NAME_BYTES], const char *own_region, const char *game)
{
    size_t n = strcspn(game, ".");
    if (game[n] == 0 || n == 0 || n > EDGE_FAR_REGION_MAX || (strlen(own_region) == n && memcmp(game, own_region, n) == 0))
        return false;
    snprintf(out, EDGE_FAR_NAME_BYTES, "%.*s/", (int)n, game);
    return true;
}

/* "region/incarnation" in two. */
static bool split(const char *to, char region[EDGE_FAR_REGION_MAX + 1], const char **edge)
{
    size_t n = strcspn(to, "/");
    if (to[n] == 0 || n == 0 || n > EDGE_FAR_REGION_MAX)
        return false;
    memcpy(region, to, n);
    region[n] = 0;
    *edge = to[n + 1] != 0 ? to + n + 1 : NULL;
    return true;
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

enum mer_err edge_far_send(struct edge_far *f, const char *to, const IM(FarBody) * m, const ProtobufCBinaryData *trace)
{
    char region[EDGE_FAR_REGION_MAX + 1];
    const char *edge;
    IM(FarMessage) far = MERIDIAN__INTERNAL__V1__FAR_MESSAGE__INIT;
    IM(RouterMessage) rm = MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__INIT;
    size_t size = meridian__internal__v1__far_body__get_packed_size(m);
    if (!split(to, region, &edge))
        return MER_EINVALID;
    if (size > MER_LINK_PAYLOAD_MAX)
        return MER_ERANGE;
    far.region = region;
    far.edge = (char *)edge;
    far.body.data = f->scratch;
    far.body.len = meridian__internal__v1__far_body__pack(m, f->scratch);
    far.has_trace = trace != NULL;
    if (trace != NULL)
        far.trace = *trace;
    rm.body_case = ROUTER(FAR_MESSAGE);
    rm.far_message = &far;
    enum mer_err err = edge_routers_send(f->conf.routers, &rm);
    f->values[err == MER_OK ? M_SENT : M_UNSENT]++;
    return err;
}

static void take(struct edge_far *f, const IM(FarMessage) * far)
{
    char from[EDGE_FAR_NAME_BYTES];
    IM(FarBody) *m = meridian__internal__v1__far_body__unpack(NULL, far->body.len, far->body.data);
    bool named = far->edge != NULL && far->edge[0] != 0 && strlen(far->edge) <= EDGE_FAR_INCARNATION_MAX && far->region[0] != 0 &&
                 strlen(far->region) <= EDGE_FAR_REGION_MAX && !edge_far_is(far->edge) && !edge_far_is(far->region);
    if (m == NULL || !named) {
        f->values[M_BAD]++;
        MER_LOG_RATE(f->conf.log, MER_WARN, "far.bad_message", KV_STR("of", named ? far->region : NULL));
    } else {
        f->values[M_RECEIVED]++;
        snprintf(from, sizeof(from), "%s/%s", far->region, far->edge);
        if ((unsigned)m->body_case < KINDS && f->handler[m->body_case].cb != NULL) /* else a newer version's kind */
            f->handler[m->body_case].cb(f->handler[m->body_case].ctx, from, m);
    }
    if (m != NULL)
        meridian__internal__v1__far_body__free_unpacked(m, NULL);
}

static void on_message(void *ctx, const IM(RouterMessage) * m)
{
    take(ctx, m->far_message);
}

static void on_unsent(void *ctx, const IM(RouterMessage) * m)
{
    struct edge_far *f = ctx;
    const IM(FarUnsent) *u = m->far_unsent;
    char name[EDGE_FAR_NAME_BYTES];
    const char *edge = u->edge != NULL && strlen(u->edge) <= EDGE_FAR_INCARNATION_MAX ? u->edge : NULL;
    if (strlen(u->region) > EDGE_FAR_REGION_MAX)
        return;
    f->values[M_UNSENT]++;
    snprintf(name, sizeof(name), "%s/%s", u->region, edge != NULL ? edge : "");
    for (unsigned i = 0; i < f->listeners; i++)
        f->listener[i].cb(f->listener[i].ctx, u->region, edge != NULL ? name : NULL, u->has_none && u->none);
}

void edge_far_on(struct edge_far *f, IM(FarBody__BodyCase) kind, edge_far_cb cb, void *ctx)
{
    MER_ASSERT((unsigned)kind < KINDS);
    f->handler[kind].cb = cb;
    f->handler[kind].ctx = ctx;
}

void edge_far_on_unsent(struct edge_far *f, edge_far_unsent_cb cb, void *ctx)
{
    MER_ASSERT(f->listeners < LISTENERS);
    f->listener[f->listeners].cb = cb;
    f->listener[f->listeners++].ctx = ctx;
}

const char *edge_far_region(const struct edge_far *f)
{
    return f->conf.region;
}

enum mer_err edge_far_create(struct edge_far **out, const struct edge_far_conf *conf)
{
    struct edge_far *f = mer_try_calloc(1, sizeof(*f));
    if (f == NULL)
        return MER_ENOMEM;
    f->conf = *conf;
    f->scratch = mer_try_malloc(MER_LINK_PAYLOAD_MAX);
    if (f->scratch == NULL) {
        mer_free(&f);
        return MER_ENOMEM;
    }
    mer_metrics_add(conf->metrics, &f->set, metrics, M_COUNT, f->values);
    edge_routers_on(conf->routers, ROUTER(FAR_MESSAGE), on_message, f);
    edge_routers_on(conf->routers, ROUTER(FAR_UNSENT), on_unsent, f);
    *out = f;
    return MER_OK;
}

void edge_far_destroy(struct edge_far *f)
{
    if (f == NULL)
        return;
    mer_metrics_remove(&f->set);
    mer_free(&f->scratch);
    mer_free(&f);
}
