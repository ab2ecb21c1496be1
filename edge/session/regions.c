/* SPDX-License-Identifier: Apache-2.0
 * regions.c - regions.h. The shared address stands behind a region's edges, because it outlives them: a list may be needed long after it
 * was given. Owner: api.c. */
#include "edge/session/regions.h"

#include <stdlib.h>
#include <string.h>

#include <meridian/id.h>
#include <meridian/json.h>
#include <meridian/mem.h>

#define INTERNAL(x) Meridian__Internal__V1__##x

bool edge_regions_row(const char *row, char name[32], const char **url)
{
    size_t len = strcspn(row, " ");
    if (len == 0 || len >= 32 || row[len] == '\0' || !mer_id_is_plain(row, len, 31))
        return false;
    const char *address = row + len + 1;
    size_t scheme = strncmp(address, "http://", 7) == 0 ? 7 : strncmp(address, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return false;
    const char *host = address + scheme;
    size_t host_len = strcspn(host, "/?# \"\\");
    if (host_len == 0 || (host[host_len] != '\0' && strcmp(host + host_len, "/") != 0) || strlen(address) > EDGE_REGION_URL_MAX)
        return false;
    memcpy(name, row, len);
    name[len] = '\0';
    *url = address;
    return true;
}

void edge_regions_init(struct edge_regions *r, const char *own, const struct mer_strs *rows)
{
    *r = (struct edge_regions){own, rows, NULL};
}

void edge_regions_deinit(struct edge_regions *r)
{
    if (r->edges != NULL)
        meridian__internal__v1__edge_list__free_unpacked(r->edges, NULL);
    r->edges = NULL;
}

enum mer_err edge_regions_tell(struct edge_regions *r, const INTERNAL(EdgeList) * list)
{
    size_t size = meridian__internal__v1__edge_list__get_packed_size(list);
    uint8_t *packed = mer_try_malloc(size + 1);
    if (packed == NULL)
        return MER_ENOMEM;
    INTERNAL(EdgeList) *copy =
        meridian__internal__v1__edge_list__unpack(NULL, meridian__internal__v1__edge_list__pack(list, packed), packed);
    free(packed);
    if (copy == NULL)
        return MER_ENOMEM;
    edge_regions_deinit(r);
    r->edges = copy;
    return MER_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------- */

struct writer {
    struct mer_buf *out;
    bool first_region, first_edge;
    enum mer_err err; /* the first; later calls do nothing */
};

static void put(struct writer *w, const char *text)
{
    if (w->err == MER_OK)
        w->err = mer_buf_appends(w->out, text);
}

static void put_string(struct writer *w, const char *text)
{
    if (w->err == MER_OK)
        w->err = mer_json_write_string(text, strlen(text), w->out);
}

static void put_edge(struct writer *w, const char *id, const char *ws)
{
    put(w, w->first_edge ? "{\"id\":" : ",{\"id\":");
    put_string(w, id);
    put(w, ",\"ws\":");
    put_string(w, ws);
    put(w, "}");
    w->first_edge = false;
}

/* http://host[:port][/] -> ws://host[:port]/v1/ws */
static void put_shared(struct writer *w, const char *name, const char *url)
{
    char ws[EDGE_REGION_URL_MAX + 16];
    size_t len = strlen(url);
    snprintf(ws, sizeof ws, "ws%.*s/v1/ws", (int)(len - 4 - (url[len - 1] == '/')), url + 4);
    put_edge(w, name, ws);
}

static void put_region(struct writer *w, const char *name, INTERNAL(ListedEdge) *const *edges, size_t count, const char *url)
{
    put(w, w->first_region ? "{\"name\":" : ",{\"name\":");
    put_string(w, name);
    put(w, ",\"edges\":[");
    w->first_region = false;
    w->first_edge = true;
    for (size_t i = 0; i < count; i++)
        put_edge(w, edges[i]->id, edges[i]->ws_url);
    if (url != NULL)
        put_shared(w, name, url);
    put(w, "]}");
}

static const INTERNAL(ListedRegion) * told(const struct edge_regions *r, const char *name)
{
    for (size_t i = 0; r->edges != NULL && i < r->edges->n_regions; i++)
        if (strcmp(r->edges->regions[i]->name, name) == 0)
            return r->edges->regions[i];
    return NULL;
}

/* The address in the configuration; NULL: the region is not in it. */
static const char *address_of(const struct edge_regions *r, const char *name)
{
    char row_name[32];
    const char *url;
    for (size_t i = 0; i < r->rows->count; i++)
        if (edge_regions_row(r->rows->item[i], row_name, &url) && strcmp(row_name, name) == 0)
            return url;
    return NULL;
}

/* The configured ones but our own: those that take players, or those that do not. */
static void put_rows(struct writer *w, const struct edge_regions *r, bool open)
{
    char name[32];
    const char *url;
    for (size_t i = 0; i < r->rows->count; i++) {
        if (!edge_regions_row(r->rows->item[i], name, &url) || strcmp(name, r->own) == 0)
            continue;
        const INTERNAL(ListedRegion) *t = told(r, name);
        if (open && (t == NULL || t->open))
            put_region(w, name, t == NULL ? NULL : t->edges, t == NULL ? 0 : t->n_edges, url);
        else if (!open && t != NULL && !t->open)
            put_region(w, name, NULL, 0, NULL);
    }
}

enum mer_err edge_regions_write(const struct edge_regions *r, uint64_t expires_ms, struct mer_buf *out)
{
    struct writer w = {out, true, true, MER_OK};
    put(&w, "{\"regions\":[");
    put_region(&w, r->own, r->edges == NULL ? NULL : r->edges->edges, r->edges == NULL ? 0 : r->edges->n_edges, address_of(r, r->own));
    put_rows(&w, r, true);
    for (size_t i = 0; r->edges != NULL && i < r->edges->n_regions; i++) {
        const INTERNAL(ListedRegion) *t = r->edges->regions[i];
        if (t->open && t->n_edges > 0 && strcmp(t->name, r->own) != 0 && address_of(r, t->name) == NULL)
            put_region(&w, t->name, t->edges, t->n_edges, NULL);
    }
    put_rows(&w, r, false);
    if (w.err == MER_OK)
        w.err = mer_buf_appendf(out, "],\"expiresAtMs\":%llu}", (unsigned long long)expires_ms);
    return w.err;
}
