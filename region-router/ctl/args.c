/* SPDX-License-Identifier: Apache-2.0
 * args.c - the command line of meridianctl (ctl.h). */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "region-router/ctl/ctl.h"

#define ASK(x) MERIDIAN__CONTROL__V1__ASK__BODY_##x
#define OVERRIDE(x) MERIDIAN__CONTROL__V1__OVERRIDE__OVERRIDE_##x

static const char usage[] =
    "NAME\n"
    "  meridianctl - asks the routers of a region and the geo agents, and gives them orders\n"
    "\n"
    "SYNOPSIS\n"
    "  meridianctl [OPTIONS] COMMAND\n"
    "\n"
    "WHAT IS THERE\n"
    "  regions            every region as this one's leader sees it: players, room, edges, the way there, what waits, who drains it\n"
    "  routers            every router: who leads, tickets, edges\n"
    "  edges              the region's edges with their load\n"
    "  links              the links to other regions: up, round trip, what waits on them; the outbox: events they do not have yet\n"
    "  outbox [REGION]    events that wait for another region, how long, how many it has, and the fullest buckets with their marks\n"
    "  ticket TICKET      why it is not matched yet, and when something changes\n"
    "  player USER        his devices, ticket and game\n"
    "  game GAME          who owns it, its version and fence\n"
    "  journal            what was changed with this tool: when, by whom, why, and what came of it\n"
    "  geo                the regions in each geo agent's eyes: what DNS says of them, since when and why\n"
    "\n"
    "WHAT CHANGES SOMETHING (with --reason; in the journal)\n"
    "  drain edge EDGE    its games and players go to the other edges, then it ends\n"
    "  undrain edge EDGE  it stays after all, unless everybody is gone already\n"
    "  drain region REGION [--over 10m] --yes\n"
    "                     new players go elsewhere, little by little or at once: DNS and the list of regions do not name it, and it\n"
    "                     hosts no games with players of other regions. Who is there plays on\n"
    "  undrain region REGION\n"
    "  geo override REGION up|down|share PERCENT --for 30m\n"
    "                     DNS names it whatever the probes say; does not name it; or sends so many percent (10, 20 ... 90) of its new\n"
    "                     players to the nearest region with room. At every agent given; it ends by itself\n"
    "  geo clear REGION   takes the override back\n"
    "\n"
    "OPTIONS\n"
    "  --router ADDRESS   control_listen of a router, host:port or unix:PATH; may be given up to 16 times, also of several regions; the\n"
    "                     leader is found among them. Default: MERIDIANCTL_ROUTERS, separated by commas\n"
    "  --region NAME      only routers of this region are asked, where several regions' are given\n"
    "  --agent ADDRESS    control_listen of a geo agent, likewise. Default: MERIDIANCTL_AGENTS\n"
    "  --cert FILE --key FILE --ca FILE   our certificate and who signed theirs (infra/host/certificates make ctl global); needed\n"
    "                     beyond this machine\n"
    "  --by NAME          who asks, for the journal; default: the user's name. The certificate's name, or who opened the socket, is\n"
    "                     noted beside it\n"
    "  --reason TEXT      why, for the journal\n"
    "  --dry-run          say what would happen; nothing is changed or noted\n"
    "  --yes              yes, the whole region\n"
    "  --force            also when nobody takes what is drained, or less than half of the world's room is left in DNS\n"
    "  --over TIME        how long the drain of a region takes: 90s, 10m, 2h; at most a day; default: at once\n"
    "  --for TIME         how long an override holds, 1s to 7d\n"
    "  --timeout SECONDS  for each address, 1-60 (5)\n"
    "  --json             the answer as JSON, one line each (infra/proto/meridian/control/v1/control.proto)\n"
    "\n"
    "EXIT STATUS\n"
    "  0 done, 1 refused or not found, 2 bad usage, 3 nobody could be reached; of several asked, the worst\n";

enum subject { NO_SUBJECT, SUBJECT, SUBJECT_MAYBE, SUBJECT_AND_OVERRIDE };

