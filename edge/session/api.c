/* SPDX-License-Identifier: Apache-2.0
 * api.c - see api.h. Guest tokens are signed here, so that a studio can play before it has an account system; so is the list of
 * regions (regions.h). Owner: the app.
 * Next: auth.c (who checks the tokens). */
#include "edge/session/api.h"

#include <string.h>

#include <jansson.h>
#include <meridian/id.h>
#include <meridian/json.h>
#include <meridian/mem.h>

#include "edge/limits.h"
#include "edge/session/overload.h"
#include "edge/session/regions.h"

#define ROUTER(x) MERIDIAN__INTERNAL__V1__ROUTER_MESSAGE__BODY_##x

enum { REGIONS_TTL_MS = 300 * 1000 /* clients ask again with their next token */, REGIONS_KEPT_MS = 1000 };
static const struct mer_bucket_rate guest_rate = {2000,
                                                  4000}; /* tokens a second of this process: signing is 20 us, this is 4 % of a core */

enum { M_GUESTS, M_GUESTS_RENEWED, M_GUESTS_REFUSED, M_API_COUNT };
static const struct mer_metric_def defs[M_API_COUNT] = {
    [M_GUESTS] = {"meridian_edge_guest_tokens_total", "guest tokens given", MER_COUNTER, "kind=\"new\""},
    [M_GUESTS_RENEWED] = {"meridian_edge_guest_tokens_total", "guest tokens given", MER_COUNTER, "kind=\"renewed\""},
    [M_GUESTS_REFUSED] = {"meridian_edge_guest_tokens_refused_total", "guest tokens not given", MER_COUNTER, NULL},
};

struct edge_api {
    struct edge_app *app;
    struct edge_route routes[3];
    struct mer_bucket guests;
    struct edge_regions regions;
    struct mer_buf list;    /* the answer to /v1/regions */
    char signature[1024];   /* "": no key */
    uint64_t list_until_ms; /* 0: it must be made anew */
    uint64_t values[M_API_COUNT];
    struct mer_metric_set metric_set;
};

static void on_ping(void *ctx, struct edge_request *req)
{
    (void)ctx;
    edge_http_reply(req, 204, NULL, NULL, 0);
}

/* {"name"?}; an empty body is {}. */
static bool read_name(const struct edge_request *req, char name[MER_TOKEN_NAME_MAX + 1])
{
    json_error_t err;
    name[0] = 0;
    if (req->body.len == 0)
        return true;
    json_t *root = json_loadb(req->body.p, req->body.len, JSON_REJECT_DUPLICATES, &err);
    json_t *value = json_object_get(root, "name");
    const char *text = json_string_value(value);
    bool ok =
        json_is_object(root) && (value == NULL || (text != NULL && mer_id_is_text(text, json_string_length(value), MER_TOKEN_NAME_MAX)));
    if (ok && text != NULL)
        strcpy(name, text); /* length checked above */
    json_decref(root);
    return ok;
}

/* The user of a guest token that may be renewed: good, or expired for at most a day. */
static bool renewable(struct edge_api *a, struct edge_text token, struct mer_claims *claims)
{
    struct edge_app *app = a->app;
    struct mer_token_rules rules = {app->conf.token_issuer, app->conf.token_audience, EDGE_TOKEN_SKEW_S, app->conf.token_max_lifetime_s};
    uint64_t now = mer_clock_wall_ms(&app->clock);
    enum mer_token_cause cause = mer_token_verify(app->keys, &rules, token.p, token.len, now, claims);
    bool fresh_enough = cause == MER_TOKEN_OK || (cause == MER_TOKEN_EXPIRED && claims->exp_ms + EDGE_GUEST_RENEW_MAX_S * 1000ull >= now);
    return fresh_enough && claims->guest;
}

static enum mer_err sign_guest(struct edge_api *a, const char *user, const char *name, uint64_t exp_ms, struct mer_buf *answer)
{
    struct edge_app *app = a->app;
    char token[MER_TOKEN_MAX_BYTES];
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b}", "iss", app->conf.token_issuer, "aud", app->conf.token_audience, "sub", user,
                  "name", name, "iat", (json_int_t)(exp_ms / 1000 - EDGE_GUEST_TOKEN_S), "exp", (json_int_t)(exp_ms / 1000), "guest", 1);
    char *payload = claims == NULL ? NULL : json_dumps(claims, JSON_COMPACT);
    enum mer_err err = payload == NULL ? MER_ENOMEM : mer_token_sign(app->guest_keys, payload, strlen(payload), token, sizeof(token));
    free(payload);
    json_decref(claims);
    if (err == MER_OK)
        err = mer_buf_appendf(answer, "{\"token\":\"%s\",\"user\":", token);
    if (err == MER_OK)
        err = mer_json_write_string(user, strlen(user), answer);
    if (err == MER_OK)
        err = mer_buf_appendf(answer, ",\"expiresAtMs\":%llu}", (unsigned long long)exp_ms);
    return err;
}

