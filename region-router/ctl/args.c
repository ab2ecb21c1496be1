/* SPDX-License-Identifier: Apache-2.0
 * args.c - the command line of meridianctl (ctl.h). */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "region-router/ctl/ctl.h"

#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x

static const char usage[] =
    "usage: meridianctl [OPTIONS] COMMAND\n"
    "  routers            every router: who leads, tickets, edges\n"
    "  edges              the region's edges with their load\n"
    "  links              the links to other regions: up, round trip, what waits on them; the outbox: events they do not have yet\n"
    "  ticket TICKET      why it is not matched yet, and when something changes\n"
    "  player USER        his devices, ticket and game\n"
    "  game GAME          who owns it, its version and fence\n"
    "  drain EDGE         its games and players go to the other edges, then it ends; needs --reason\n"
    "\n"
    "  --router ADDRESS   control_listen of a router, host:port or unix:PATH; may be given up to 16 times, the leader is found among "
    "them;\n"
    "                     default: MERIDIAN_ROUTERS, separated by commas\n"
    "  --cert FILE --key FILE --ca FILE   our certificate and who signed the routers' (infra/host/certificates make ctl global);\n"
    "                     needed beyond this machine\n"
    "  --by NAME          who asks, for the journal; default: the user's name\n"
    "  --reason TEXT      why, for the journal\n"
    "  --dry-run          say what would happen\n"
    "  --force            also when no other edge takes what is drained\n"
    "  --timeout SECONDS  for each router, 1-60 (5)\n"
    "  --json             the answer as JSON, one line each\n"
    "exit: 0 done, 1 refused or not found, 2 bad usage, 3 no router could be reached\n";

static const struct {
    const char *name;
    Meridian__Control__V1__Ask__BodyCase question;
    enum ctl_view view;
    bool subject, of_each, changes;
} commands[] = {
    {"routers", ASK(ROUTER), CTL_VIEW_ROUTER, false, true, false},  {"edges", ASK(ROUTER), CTL_VIEW_EDGES, false, false, false},
    {"links", ASK(ROUTER), CTL_VIEW_LINKS, false, false, false},    {"ticket", ASK(TICKET), CTL_VIEW_ANSWER, true, false, false},
    {"player", ASK(PLAYER), CTL_VIEW_ANSWER, true, false, false},   {"game", ASK(GAME), CTL_VIEW_ANSWER, true, false, false},
    {"drain", ASK(DRAIN_EDGE), CTL_VIEW_ANSWER, true, false, true},
};

static bool wrong(const char *text, const char *what)
{
    fprintf(stderr, "meridianctl: %s%s%s (--help tells)\n", text, what != NULL ? " " : "", what != NULL ? what : "");
    return false;
}

static bool add_router(struct ctl_args *a, const char *address)
{
    size_t n = 0;
    while (a->router[n] != NULL)
        n++;
    if (n == CTL_ROUTERS_MAX)
        return wrong("at most 16 routers", NULL);
    a->router[n] = address;
    return true;
}

static bool routers_of_environment(struct ctl_args *a)
{
    static char copy[4096];
    const char *list = getenv("MERIDIAN_ROUTERS");
    if (list == NULL || strlen(list) >= sizeof copy)
        return wrong("which router? --router ADDRESS, or MERIDIAN_ROUTERS", NULL);
    strcpy(copy, list);
    for (char *save, *item = strtok_r(copy, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save))
        if (!add_router(a, item))
            return false;
    return a->router[0] != NULL || wrong("MERIDIAN_ROUTERS names no router", NULL);
}

static bool parse_timeout(struct ctl_args *a, const char *text)
{
    char *end;
    errno = 0;
    unsigned long s = strtoul(text, &end, 10);
    if (errno != 0 || *end != 0 || s < 1 || s > 60)
        return wrong("--timeout is 1 to 60 seconds, not", text);
    a->timeout_ms = (uint32_t)s * 1000;
    return true;
}

static bool parse_options(struct ctl_args *a, int argc, char **argv, int *exit_code)
{
    static const struct option options[] = {
        {"router", required_argument, NULL, 'r'},  {"cert", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
        {"ca", required_argument, NULL, 'a'},      {"by", required_argument, NULL, 'b'},   {"reason", required_argument, NULL, 'w'},
        {"dry-run", no_argument, NULL, 'd'},       {"force", no_argument, NULL, 'f'},      {"json", no_argument, NULL, 'j'},
        {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    bool good = true;
    for (int which; good && (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case 'r':
            good = add_router(a, optarg);
            break;
        case 'c':
            a->cert = optarg;
            break;
        case 'k':
            a->key = optarg;
            break;
        case 'a':
            a->ca = optarg;
            break;
        case 'b':
            a->by = optarg;
            break;
        case 'w':
            a->reason = optarg;
            break;
        case 'd':
            a->dry_run = true;
            break;
        case 'f':
            a->force = true;
            break;
        case 'j':
            a->json = true;
            break;
        case 't':
            good = parse_timeout(a, optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            *exit_code = CTL_DONE;
            return true;
        default:
            good = false; /* getopt has said what */
        }
    }
    return good;
}

static bool parse_command(struct ctl_args *a, int argc, char **argv)
{
    if (optind == argc)
        return wrong("which command?", NULL);
    for (size_t i = 0; i < MER_COUNT(commands); i++) {
        if (strcmp(argv[optind], commands[i].name) != 0)
            continue;
        int want = commands[i].subject ? 2 : 1;
        if (argc - optind != want)
            return wrong(commands[i].subject ? "one name has to follow" : "nothing follows", commands[i].name);
        a->subject = commands[i].subject ? argv[optind + 1] : NULL;
        a->question = commands[i].question;
        a->view = commands[i].view;
        a->of_each = commands[i].of_each;
        if (commands[i].changes && (a->reason == NULL || a->reason[0] == 0))
            return wrong("say why: --reason, for", commands[i].name);
        return true;
    }
    return wrong("unknown command", argv[optind]);
}

bool ctl_args_parse(struct ctl_args *a, int argc, char **argv, int *exit_code)
{
    *a = (struct ctl_args){.timeout_ms = 5000};
    if (!parse_options(a, argc, argv, exit_code) || *exit_code >= 0)
        return *exit_code >= 0;
    if (!parse_command(a, argc, argv) || (a->router[0] == NULL && !routers_of_environment(a)))
        return false;
    if (((a->cert != NULL) + (a->key != NULL) + (a->ca != NULL)) % 3 != 0)
        return wrong("--cert, --key and --ca belong together", NULL);
    if (a->by == NULL)
        a->by = getenv("USER") != NULL && getenv("USER")[0] != 0 ? getenv("USER") : "unknown";
    return true;
}
