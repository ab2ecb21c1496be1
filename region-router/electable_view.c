/* SPDX-License-Identifier: Apache-2.0
 * electable_view.c - see electable_view.h. */
#include "region-router/electable_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_FIELDS = 9 /* id address flags primary ping pong epoch link slot... */, LINE_BYTES = 1024 };

/* The next line without its end, into `line` (cut off when longer: slot ranges). False at the end of the text. */
static bool next_line(const char **text, char line[LINE_BYTES])
{
    const char *p = *text;
    if (*p == 0)
        return false;
    size_t n = strcspn(p, "\n");
    *text = p[n] != 0 ? p + n + 1 : p + n;
    if (n > 0 && p[n - 1] == '\r')
        n--;
    snprintf(line, LINE_BYTES, "%.*s", (int)(n < LINE_BYTES ? n : LINE_BYTES - 1), p);
    return true;
}

static unsigned split(char *line, const char *by, char *field[], unsigned max)
{
    unsigned n = 0;
    char *rest = NULL;
    for (char *f = strtok_r(line, by, &rest); f != NULL && n < max; f = strtok_r(NULL, by, &rest))
        field[n++] = f;
    return n;
}

/* Digits and nothing else. */
static bool number(const char *text, uint64_t *out)
{
    if (text[0] == 0 || strlen(text) > 19 || strspn(text, "0123456789") != strlen(text))
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

/* One of the words of a list with commas. */
static bool has_flag(const char *flags, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = flags; p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == 0 || p[n] == ','))
            return true;
    return false;
}

static bool copy(char *out, size_t bytes, const char *text, size_t n)
{
    if (n == 0 || n >= bytes)
        return false;
    memcpy(out, text, n);
    out[n] = 0;
    return true;
}

static bool copy_id(char out[ROUTER_NODE_ID_BYTES], const char *text)
{
    return strlen(text) == ROUTER_NODE_ID_BYTES - 1 && copy(out, ROUTER_NODE_ID_BYTES, text, strlen(text));
}

static bool take_node(struct router_view *v, char *field[], unsigned fields)
{
    const char *flags = field[2];
    bool replica = strcmp(field[3], "-") != 0, slots = fields >= NODE_FIELDS && field[8][0] != '[';
    if (has_flag(flags, "myself"))
        return copy_id(v->id, field[0]) && (!replica || copy_id(v->primary, field[3])) && number(field[6], &v->config_epoch) &&
               ((v->slots = slots), true);
    if (has_flag(flags, "handshake") || has_flag(flags, "noaddr"))
        return v->hides = true;
    if (v->known_count == ROUTER_NODES_MAX)
        return false;
    struct router_known *k = &v->known[v->known_count];
    size_t address = strcspn(field[1], "@,");
    k->slots = slots;
    k->failed = has_flag(flags, "fail");
    if (!copy_id(k->id, field[0]) || (replica && !copy_id(k->primary, field[3])) ||
        !copy(k->address, sizeof k->address, field[1], address) || !number(field[6], &k->config_epoch))
        return false;
    v->known_count++;
    return true;
}

bool router_view_nodes(struct router_view *v, const char *text)
{
    char line[LINE_BYTES], *field[NODE_FIELDS];
    while (next_line(&text, line)) {
        unsigned n = split(line, " ", field, NODE_FIELDS);
        if (n < NODE_FIELDS - 1 || !take_node(v, field, n))
            return false;
    }
    return v->id[0] != 0;
}

/* Value of "name:value" in a text of lines; false: not there. */
static bool value_of(const char *text, const char *name, uint64_t *out)
{
    char line[LINE_BYTES];
    size_t n = strlen(name);
    while (next_line(&text, line))
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            return number(line + n + 1, out);
    return false;
}

bool router_view_cluster(struct router_view *v, const char *text)
{
    uint64_t assigned = 0;
    if (value_of(text, "cluster_slots_assigned", &assigned) && assigned <= UINT16_MAX)
        v->assigned = (unsigned)assigned;
    return value_of(text, "cluster_current_epoch", &v->current_epoch);
}

/* slaveN:ip=127.0.0.1,port=7604,state=online,offset=1234,lag=0 */
static bool take_attached(struct router_view *v, char *values)
{
    char *field[8];
    const char *ip = "", *port = "";
    uint64_t lag = 0;
    if (v->attached_count == ROUTER_NODES_MAX)
        return false;
    struct router_attached *a = &v->attached[v->attached_count];
    unsigned n = split(values, ",", field, MER_COUNT(field));
    for (unsigned i = 0; i < n; i++) {
        char *equals = strchr(field[i], '=');
        if (equals == NULL)
            return false;
        *equals = 0;
        if (strcmp(field[i], "ip") == 0)
            ip = equals + 1;
        else if (strcmp(field[i], "port") == 0)
            port = equals + 1;
        else if (strcmp(field[i], "state") == 0)
            a->online = strcmp(equals + 1, "online") == 0;
        else if (strcmp(field[i], "offset") == 0 && !number(equals + 1, &a->offset))
            return false;
        else if (strcmp(field[i], "lag") == 0 && !number(equals + 1, &lag))
            lag = UINT32_MAX; /* -1: not told yet */
    }
    a->lag_s = lag < UINT32_MAX ? (uint32_t)lag : UINT32_MAX;
    int len = snprintf(a->address, sizeof a->address, strchr(ip, ':') != NULL ? "[%s]:%s" : "%s:%s", ip, port);
    if (ip[0] == 0 || port[0] == 0 || (size_t)len >= sizeof a->address)
        return false;
    v->attached_count++;
    return true;
}

bool router_view_replication(struct router_view *v, const char *text)
{
    char line[LINE_BYTES];
    const char *rest = text;
    while (next_line(&rest, line)) {
        size_t digits = strncmp(line, "slave", 5) == 0 ? strspn(line + 5, "0123456789") : 0;
        if (digits > 0 && line[5 + digits] == ':' && !take_attached(v, line + 6 + digits))
            return false;
    }
    /* Of a replica: how far it is, as a primary counts. */
    return value_of(text, "slave_repl_offset", &v->offset) || value_of(text, "master_repl_offset", &v->offset);
}

bool router_view_user(struct router_view *v, const char *line)
{
    char copy_of[LINE_BYTES], *field[3];
    snprintf(copy_of, sizeof copy_of, "%s", line);
    if (split(copy_of, " ", field, 3) != 3 || strcmp(field[0], "user") != 0 || v->on_count == ROUTER_NODES_MAX)
        return false;
    if (strcmp(field[2], "on") == 0 && copy(v->on[v->on_count], sizeof v->on[0], field[1], strlen(field[1])))
        v->on_count++;
    return true;
}

const struct router_known *router_view_find(const struct router_view *v, const char *id)
{
    for (unsigned i = 0; i < v->known_count; i++)
        if (strcmp(v->known[i].id, id) == 0)
            return &v->known[i];
    return NULL;
}

const struct router_attached *router_view_attached(const struct router_view *v, const char *address)
{
    for (unsigned i = 0; i < v->attached_count; i++)
        if (strcmp(v->attached[i].address, address) == 0)
            return &v->attached[i];
    return NULL;
}

bool router_view_user_on(const struct router_view *v, const char *user)
{
    for (unsigned i = 0; i < v->on_count; i++)
        if (strcmp(v->on[i], user) == 0)
            return true;
    return false;
}
