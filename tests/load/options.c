/* SPDX-License-Identifier: Apache-2.0
 * options.c - the command line as a table. */
#include "tests/load/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: meridian-load [option value]...\n"
    "Simulated players against running edges, with their own side of the protocol; checks everything they are told. Modes:\n"
    "  play     whole games, --rate moves a second over all players, sent when they are due whatever the servers do (default)\n"
    "  idle     connect, authenticate, hold; memory of the edge a player; --cycles of dropping and reconnecting half of them\n"
    "  failover players of one region, with the list of all of them: on SIGUSR1 their region is gone (whoever sends it takes it away), on\n"
    "           SIGUSR2 it is back; tells when they are in new games elsewhere, and how they go home\n"
    "  connect  --rate new players a second: connect, authenticate, one ping, away again\n"
    "Exit code: 0 fine, 1 a server broke an invariant, 2 wrong usage, 3 hung.\n\n";

enum kind { TEXT, NUMBER, SEED, FLAG, MODE, CROSS, ENCODING };
struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    uint32_t low, high;
    const char *help;
};
#define AT(f) offsetof(struct load_options, f)
static const struct option table[] = {
    {"mode", MODE, AT(mode), 0, 0, "play, idle, connect or failover"},
    {"endpoints", TEXT, AT(endpoints), 0, 0, "endpoints.json of the servers ($MERIDIAN_ENDPOINTS, else build/local/endpoints.json)"},
    {"keys", TEXT, AT(keys), 0, 0, "private JWKS to sign players' tokens with (keys/private.jwks beside endpoints.json)"},
    {"public-keys", TEXT, AT(public_keys), 0, 0,
     "mode failover: who may sign the list of regions (keys/public.jwks beside endpoints.json)"},
    {"issuer", TEXT, AT(issuer), 0, 0, "`iss` of the tokens (meridian-local)"},
    {"audience", TEXT, AT(audience), 0, 0, "`aud` of the tokens (meridian)"},
    {"ca", TEXT, AT(ca), 0, 0, "authority for wss addresses (tls/ca.crt beside endpoints.json)"},
    {"redis-password", TEXT, AT(redis_password), 0, 0, "file with it, to tell Redis' CPU time (redis/password beside endpoints.json)"},
    {"edge", TEXT, AT(edge), 0, 0, "use this edge alone"},
    {"players", NUMBER, AT(players), 1, 1000000, "simulated players (200)"},
    {"rate", NUMBER, AT(rate), 1, 1000000, "moves a second, or connections a second in mode connect (100)"},
    {"think", NUMBER, AT(think_ms), 0, 600000,
     "mode play: each player moves so many ms (half to one and a half) after his turn came, and --rate is not looked at (0: off)"},
    {"ramp", NUMBER, AT(ramp_s), 0, 3600, "seconds over which players arrive (5)"},
    {"warmup", NUMBER, AT(warmup_s), 0, 3600, "seconds between the last arrival and the measured phase (3)"},
    {"seconds", NUMBER, AT(seconds), 1, 86400, "length of the measured phase (10)"},
    {"drain", NUMBER, AT(drain_s), 1, 3600, "seconds running games get to end afterwards (90)"},
    {"cross", CROSS, AT(cross), 0, 100, "percent of games to be made across edges, or `any`: as the matchmaker likes (50)"},
    {"shared", FLAG, AT(shared), 0, 0, "connect to the port that all edges share, as behind a balancer; to one edge only when sent there"},
    {"cycles", NUMBER, AT(cycles), 0, 1000, "mode idle: how often half of the players drop and come back (0)"},
    {"drops", NUMBER, AT(drops), 0, 10000, "mode play: connections cut a second, to come back and go on (0)"},
    {"homeward", NUMBER, AT(homeward_s), 0, 3600, "mode failover: the way home begins within so many seconds (300)"},
    {"look", NUMBER, AT(look_s), 1, 600, "mode failover: who is away looks about so often whether home is back (20)"},
    {"encoding", ENCODING, AT(proto), 0, 0, "json or proto (json)"},
    {"sources", NUMBER, AT(sources), 1, 65534, "source addresses (200)"},
    {"sources-from", TEXT, AT(sources_from), 0, 0, "the first of them (127.0.1.1)"},
    {"seed", SEED, AT(seed), 0, 0, "of every choice a player makes (by the clock)"},
    {"json", TEXT, AT(json), 0, 0, "write the result there"},
    {"journal", TEXT, AT(journal), 0, 0, "write there what every player did and was told (journal.h)"},
    {"hurry", FLAG, AT(hurry), 0, 0, "who lost his connection when it was his turn moves as soon as he is back; due when he lost it"},
    {"strict", FLAG, AT(strict), 0, 0, "any error, lost connection, unanswered move, stuck player or missed rate is a failure too"},
    {"quiet", FLAG, AT(quiet), 0, 0, "no line a second"},
};