/* Of two that fit the longer one stands first. */
static const struct {
    const char *word[2];
    Meridian__Control__V1__Ask__BodyCase question;
    enum ctl_view view;
    enum subject subject;
    enum ctl_whom whom;
    bool changes, big;
} commands[] = {
    {{"routers"}, ASK(ROUTER), CTL_VIEW_ROUTER, NO_SUBJECT, CTL_ROUTERS, false, false},
    {{"edges"}, ASK(ROUTER), CTL_VIEW_EDGES, NO_SUBJECT, CTL_LEADER, false, false},
    {{"links"}, ASK(ROUTER), CTL_VIEW_LINKS, NO_SUBJECT, CTL_LEADER, false, false},
    {{"regions"}, ASK(REGIONS), CTL_VIEW_ANSWER, NO_SUBJECT, CTL_LEADER, false, false},
    {{"outbox"}, ASK(OUTBOX), CTL_VIEW_ANSWER, SUBJECT_MAYBE, CTL_LEADER, false, false},
    {{"ticket"}, ASK(TICKET), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, false, false},
    {{"player"}, ASK(PLAYER), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, false, false},
    {{"game"}, ASK(GAME), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, false, false},
    {{"journal"}, ASK(JOURNAL), CTL_VIEW_ANSWER, NO_SUBJECT, CTL_LEADER, false, false},
    {{"drain", "region"}, ASK(DRAIN_REGION), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, true},
    {{"drain", "edge"}, ASK(DRAIN_EDGE), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, false},
    {{"drain"}, ASK(DRAIN_EDGE), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, false},
    {{"undrain", "region"}, ASK(UNDRAIN_REGION), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, false},
    {{"undrain", "edge"}, ASK(UNDRAIN_EDGE), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, false},
    {{"undrain"}, ASK(UNDRAIN_EDGE), CTL_VIEW_ANSWER, SUBJECT, CTL_LEADER, true, false},
    {{"geo", "override"}, ASK(GEO_OVERRIDE), CTL_VIEW_ANSWER, SUBJECT_AND_OVERRIDE, CTL_AGENTS, true, false},
    {{"geo", "clear"}, ASK(GEO_OVERRIDE), CTL_VIEW_ANSWER, SUBJECT, CTL_AGENTS, true, false},
    {{"geo"}, ASK(GEO), CTL_VIEW_ANSWER, NO_SUBJECT, CTL_AGENTS, false, false},
};

struct given { /* addresses, until the command says which are meant */
    const char *router[CTL_ADDRESSES_MAX + 1], *agent[CTL_ADDRESSES_MAX + 1];
};

static bool wrong(const char *text, const char *what)
{
    fprintf(stderr, "meridianctl: %s%s%s (--help tells)\n", text, what != NULL ? " " : "", what != NULL ? what : "");
    return false;
}

/* ---- options ------------------------------------------------------------------------------------------------------------------------- */

/* What no link can ever reach is told at once, not after the time that a link takes. */
static bool is_address(const char *text)
{
    if (strncmp(text, "unix:", 5) == 0)
        return text[5] != 0;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return *end == 0 && port > 0 && port <= 65535;
}

static bool add_address(const char *list[CTL_ADDRESSES_MAX + 1], const char *address)
{
    size_t n = 0;
    if (!is_address(address))
        return wrong("an address is host:port or unix:PATH, not", address[0] != 0 ? address : "nothing");
    while (list[n] != NULL)
        n++;
    if (n == CTL_ADDRESSES_MAX)
        return wrong("at most 16 addresses", NULL);
    list[n] = address;
    return true;
}

