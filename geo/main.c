/* SPDX-License-Identifier: Apache-2.0
 * main.c - geo: plan, check and put in force what DNS answers. Exit codes: 0 done, 1 something is wrong with the files or gdnsd, 2 bad
 * usage. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "geo/plan_dir.h"

static const char usage[] =
    "usage: geo check [OPTIONS]             the footprint and what was measured; with --dir also the plan there, as gdnsd reads it\n"
    "       geo plan  --dir DIR [OPTIONS]   writes gdnsd's configuration, zone and networks, and orders.json\n"
    "       geo apply --dir DIR [OPTIONS]   the same, checked, and gdnsd told, with nothing lost; prints what changed\n"
    "  --footprint FILE    geo/footprint.yaml\n"
    "  --measured FILE     geo/measured.yaml\n"
    "  --dir DIR           gdnsd's folder\n"
    "  --golden FILE       check: lines \"ADDRESS REGION REGION ...\" that must come out so\n"
    "  --listen HOST:PORT  where gdnsd listens; may be given up to eight times; default 127.0.0.1:53\n"
    "  --database FILE     GeoIP2 or GeoLite2 City file; without it networks only\n"
    "  --name-server NAME[=ADDRESS,...]  one of the zone's, with its addresses when its name lies in the zone; may be given up to\n"
    "                      sixteen times, the same ones in the same order on every server; default ns1.<zone>=<where gdnsd listens>\n"
    "  --probe http:PORT|tcp:PORT  how gdnsd looks at each address; default tcp:443\n"
    "  --run-dir DIR       gdnsd's control socket; default /run/gdnsd\n"
    "  --state-dir DIR     its state file; default /var/lib/gdnsd\n";

struct arguments {
    const char *footprint, *measured, *dir, *golden;
    const char *listen[9];
    const char *name_server[GEO_NAME_SERVERS_MAX]; /* as given: they are read once the zone is known */
    struct geo_plan_conf plan;
};

static bool probe(const char *text, struct geo_plan_conf *c)
{
    unsigned port = 0;
    char kind[5] = "", more;
    if (sscanf(text, "%4[a-z]:%5u%c", kind, &port, &more) != 2 || port == 0 || port > 65535)
        return false;
    c->probe_http = strcmp(kind, "http") == 0;
    c->probe_port = (uint16_t)port;
    return c->probe_http || strcmp(kind, "tcp") == 0;
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {{"footprint", required_argument, NULL, 'f'},
                                            {"measured", required_argument, NULL, 'm'},
                                            {"dir", required_argument, NULL, 'd'},
                                            {"golden", required_argument, NULL, 'g'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"database", required_argument, NULL, 'b'},
                                            {"probe", required_argument, NULL, 'p'},
                                            {"name-server", required_argument, NULL, 'n'},
                                            {"run-dir", required_argument, NULL, 'r'},
                                            {"state-dir", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    size_t listens = 0;
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case 'f':
            a->footprint = optarg;
            break;
        case 'm':
            a->measured = optarg;
            break;
        case 'd':
            a->dir = optarg;
            break;
        case 'g':
            a->golden = optarg;
            break;
        case 'l':
            if (listens == 8)
                return false;
            a->listen[listens++] = optarg;
            break;
        case 'b':
            a->plan.database = optarg;
            break;
        case 'n':
            if (a->plan.name_server_count == GEO_NAME_SERVERS_MAX)
                return false;
            a->name_server[a->plan.name_server_count++] = optarg;
            break;
        case 'p':
            if (!probe(optarg, &a->plan))
                return false;
            break;
        case 'r':
            a->plan.run_dir = optarg;
            break;
        case 's':
            a->plan.state_dir = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static int fail(const struct mer_msg *msg)
{
    fprintf(stderr, "geo: %s\n", msg->text);
    return 1;
}

static int check(const struct arguments *a, const struct geo_footprint *f, const struct geo_measured *m)
{
    struct mer_msg msg = {"out of memory"};
    if (a->dir != NULL && geo_plan_dir_check(a->dir, f, m, a->plan.database != NULL, &msg) != MER_OK)
        return fail(&msg);
    if (a->golden != NULL && geo_plan_dir_golden(a->dir, a->golden, stderr, &msg) != MER_OK)
        return fail(&msg);
    printf("%u regions, zone %s: good\n", f->count, f->zone);
    return 0;
}

static enum mer_err read_name_servers(const struct arguments *a, const struct geo_footprint *f, struct geo_name_server *servers,
                                      struct geo_plan_conf *plan, struct mer_msg *msg)
{
    plan->name_servers = servers;
    if (plan->name_server_count == 0) {
        plan->name_server_count = 1;
        return geo_name_server_default(servers, f, plan->listen, msg);
    }
    enum mer_err err = MER_OK;
    for (size_t i = 0; i < plan->name_server_count && err == MER_OK; i++)
        err = geo_name_server_parse(&servers[i], f, a->name_server[i], msg);
    return err;
}

static int make(const struct arguments *a, const struct geo_footprint *f, const struct geo_measured *m, bool apply)
{
    static const char *const words[] = {"nothing changed", "zones reloaded", "gdnsd replaced by one with the new configuration",
                                        "written; no gdnsd runs from this folder"};
    struct mer_msg msg = {"out of memory"};
    struct geo_plan_files files;
    enum geo_applied applied = GEO_APPLIED_FILES;
    struct geo_name_server servers[GEO_NAME_SERVERS_MAX];
    struct geo_plan_conf plan = a->plan;
    if (read_name_servers(a, f, servers, &plan, &msg) != MER_OK || geo_plan_files_init(&files, f, m, &plan) != MER_OK)
        return fail(&msg);
    enum mer_err err = apply ? geo_plan_dir_apply(&files, f, m, a->dir, a->plan.database != NULL, &applied, &msg)
                             : geo_plan_dir_write(&files, f, a->dir, &msg);
    if (err == MER_OK)
        printf("generation %016llx: %s\n", (unsigned long long)files.generation, apply ? words[applied] : "written");
    geo_plan_files_deinit(&files);
    return err == MER_OK ? 0 : fail(&msg);
}

static int run(const char *command, const struct arguments *a)
{
    struct geo_footprint f;
    struct geo_measured m = {0};
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    enum mer_err err = geo_footprint_load(&f, a->footprint, &errors);
    if (err == MER_OK)
        err = geo_measured_load(&m, &f, a->measured, &errors);
    int code = 1;
    if (err != MER_OK)
        fprintf(stderr, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    else
        code = strcmp(command, "check") == 0 ? check(a, &f, &m) : make(a, &f, &m, strcmp(command, "apply") == 0);
    mer_buf_deinit(&errors);
    geo_measured_deinit(&m);
    geo_footprint_deinit(&f);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments a = {.footprint = "geo/footprint.yaml",
                          .measured = "geo/measured.yaml",
                          .listen = {"127.0.0.1:53"},
                          .plan = {.run_dir = "/run/gdnsd", .state_dir = "/var/lib/gdnsd", .probe_port = 443}};
    a.plan.listen = a.listen;
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    bool checks = strcmp(command, "check") == 0, makes = strcmp(command, "plan") == 0 || strcmp(command, "apply") == 0;
    if ((!checks && !makes) || !parse(&a, argc - 1, argv + 1) || (makes && a.dir == NULL) ||
        (a.golden != NULL && (a.dir == NULL || !checks))) {
        fputs(usage, stderr);
        return 2;
    }
    return run(command, &a);
}
