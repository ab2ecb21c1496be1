/* SPDX-License-Identifier: Apache-2.0
 * plan_dir.c - plan_dir.h. State travels on another way (state file, seconds) than configuration (here, checked, by hand or by a pipeline):
 * who must turn players away from a burning region shall not need a build. */
#include "geo/plan_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "geo/run.h"

enum { PATH_BYTES = 4096 };

static bool path_to(char *path, const char *dir, const char *name, struct mer_msg *msg)
{
    bool good = snprintf(path, PATH_BYTES, "%s%s%s", dir, name[0] != '\0' ? "/" : "", name) < PATH_BYTES;
    if (!good)
        mer_msgf(msg, "%s: the path is too long", dir);
    return good;
}

/* ---- the files ----------------------------------------------------------------------------------------------------------------------- */

enum mer_err geo_plan_files_init(struct geo_plan_files *p, const struct geo_footprint *f, const struct geo_measured *m,
                                 const struct geo_plan_conf *c)
{
    memset(p, 0, sizeof *p);
    enum mer_err err = geo_plan_config(f, m, c, &p->config);
    if (err == MER_OK)
        err = geo_plan_networks(f, m, &p->networks);
    struct mer_buf parts[2] = {p->config, p->networks};
    p->generation = geo_plan_hash(parts, 2);
    if (err == MER_OK)
        err = geo_plan_zone(f, c, p->generation, &p->zone);
    if (err == MER_OK)
        err = geo_plan_orders(f, m, &p->orders);
    if (err != MER_OK)
        geo_plan_files_deinit(p);
    return err;
}

void geo_plan_files_deinit(struct geo_plan_files *p)
{
    mer_buf_deinit(&p->config);
    mer_buf_deinit(&p->networks);
    mer_buf_deinit(&p->zone);
    mer_buf_deinit(&p->orders);
}

static enum mer_err failed(struct mer_msg *msg, const char *path)
{
    mer_msgf(msg, "%.400s: %s", path, strerror(errno));
    return MER_EIO;
}

static enum mer_err write_file(const char *dir, const char *name, const struct mer_buf *text, struct mer_msg *msg)
{
    char path[PATH_BYTES], fresh[PATH_BYTES + 8];
    if (!path_to(path, dir, name, msg))
        return MER_EIO;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *out = fopen(fresh, "wb");
    if (out == NULL)
        return failed(msg, fresh);
    bool good = text->len == 0 || fwrite(text->data, text->len, 1, out) == 1;
    good = fflush(out) == 0 && fsync(fileno(out)) == 0 && good;
    good = fclose(out) == 0 && good;
    if (!good || rename(fresh, path) != 0)
        return failed(msg, path);
    return MER_OK;
}

static enum mer_err make_dir(const char *dir, const char *name, struct mer_msg *msg)
{
    char path[PATH_BYTES];
    if (!path_to(path, dir, name, msg))
        return MER_EIO;
    return mkdir(path, 0755) == 0 || errno == EEXIST ? MER_OK : failed(msg, path);
}

enum mer_err geo_plan_dir_write(const struct geo_plan_files *p, const struct geo_footprint *f, const char *dir, struct mer_msg *msg)
{
    char zone[300];
    snprintf(zone, sizeof zone, "zones/%s", f->zone);
    const struct {
        const char *name;
        const struct mer_buf *text; /* NULL: a folder */
    } parts[] = {{"", NULL},
                 {"zones", NULL},
                 {"geoip", NULL},
                 {"geoip/networks", &p->networks},
                 {zone, &p->zone},
                 {"orders.json", &p->orders},
                 {"config", &p->config}};
    enum mer_err err = MER_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && err == MER_OK; i++)
        err = parts[i].text == NULL ? make_dir(dir, parts[i].name, msg) : write_file(dir, parts[i].name, parts[i].text, msg);
    return err;
}

/* ---- judged -------------------------------------------------------------------------------------------------------------------------- */

/* The last line that says what is wrong, else the last. */
static void last_word(const struct mer_buf *said, char *line, size_t size)
{
    snprintf(line, size, "no word of why");
    for (size_t at = 0; at < said->len;) {
        const char *s = (const char *)said->data + at;
        const char *end = memchr(s, '\n', said->len - at);
        size_t len = end == NULL ? said->len - at : (size_t)(end - s);
        bool wrong = len > 6 && (memcmp(s, "fatal:", 6) == 0 || memcmp(s, "error:", 6) == 0);
        if (len > 0 && (wrong || strncmp(line, "fatal:", 6) != 0))
            snprintf(line, size, "%.*s", (int)len, s);
        at += len + 1;
    }
}

