/* SPDX-License-Identifier: Apache-2.0
 * main.c - geo: plan, check and put in force what DNS answers. Exit codes: 0 done, 1 something is wrong with the files or gdnsd, 2 bad
 * usage. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

enum { LISTENS_MAX = 8, PATH_BYTES = 4096 };

struct arguments {
    const char *footprint, *measured, *dir, *golden;
    const char *listen[LISTENS_MAX + 1];
    const char *name_server[GEO_NAME_SERVERS_MAX]; /* as given: they are read once the zone is known */
    struct geo_plan_conf plan;
};

/* One line that says what is wrong with the command line. */
static bool wrong(const char *text, const char *what)
{
    fprintf(stderr, "geo: %s%s%s; usage: geo check | plan | apply [OPTIONS], geo --help tells them\n", text, what != NULL ? " " : "",
            what != NULL ? what : "");
    return false;
}

/* gdnsd takes numeric addresses only, and tells a wrong one when it starts: too late for a plan that somebody else applies. */
static bool listens(const char *text)
{
    const char *colon = strrchr(text, ':');
    unsigned port = 0;
    char more;
    return colon != NULL && colon > text && text[strspn(text, "0123456789abcdefABCDEF.:[]")] == '\0' &&
           sscanf(colon + 1, "%5u%c", &port, &more) == 1 && port > 0 && port <= 65535;
}

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
    size_t count = 0;
    int at = 0;
    opterr = 0; /* we say it */
    for (int which; (which = getopt_long(argc, argv, ":", options, &at)) != -1;) {
        if (which == '?')
            return wrong("unknown option", argv[optind - 1]);
        if (which == ':')
            return wrong("a value is missing behind", argv[optind - 1]);
        if (optarg[0] == '\0')
            return wrong("an empty value for option", options[at].name);
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
            if (count == LISTENS_MAX)
                return wrong("--listen: at most eight times", NULL);
            if (!listens(optarg))
                return wrong("--listen is a numeric ADDRESS:PORT, not", optarg);
            a->listen[count++] = optarg;
            break;
        case 'b':
            a->plan.database = optarg;
            break;
        case 'n':
            if (a->plan.name_server_count == GEO_NAME_SERVERS_MAX)
                return wrong("--name-server: at most sixteen times", NULL);
            a->name_server[a->plan.name_server_count++] = optarg;
            break;
        case 'p':
            if (!probe(optarg, &a->plan))
                return wrong("--probe is http:PORT or tcp:PORT, not", optarg);
            break;
        case 'r':
            a->plan.run_dir = optarg;
            break;
        default:
            a->plan.state_dir = optarg;
        }
    }
    return optind == argc || wrong("unexpected word", argv[optind]);
}

/* What goes with what. */
static bool fits(const struct arguments *a, const char *command)
{
    bool checks = strcmp(command, "check") == 0;
    if (!checks && a->dir == NULL)
        return wrong(command, "needs gdnsd's folder: --dir DIR");
    if (a->golden != NULL && !checks)
        return wrong("--golden is for check, not for", command);
    return a->golden == NULL || a->dir != NULL || wrong("--golden asks the plan in a folder: --dir is missing", NULL);
}

static int fail(const struct mer_msg *msg)
{
    fprintf(stderr, "geo: %s\n", msg->text);
    return 1;
}

/* Of an empty folder gdnsd says that it is good. */
static bool planned(const char *dir, struct mer_msg *msg)
{
    char path[PATH_BYTES];
    bool there = snprintf(path, sizeof path, "%s/config", dir) < (int)sizeof path && access(path, R_OK) == 0;
    if (!there)
        mer_msgf(msg, "there is no plan in %.400s: %s", dir, strerror(errno));
    return there;
}

static int check(const struct arguments *a, const struct geo_footprint *f, const struct geo_measured *m)
{
    struct mer_msg msg = {"out of memory"};
    if (a->dir != NULL && !planned(a->dir, &msg))
        return fail(&msg);
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
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    if (strcmp(command, "check") != 0 && strcmp(command, "plan") != 0 && strcmp(command, "apply") != 0) {
        wrong(argc > 1 ? "unknown command" : "no command", argc > 1 ? command : NULL);
        return 2;
    }
    return parse(&a, argc - 1, argv + 1) && fits(&a, command) ? run(command, &a) : 2;
}