static void print_help(void)
{
    fputs(usage, stdout);
    for (size_t i = 0; i < MER_COUNT(table); i++)
        printf("  --%-15s %s\n", table[i].name, table[i].help);
}

static bool set_number(uint32_t *out, const char *text, uint32_t low, uint32_t high)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v < low || v > high)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool set_mode(enum load_mode *out, const char *text)
{
    static const char *const modes[] = {"play", "idle", "connect", "failover"};
    for (unsigned i = 0; i < MER_COUNT(modes); i++)
        if (strcmp(text, modes[i]) == 0) {
            *out = (enum load_mode)i;
            return true;
        }
    return false;
}

static bool set(struct load_options *o, const struct option *opt, const char *text)
{
    void *at = (char *)o + opt->offset;
    switch (opt->kind) {
    case TEXT:
        *(const char **)at = text;
        return true;
    case NUMBER:
        return set_number(at, text, opt->low, opt->high);
    case SEED:
        *(uint64_t *)at = strtoull(text, NULL, 0);
        return *text >= '0' && *text <= '9';
    case MODE:
        return set_mode(at, text);
    case CROSS:
        *(uint32_t *)at = LOAD_CROSS_ANY;
        return strcmp(text, "any") == 0 || set_number(at, text, opt->low, opt->high);
    case ENCODING:
        *(bool *)at = strcmp(text, "proto") == 0;
        return *(bool *)at || strcmp(text, "json") == 0;
    case FLAG:
        break;
    }
    return false;
}

/* A file beside endpoints.json. */
static const char *beside(const struct load_options *o, const char *name, char *out, size_t bytes)
{
    const char *slash = strrchr(o->endpoints, '/');
    snprintf(out, bytes, "%.*s%s", slash ? (int)(slash - o->endpoints + 1) : 0, o->endpoints, name);
    return out;
}

static void fill_in(struct load_options *o)
{
    if (!o->endpoints)
        o->endpoints = getenv("MERIDIAN_ENDPOINTS");
    if (!o->endpoints)
        o->endpoints = "build/local/endpoints.json";
    if (!o->keys)
        o->keys = beside(o, "keys/private.jwks", o->default_keys, sizeof(o->default_keys));
    if (!o->ca)
        o->ca = beside(o, "tls/ca.crt", o->default_ca, sizeof(o->default_ca));
    if (!o->public_keys)
        o->public_keys = beside(o, "keys/public.jwks", o->default_public_keys, sizeof(o->default_public_keys));
    if (!o->redis_password)
        o->redis_password = beside(o, "redis/password", o->default_password, sizeof(o->default_password));
}

static bool wrong(int *exit_code, const char *what, const char *arg)
{
    fprintf(stderr, "meridian-load: %s \"%s\" (--help tells)\n", what, arg);
    *exit_code = 2;
    return false;
}

bool load_options_parse(struct load_options *o, int argc, char **argv, int *exit_code)
{
    *o = (struct load_options){.issuer = "meridian-local",
                               .audience = "meridian",
                               .players = 200,
                               .rate = 100,
                               .ramp_s = 5,
                               .warmup_s = 3,
                               .seconds = 10,
                               .drain_s = 90,
                               .cross = 50,
                               .homeward_s = 300,
                               .look_s = 20,
                               .sources = 200,
                               .sources_from = "127.0.1.1"};
    for (int i = 1; i < argc; i++) {
        const struct option *opt = NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            *exit_code = 0;
            return false;
        }
        for (size_t k = 0; k < MER_COUNT(table); k++)
            if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, table[k].name) == 0)
                opt = &table[k];
        if (!opt)
            return wrong(exit_code, "unknown option", argv[i]);
        if (opt->kind == FLAG) {
            *(bool *)((char *)o + opt->offset) = true;
            continue;
        }
        if (i + 1 == argc)
            return wrong(exit_code, "a value is missing after", argv[i]);
        if (!set(o, opt, argv[++i]))
            return wrong(exit_code, "not a value it can have", argv[i]);
    }
    fill_in(o);
    return true;
}