static void on_guest(void *ctx, struct edge_request *req)
{
    struct edge_api *a = ctx;
    struct edge_app *app = a->app;
    struct mer_claims old = {0};
    char name[MER_TOKEN_NAME_MAX + 1], user[32];
    bool renew = req->bearer.len > 0;
    if (app->guest_keys == NULL || !app->conf.guest_allowed) {
        edge_http_error(req, 404, "not_found", "guests are not allowed here", 0);
        return;
    }
    if (!read_name(req, name)) {
        a->values[M_GUESTS_REFUSED]++;
        edge_http_error(req, 400, "bad_field", "name: 1 to 64 bytes of text", 0);
        return;
    }
    if (renew && !renewable(a, req->bearer, &old)) {
        a->values[M_GUESTS_REFUSED]++;
        edge_http_header(req, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
        edge_http_error(req, 401, "invalid_token", "not a guest token of the last 24 hours", 0);
        return;
    }
    if (!renew && !edge_overload_takes(app->overload, EDGE_WORK_GUEST)) {
        a->values[M_GUESTS_REFUSED]++;
        edge_http_error(req, 503, "overloaded", "too much to do: come back later", edge_overload_retry_ms(app->overload, EDGE_WORK_GUEST));
        return;
    }
    if (!mer_bucket_take(&a->guests, guest_rate, app->loop.now_ms)) {
        a->values[M_GUESTS_REFUSED]++;
        edge_http_error(req, 503, "overloaded", "too many guests at once", 1000);
        return;
    }
    mer_id_make(&app->rng, "g-", 10, user, sizeof(user));
    if (name[0] == 0)
        strcpy(name, old.name[0] != 0 ? old.name : "Guest"); /* claims' names are not longer */
    struct mer_buf answer;
    mer_buf_init(&answer, 0);
    uint64_t exp_ms = (mer_clock_wall_ms(&app->clock) / 1000 + EDGE_GUEST_TOKEN_S) * 1000;
    if (sign_guest(a, renew ? old.sub : user, name, exp_ms, &answer) == MER_OK) {
        a->values[renew ? M_GUESTS_RENEWED : M_GUESTS]++;
        edge_http_reply(req, 200, "application/json", answer.data, answer.len);
    } else {
        edge_http_error(req, 500, "internal", "the token could not be made", 0);
    }
    mer_buf_deinit(&answer);
}

/* The list and its signature, made at most once a second: a region that comes back is asked by everybody at once. */
static enum mer_err make_list(struct edge_api *a)
{
    struct edge_app *app = a->app;
    if (a->list_until_ms > app->loop.now_ms)
        return MER_OK;
    a->list_until_ms = 0;
    a->signature[0] = 0;
    mer_buf_clear(&a->list);
    enum mer_err err = edge_regions_write(&a->regions, mer_clock_wall_ms(&app->clock) + REGIONS_TTL_MS, &a->list);
    const struct mer_keys *keys = app->regions_keys != NULL ? app->regions_keys : app->guest_keys;
    if (err == MER_OK && keys != NULL)
        err = mer_jws_sign_detached(keys, a->list.data, a->list.len, a->signature, sizeof(a->signature));
    if (err == MER_OK)
        a->list_until_ms = app->loop.now_ms + REGIONS_KEPT_MS;
    return err;
}

static void on_regions(void *ctx, struct edge_request *req)
{
    struct edge_api *a = ctx;
    if (make_list(a) != MER_OK) {
        edge_http_error(req, 500, "internal", "the list could not be made", 0);
        return;
    }
    if (a->signature[0] != 0)
        edge_http_header(req, "Meridian-Signature", a->signature);
    edge_http_reply(req, 200, "application/json", a->list.data, a->list.len);
}

static void on_edge_list(void *ctx, const Meridian__Internal__V1__RouterMessage *m)
{
    struct edge_api *a = ctx;
    if (edge_regions_tell(&a->regions, m->edge_list) == MER_OK) /* else the old list still holds */
        a->list_until_ms = 0;
}

enum mer_err edge_api_create(struct edge_api **out, struct edge_app *app)
{
    struct edge_api *a = mer_xcalloc(1, sizeof(*a));
    a->app = app;
    a->routes[0] = (struct edge_route){"GET", "/v1/ping", on_ping, a};
    a->routes[1] = (struct edge_route){"POST", "/v1/guest", on_guest, a};
    a->routes[2] = (struct edge_route){"GET", "/v1/regions", on_regions, a};
    edge_regions_init(&a->regions, app->conf.region, &app->conf.regions);
    mer_buf_init(&a->list, 0);
    mer_bucket_init(&a->guests, guest_rate, app->loop.now_ms);
    mer_metrics_add(&app->metrics, &a->metric_set, defs, M_API_COUNT, a->values);
    edge_routers_on(app->routers, ROUTER(EDGE_LIST), on_edge_list, a);
    *out = a;
    return MER_OK;
}

const struct edge_route *edge_api_routes(const struct edge_api *a, size_t *count)
{
    *count = MER_COUNT(a->routes);
    return a->routes;
}

void edge_api_destroy(struct edge_api *a)
{
    if (a == NULL)
        return;
    mer_metrics_remove(&a->metric_set);
    edge_regions_deinit(&a->regions);
    mer_buf_deinit(&a->list);
    mer_free(&a);
}
