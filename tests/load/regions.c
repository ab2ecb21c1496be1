/* SPDX-License-Identifier: Apache-2.0
 * regions.c - the list of regions: asked once, before the run, so it may block. Next: jws.c checks its signature. */
#include "tests/load/regions.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <meridian/mem.h>

#include "tests/load/jws.h"

enum { ANSWER_MAX = 64 * 1024, WAIT_S = 3, TRIPS = 3 };

/* --- the list --------------------------------------------------------------------------------------------------------------------------
 */

/* Who it is beside its address is known of edges that endpoints.json told of. */
static void take_edge(struct load_endpoints *e, const struct load_endpoints *known, const char *id, const struct load_url *url)
{
    struct load_edge *edge = &e->edge[e->edges++];
    *edge = (struct load_edge){.url = *url, .region = (uint8_t)(e->regions - 1)};
    snprintf(edge->server.id, sizeof(edge->server.id), "%s", id);
    for (unsigned i = 0; i < known->edges; i++)
        if (strcmp(known->edge[i].server.id, id) == 0)
            edge->server = known->edge[i].server;
}

static bool take_region(struct load_endpoints *e, const struct load_endpoints *known, const json_t *o)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    struct load_region *region = &e->region[e->regions];
    json_t *edge;
    size_t i;
    if (!name || e->regions == LOAD_REGIONS_MAX)
        return false;
    e->regions++;
    *region = (struct load_region){.first = e->edges};
    snprintf(region->name, sizeof(region->name), "%s", name);
    json_array_foreach(json_object_get(o, "edges"), i, edge)
    {
        const char *id = json_string_value(json_object_get(edge, "id")), *ws = json_string_value(json_object_get(edge, "ws"));
        struct load_url url;
        if (!id || !ws || load_url_parse(&url, ws) != MER_OK || e->edges == LOAD_EDGES_MAX)
            return false;
        e->tls |= url.tls;
        if (strcmp(id, name) == 0)
            region->play = url;
        else
            take_edge(e, known, id, &url);
    }
    region->edges = e->edges - region->first;
    return region->edges > 0 && region->play.authority[0];
}

bool load_regions_parse(struct load_endpoints *e, const char *text, size_t len)
{
    const struct load_endpoints known = *e;
    json_t *root = json_loadb(text, len, 0, NULL), *region;
    bool good = root != NULL;
    size_t i;
    e->edges = e->regions = 0;
    json_array_foreach(json_object_get(root, "regions"), i, region) good = good && take_region(e, &known, region);
    json_decref(root);
    return good && e->regions > 1;
}

/* --- asking and measuring --------------------------------------------------------------------------------------------------------------
 */

static int dial(const struct load_url *url)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
        connect(fd, (const struct sockaddr *)&url->address, sizeof(url->address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool ask(const struct load_url *url, char *answer, size_t bytes)
{
    char question[160];
    size_t len = 0;
    ssize_t n = 0;
    int fd = dial(url);
    int asked = snprintf(question, sizeof(question), "GET /v1/regions HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", url->authority);
    if (fd < 0)
        return false;
    if (write(fd, question, (size_t)asked) == asked)
        while (len + 1 < bytes && (n = read(fd, answer + len, bytes - 1 - len)) > 0)
            len += (size_t)n;
    close(fd);
    answer[len] = 0;
    return len > 0;
}

static uint64_t mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The shortest of a few handshakes; UINT64_MAX / 8 when it is not there. */
static uint64_t trip_us(const struct load_url *url)
{
    uint64_t best = UINT64_MAX / 8;
    for (int i = 0; i < TRIPS; i++) {
        uint64_t from_us = mono_us();
        int fd = dial(url);
        if (fd < 0)
            continue;
        uint64_t took_us = mono_us() - from_us;
        best = took_us < best ? took_us : best;
        close(fd);
    }
    return best;
}

static void sort_by_distance(struct load_endpoints *e)
{
    for (unsigned i = 0; i < e->regions; i++) {
        unsigned at = i;
        e->region[i].trip_us = trip_us(&e->region[i].play);
        for (; at > 0 && e->region[e->nearest[at - 1]].trip_us > e->region[i].trip_us; at--)
            e->nearest[at] = e->nearest[at - 1];
        e->nearest[at] = (uint8_t)i;
    }
}

/* False: not there, or too long. */
static bool read_keys(const char *file, char *out, size_t bytes)
{
    FILE *f = fopen(file, "re");
    size_t n = f ? fread(out, 1, bytes - 1, f) : 0;
    out[n] = 0;
    if (f)
        fclose(f);
    return n > 0 && n < bytes - 1;
}

enum mer_err load_regions_learn(struct load_endpoints *e, const char *jwks, struct mer_msg *msg)
{
    static const char name[] = "\r\nmeridian-signature: ";
    char *answer = mer_xcalloc(1, ANSWER_MAX), signature[512] = "", keys[16 * 1024];
    enum mer_err err = MER_EINVALID;
    const char *from = e->edge[0].server.id;
    if (!ask(&e->edge[0].url, answer, ANSWER_MAX)) {
        mer_msgf(msg, "%s does not tell the regions", from);
        err = MER_EIO;
        goto out;
    }
    const char *body = strstr(answer, "\r\n\r\n"), *head = strcasestr(answer, name);
    if (!body || !head || head > body || sscanf(head + sizeof(name) - 1, "%511[A-Za-z0-9_.-]", signature) != 1 ||
        !read_keys(jwks, keys, sizeof(keys)) || !load_jws_signed(keys, signature, body + 4, strlen(body + 4))) {
        mer_msgf(msg, "the list of regions of %s is not signed by a key in %s", from, jwks);
        goto out;
    }
    if (!load_regions_parse(e, body + 4, strlen(body + 4))) {
        mer_msgf(msg, "the list of regions is not one of several regions with edges: %.200s", body + 4);
        goto out;
    }
    sort_by_distance(e);
    err = MER_OK;
out:
    mer_free(&answer);
    return err;
}