static bool addresses_of_environment(struct ctl_args *a, const char *name)
{
    static char copy[4096];
    const char *list = getenv(name);
    if (list == NULL || strlen(list) >= sizeof copy)
        return wrong(a->whom == CTL_AGENTS ? "which geo agent? --agent ADDRESS, or MERIDIANCTL_AGENTS"
                                           : "which router? --router ADDRESS, or MERIDIANCTL_ROUTERS",
                     NULL);
    strcpy(copy, list);
    for (char *save, *item = strtok_r(copy, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save))
        if (!add_address(a->address, item))
            return false;
    return a->address[0] != NULL || wrong(name, a->whom == CTL_AGENTS ? "names no agent" : "names no router");
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

/* "90s", "10m", "2h", "7d". */
static bool parse_time(const char *option, const char *text, uint64_t *ms)
{
    static const char units[] = "smhd";
    static const uint64_t unit_ms[] = {1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000};
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    const char *unit = *end != 0 && end[1] == 0 ? strchr(units, *end) : NULL;
    if (errno != 0 || text[0] < '0' || text[0] > '9' || unit == NULL || n == 0 || n > 7 * 24 * 3600) {
        fprintf(stderr, "meridianctl: %s is a time like 90s, 10m, 2h or 1d, not %s (--help tells)\n", option, text);
        return false;
    }
    *ms = n * unit_ms[unit - units];
    return true;
}

static bool parse_option(struct ctl_args *a, struct given *g, int which)
{
    switch (which) {
    case 'r':
        return add_address(g->router, optarg);
    case 'g':
        return add_address(g->agent, optarg);
    case 'n':
        a->region = optarg;
        return true;
    case 'c':
        a->cert = optarg;
        return true;
    case 'k':
        a->key = optarg;
        return true;
    case 'a':
        a->ca = optarg;
        return true;
    case 'b':
        a->by = optarg;
        return true;
    case 'w':
        a->reason = optarg;
        return true;
    case 'd':
        a->dry_run = true;
        return true;
    case 'f':
        a->force = true;
        return true;
    case 'y':
        a->yes = true;
        return true;
    case 'j':
        a->json = true;
        return true;
    case 'o':
        return parse_time("--over", optarg, &a->over_ms);
    case 'l':
        return parse_time("--for", optarg, &a->for_ms);
    case 't':
        return parse_timeout(a, optarg);
    default:
        return false; /* getopt has said what */
    }
}

static bool parse_options(struct ctl_args *a, struct given *g, int argc, char **argv, int *exit_code)
{
    static const struct option options[] = {{"router", required_argument, NULL, 'r'},
                                            {"agent", required_argument, NULL, 'g'},
                                            {"cert", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"ca", required_argument, NULL, 'a'},
                                            {"by", required_argument, NULL, 'b'},
                                            {"reason", required_argument, NULL, 'w'},
                                            {"dry-run", no_argument, NULL, 'd'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"yes", no_argument, NULL, 'y'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"over", required_argument, NULL, 'o'},
                                            {"for", required_argument, NULL, 'l'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"region", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    argv[0] = (char *)"meridianctl"; /* getopt begins its lines with it, as we do */
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (which == 'h') {
            fputs(usage, stdout);
            *exit_code = CTL_DONE;
            return true;
        }
        if (!parse_option(a, g, which))
            return false;
    }
    return true;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------------- */

static bool parse_override(struct ctl_args *a, int count, char **words)
{
    bool share = count == 2 && strcmp(words[0], "share") == 0;
    char *end = NULL;
    a->override = count == 1 && strcmp(words[0], "up") == 0     ? OVERRIDE(UP)
                  : count == 1 && strcmp(words[0], "down") == 0 ? OVERRIDE(DOWN)
                                                                : OVERRIDE(SHARE);
    if (share)
        a->share_percent = (uint32_t)strtoul(words[1], &end, 10);
    if (a->override == OVERRIDE(SHARE) &&
        (!share || *end != 0 || a->share_percent < 10 || a->share_percent > 90 || a->share_percent % 10 != 0))
        return wrong("geo override REGION takes up, down, or share with 10, 20 ... 90", NULL);
    return a->for_ms > 0 || wrong("say for how long: --for TIME, for geo override", NULL);
}

/* Its words as one. */
static const char *name_of(size_t i, char out[32])
{
    const char *const *word = commands[i].word;
    snprintf(out, 32, "%s%s%s", word[0], word[1] != NULL ? " " : "", word[1] != NULL ? word[1] : "");
    return out;
}

static bool check_command(const struct ctl_args *a, size_t i)
{
    char text[32];
    const char *name = name_of(i, text);
    bool region = a->question == ASK(DRAIN_REGION);
    if (commands[i].changes && (a->reason == NULL || a->reason[0] == 0))
        return wrong("say why: --reason, for", name);
    if (commands[i].big && !a->yes && !a->dry_run)
        return wrong("--dry-run says what it would do, --yes does it:", name);
    if (a->over_ms > 0 && !region)
        return wrong("--over is for drain region, not for", name);
    if (a->for_ms > 0 && commands[i].subject != SUBJECT_AND_OVERRIDE)
        return wrong("--for is for geo override, not for", name);
    return true;
}

/* The words behind the command's own. */
static bool parse_subject(struct ctl_args *a, size_t i, int count, char **words)
{
    char text[32];
    const char *name = name_of(i, text);
    enum subject want = commands[i].subject;
    if (want == NO_SUBJECT && count > 0)
        return wrong("nothing follows", name);
    if ((want == SUBJECT && count != 1) || (want == SUBJECT_AND_OVERRIDE && count < 1))
        return wrong("one name has to follow", name);
    if (want == SUBJECT_MAYBE && count > 1)
        return wrong("at most one name follows", name);
    a->subject = count > 0 ? words[0] : NULL;
    a->override = OVERRIDE(NONE);
    return want != SUBJECT_AND_OVERRIDE || parse_override(a, count - 1, words + 1);
}

static bool parse_command(struct ctl_args *a, int count, char **words)
{
    if (count == 0)
        return wrong("which command?", NULL);
    for (size_t i = 0; i < MER_COUNT(commands); i++) {
        int own = commands[i].word[1] != NULL ? 2 : 1;
        if (strcmp(words[0], commands[i].word[0]) != 0 || (own == 2 && (count < 2 || strcmp(words[1], commands[i].word[1]) != 0)))
            continue;
        a->question = commands[i].question;
        a->view = commands[i].view;
        a->whom = commands[i].whom;
        a->changes = commands[i].changes;
        return parse_subject(a, i, count - own, words + own) && check_command(a, i);
    }
    return wrong("unknown command", words[0]);
}

bool ctl_args_parse(struct ctl_args *a, int argc, char **argv, int *exit_code)
{
    struct given g = {{NULL}, {NULL}};
    *a = (struct ctl_args){.timeout_ms = 5000};
    if (!parse_options(a, &g, argc, argv, exit_code) || *exit_code >= 0)
        return *exit_code >= 0;
    if (!parse_command(a, argc - optind, argv + optind))
        return false;
    memcpy(a->address, a->whom == CTL_AGENTS ? g.agent : g.router, sizeof a->address);
    if (a->address[0] == NULL && !addresses_of_environment(a, a->whom == CTL_AGENTS ? "MERIDIANCTL_AGENTS" : "MERIDIANCTL_ROUTERS"))
        return false;
    if (((a->cert != NULL) + (a->key != NULL) + (a->ca != NULL)) % 3 != 0)
        return wrong("--cert, --key and --ca belong together", NULL);
    if (a->by == NULL)
        a->by = getenv("USER") != NULL && getenv("USER")[0] != 0 ? getenv("USER") : "unknown";
    return true;
}
