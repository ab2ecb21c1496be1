/* SPDX-License-Identifier: Apache-2.0
 * endpoints.c - endpoints.json (PROTOCOL.md, "The local footprint"). */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tests/load/options.h"

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static void read_server(struct load_server *s, const json_t *o)
{
    static const char http[] = "http://";
    const char *admin = text_of(o, "admin");
    if (strncmp(admin, http, sizeof(http) - 1) == 0)
        admin += sizeof(http) - 1;
    snprintf(s->id, sizeof(s->id), "%s", text_of(o, "id"));
    snprintf(s->admin, sizeof(s->admin), "%s", admin);
    s->pid = (int)json_integer_value(json_object_get(o, "pid"));
}

static enum mer_err read_region(struct load_endpoints *out, const json_t *region, const char *only_edge, struct mer_msg *msg)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(region, "edges"), i, o)
    {
        if (out->edges == LOAD_EDGES_MAX || (only_edge && strcmp(only_edge, text_of(o, "id")) != 0))
            continue;
        struct load_edge *e = &out->edge[out->edges++];
        read_server(&e->server, o);
        if (load_url_parse(&e->url, text_of(o, "ws")) != MER_OK) {
            mer_msgf(msg, "edge \"%s\" has no usable ws address", e->server.id);
            return MER_EINVALID;
        }
        out->tls |= e->url.tls;
    }
    const char *play = text_of(json_object_get(region, "play"), "ws");
    if (*play && load_url_parse(&out->play, play) != MER_OK) {
        mer_msgf(msg, "\"%s\" is no usable ws address", play);
        return MER_EINVALID;
    }
    json_array_foreach(json_object_get(region, "routers"), i, o)
    {
        if (out->routers < LOAD_ROUTERS_MAX)
            read_server(&out->router[out->routers++], o);
    }
    json_array_foreach(json_object_get(region, "redis"), i, o)
    {
        if (out->redises < LOAD_REDIS_MAX && json_string_value(o))
            snprintf(out->redis[out->redises++], sizeof(out->redis[0]), "%s", json_string_value(o));
    }
    if (out->edges == 0) {
        mer_msgf(msg, only_edge ? "no edge \"%s\"" : "no edges", only_edge);
        return MER_ENOTFOUND;
    }
    return MER_OK;
}

enum mer_err load_endpoints_read(struct load_endpoints *out, const char *file, const char *only_edge, struct mer_msg *msg)
{
    json_error_t error;
    memset(out, 0, sizeof(*out));
    json_t *root = json_load_file(file, 0, &error);
    if (!root) {
        mer_msgf(msg, "%s: %s (is it running? infra/local/up starts it)", file, error.text);
        return MER_ENOTFOUND;
    }
    enum mer_err err = read_region(out, json_array_get(json_object_get(root, "regions"), 0), only_edge, msg);
    json_decref(root);
    return err;
}