/* gdnsd_geoip_test answers "world => 84.128.0.0/10 => eu, us-east, ..."; only the part behind the last arrow counts. */
static bool ask(const char *dir, const char *address, char *regions, size_t size, struct mer_msg *msg)
{
    const char *const argv[] = {"gdnsd_geoip_test", "-c", dir, "world", address, NULL};
    struct mer_buf said = {0};
    int code = 0;
    bool good = geo_run(argv, &said, &code) == MER_OK && code == 0 && mer_buf_append(&said, "", 1) == MER_OK;
    const char *arrow = NULL;
    for (const char *s = good ? (const char *)said.data : ""; (s = strstr(s, "=> ")) != NULL; s += 3)
        arrow = s + 3;
    if (arrow == NULL)
        mer_msgf(msg, "gdnsd_geoip_test has no answer for %s (exit code %d)", address, code);
    else
        snprintf(regions, size, "%.*s", (int)strcspn(arrow, "\n"), arrow);
    mer_buf_deinit(&said);
    return arrow != NULL;
}

/* "eu, us-east" and "eu us-east" say the same; as many as are wanted. */
static bool begins_with(const char *said, const char *wanted)
{
    for (;;) {
        wanted += strspn(wanted, " \t");
        said += strspn(said, ", ");
        size_t n = strcspn(wanted, " \t"), m = strcspn(said, ", ");
        if (n == 0)
            return true;
        if (n != m || memcmp(said, wanted, n) != 0)
            return false;
        wanted += n;
        said += m;
    }
}

/* Networks that were in these countries for decades. */
static const struct {
    const char *country, *address;
} known[] = {{"DE", "84.128.0.1"}, {"JP", "126.0.0.1"}, {"BR", "177.0.0.1"}, {"AU", "1.128.0.1"}};

/* gdnsd takes any database and says nothing when it finds no country in it. So: somebody who must not go the default way does not. */
static bool tells_places_apart(const char *dir, const struct geo_footprint *f, const struct geo_measured *m, struct mer_msg *msg)
{
    uint8_t first[GEO_REGIONS_MAX], own[GEO_REGIONS_MAX];
    char said[2048], usual[GEO_REGIONS_MAX * 64 + 1];
    bool asked = false;
    size_t len = 0;
    geo_order_from(f, 0, first);
    for (uint32_t i = 0; i < f->count; i++)
        len += (size_t)snprintf(usual + len, sizeof usual - len, "%s ", f->region[first[i]].name);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        size_t i = 0;
        while (strcmp(geo_places[i].country, known[k].country) != 0)
            i++;
        geo_order(f, m, &geo_places[i], own);
        if (memcmp(own, first, f->count) == 0)
            continue;
        asked = true;
        if (!ask(dir, known[k].address, said, sizeof said, msg))
            return false;
        if (!begins_with(said, usual))
            return true;
    }
    if (asked)
        mer_msgf(msg, "the database tells gdnsd no place from another: it must be a GeoIP2 or GeoLite2 City file, not a flat one");
    return !asked;
}

enum mer_err geo_plan_dir_check(const char *dir, const struct geo_footprint *f, const struct geo_measured *m, bool database,
                                struct mer_msg *msg)
{
    const char *const argv[] = {"gdnsd", "-c", dir, "checkconf", NULL};
    struct mer_buf said = {0};
    char line[400];
    int code = 0;
    enum mer_err err = geo_run(argv, &said, &code);
    if (err == MER_OK && mer_buf_append(&said, "", 1) == MER_OK && code != 0) {
        said.len--;
        last_word(&said, line, sizeof line);
        mer_msgf(msg, code == 127 ? "gdnsd is not installed" : "gdnsd refuses %.80s: %s", dir, line);
        err = MER_EINVALID;
    }
    mer_buf_deinit(&said);
    if (err == MER_OK && database && !tells_places_apart(dir, f, m, msg))
        err = MER_EINVALID;
    return err;
}

