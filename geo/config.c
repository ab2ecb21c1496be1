/* SPDX-License-Identifier: Apache-2.0
 * config.c - the table behind --check-config, --print-config-help and the manual page of meridian-geo. */
#include "geo/config.h"

#include <string.h>

#include <meridian/id.h>

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define STR(f, lo, hi, d, h) MER_CONF_ROW_STR(struct geo_config, f, lo, hi, d, h)
#define STRS(f, lo, hi, d, h) MER_CONF_ROW_STRS(struct geo_config, f, lo, hi, d, h)
#define U32(f, lo, hi, d, h) MER_CONF_ROW_U32(struct geo_config, f, lo, hi, d, h)
#define ENUM(f, n, d, h) MER_CONF_ROW_ENUM(struct geo_config, f, n, d, h)

/* clang-format off */
const struct mer_conf_item geo_config_items[] = {
    STR(footprint, 1, 4095, NULL, "geo/footprint.yaml: the regions (R30)"),
    STR(id, 1, 47, NULL, "name of this process, unique among the agents"),
    STR(state_file, 1, 4000, "/var/lib/gdnsd/admin_state", "gdnsd's state file, which this process writes (R32)"),
    STR(journal, 1, 4000, "/var/lib/meridian-geo/journal", "every change and every wish, a JSON object a line; wishes are read back at start"),
    STR(admin_listen, 1, 255, NULL, "admin port (health, metrics, status, wishes): loopback only"),
    STR(control_listen, 0, 255, "", "where meridianctl reaches this agent: unix:PATH, or host:port, with the tls files by mutual TLS and else of loopback only; empty: nowhere"),
    STRS(routers, 0, 64, "", "region=host:port of the regions' routers, which tell load and health"),
    STR(tls_cert, 0, 4095, "", "PEM certificate shown to routers: meridian://global/geo (infra/host/certificates make geo global); then routers are their control_listen; empty: plain, their link_listen"),
    STR(tls_key, 0, 4095, "", "PEM key of that certificate"),
    STR(tls_ca, 0, 4095, "", "PEM authorities of the routers' certificates"),
    U32(probe_port, 1, 65535, "443", "player port of the addresses in the footprint"),
    STR(probe_path, 1, 255, "/v1/echo", "what is upgraded there; it must send back what it is sent: edges need echo_enabled"),
    STR(probe_name, 0, 253, "", "name in the request and in the certificate; empty: the footprint's zone"),
    STR(probe_tls_ca, 0, 4095, "", "PEM authorities of the player port's certificate; empty: plain"),
    ENUM(log_level, levels, "info", "least important line that is written"),
};
/* clang-format on */
const size_t geo_config_item_count = MER_COUNT(geo_config_items);

bool geo_config_router(const struct geo_footprint *f, const char *item, uint32_t *region, const char **address)
{
    char name[64];
    const char *mark = strchr(item, '=');
    if (mark == NULL || mark[1] == '\0' || (size_t)(mark - item) >= sizeof name)
        return false;
    memcpy(name, item, (size_t)(mark - item));
    name[mark - item] = '\0';
    int found = geo_footprint_find(f, name);
    if (found < 0)
        return false;
    *region = (uint32_t)found;
    *address = mark + 1;
    return true;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 || strncmp(address, "localhost:", 10) == 0;
}

enum mer_err geo_config_validate(const struct geo_config *c, struct geo_footprint *f, struct mer_buf *errors)
{
    enum mer_err err = geo_footprint_load(f, c->footprint, errors);
    uint32_t region;
    const char *address;
    size_t before = errors->len;
    for (size_t i = 0; i < c->routers.count && err == MER_OK; i++)
        if (!geo_config_router(f, c->routers.item[i], &region, &address))
            err = mer_buf_appendf(errors, "routers: \"%s\" is not of the form region=host:port with a region of the footprint\n",
                                  c->routers.item[i]);
    if (err == MER_OK && !mer_id_is_plain(c->id, strlen(c->id), 47))
        err = mer_buf_appends(errors, "id: only A-Z a-z 0-9 _ -\n");
    int files = (c->tls_cert[0] != 0) + (c->tls_key[0] != 0) + (c->tls_ca[0] != 0);
    if (err == MER_OK && files % 3 != 0)
        err = mer_buf_appends(errors, "tls_cert, tls_key, tls_ca: all three or none\n");
    if (err == MER_OK && c->control_listen[0] != 0 && strncmp(c->control_listen, "unix:", 5) != 0 && !is_loopback(c->control_listen) &&
        c->tls_cert[0] == 0)
        err = mer_buf_appends(errors, "control_listen: beyond this machine only with the tls files: who reaches it gives orders\n");
    if (err == MER_OK && c->probe_path[0] != '/')
        err = mer_buf_appends(errors, "probe_path: must begin with /\n");
    if (err == MER_OK && errors->len > before) {
        geo_footprint_deinit(f);
        err = MER_EINVALID;
    }
    return err;
}