enum mer_err geo_plan_dir_golden(const char *dir, const char *golden, FILE *out, struct mer_msg *msg)
{
    FILE *in = fopen(golden, "r");
    if (in == NULL)
        return failed(msg, golden);
    char line[512], said[2048];
    unsigned number = 0, rows = 0, wrong = 0;
    enum mer_err err = MER_OK;
    while (err == MER_OK && fgets(line, sizeof line, in) != NULL) {
        number++;
        line[strcspn(line, "#\n")] = '\0';
        char *address = line + strspn(line, " \t");
        size_t len = strcspn(address, " \t");
        if (len == 0)
            continue;
        char *wanted = address[len] == '\0' ? address + len : address + len + 1;
        address[len] = '\0';
        rows++;
        if (!ask(dir, address, said, sizeof said, msg)) {
            err = MER_EIO;
        } else if (wanted[strspn(wanted, " \t")] == '\0' || !begins_with(said, wanted)) {
            fprintf(out, "%s:%u: %s goes to %s, not to %s\n", golden, number, address, said, wanted);
            wrong++;
        }
    }
    fclose(in);
    if (err == MER_OK && (wrong > 0 || rows == 0)) {
        mer_msgf(msg, "%s: %u of %u rows are wrong", golden, wrong, rows);
        err = MER_EINVALID;
    }
    return err;
}

/* ---- in force ------------------------------------------------------------------------------------------------------------------------ */

static bool same_file(const char *dir, const char *name, const struct mer_buf *text)
{
    char path[PATH_BYTES];
    struct mer_msg ignored;
    FILE *in = path_to(path, dir, name, &ignored) ? fopen(path, "rb") : NULL;
    if (in == NULL)
        return false;
    bool same = true;
    size_t at = 0;
    char block[4096];
    for (size_t n; same && (n = fread(block, 1, sizeof block, in)) > 0; at += n)
        same = at + n <= text->len && memcmp(block, text->data + at, n) == 0;
    fclose(in);
    return same && at == text->len;
}

static enum mer_err control(const char *dir, const char *command, struct mer_msg *msg)
{
    const char *const argv[] = {"gdnsdctl", "-c", dir, command, NULL};
    struct mer_buf said = {0};
    char line[400];
    int code = 0;
    enum mer_err err = geo_run(argv, &said, &code);
    if (err == MER_OK && code != 0) {
        last_word(&said, line, sizeof line);
        mer_msgf(msg, "gdnsdctl %s: %s", command, line);
        err = MER_EREFUSED;
    }
    mer_buf_deinit(&said);
    return err;
}

/* An empty file that stands from before the first of the others is replaced until gdnsd took them: same files alone do not say that. */
static const char untold[] = "untold";

static bool is_untold(const char *dir)
{
    char path[PATH_BYTES];
    struct mer_msg ignored;
    return path_to(path, dir, untold, &ignored) && access(path, F_OK) == 0;
}

static enum mer_err set_untold(const char *dir, struct mer_msg *msg)
{
    enum mer_err err = make_dir(dir, "", msg);
    return err == MER_OK ? write_file(dir, untold, &(struct mer_buf){.len = 0}, msg) : err;
}

static void set_told(const char *dir)
{
    char path[PATH_BYTES];
    struct mer_msg ignored;
    if (path_to(path, dir, untold, &ignored))
        unlink(path); /* if it stays, gdnsd is told once more */
}

enum mer_err geo_plan_dir_apply(const struct geo_plan_files *p, const struct geo_footprint *f, const struct geo_measured *m,
                                const char *dir, bool database, enum geo_applied *applied, struct mer_msg *msg)
{
    char next[PATH_BYTES], zone[300];
    struct mer_msg ignored;
    snprintf(zone, sizeof zone, "zones/%s", f->zone);
    bool config = is_untold(dir) || !same_file(dir, "config", &p->config) || !same_file(dir, "geoip/networks", &p->networks);
    bool names = !same_file(dir, zone, &p->zone) || !same_file(dir, "orders.json", &p->orders);
    *applied = GEO_APPLIED_NOTHING;
    if (!config && !names)
        return MER_OK;
    if (snprintf(next, sizeof next, "%s.next", dir) >= PATH_BYTES)
        return MER_EIO;
    enum mer_err err = geo_plan_dir_write(p, f, next, msg);
    if (err == MER_OK)
        err = geo_plan_dir_check(next, f, m, database, msg);
    if (err == MER_OK)
        err = set_untold(dir, msg);
    if (err == MER_OK)
        err = geo_plan_dir_write(p, f, dir, msg);
    if (err != MER_OK)
        return err;
    *applied = control(dir, "status", &ignored) != MER_OK ? GEO_APPLIED_FILES : config ? GEO_APPLIED_CONFIG : GEO_APPLIED_ZONE;
    if (*applied != GEO_APPLIED_FILES)
        err = control(dir, config ? "replace" : "reload-zones", msg);
    if (err == MER_OK)
        set_told(dir);
    return err;
}
