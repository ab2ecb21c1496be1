/* SPDX-License-Identifier: Apache-2.0
 * args.c - the one command line all services share. Long options only, "--name value" or "--name=value"; no getopt, whose state is global
 * and whose errors cannot be worded. */
#include <meridian/process.h>

#include <string.h>

#include <meridian/mem.h>

enum { EXIT_FINE = 0, EXIT_USAGE = 2, EXIT_NONE = -1 };

static void print_usage(const char *service, FILE *out)
{
    fprintf(out,
            "usage: %s [--config FILE] [--set KEY=VALUE]... [--check-config]\n"
            "  --config FILE             flat YAML file\n"
            "  --set KEY=VALUE           one value, stronger than file and environment; may be repeated\n"
            "  --check-config            read and check everything, say what is wrong, leave: 0 when it is good, else 2\n"
            "  --print-config-help       every key with type, range, default and reason\n"
            "  --print-config-template   a configuration file with the defaults\n"
            "  --version, --help\n"
            "Signals: SIGTERM and SIGINT drain (a second one stops at once), SIGHUP reloads keys.\n",
            service);
}

/* The value of option `name` at argv[*i], stepping over it; NULL when argv[*i] is another option. *missing: it is, but has no value. */
static const char *value_of(const char *name, int argc, char **argv, int *i, bool *missing)
{
    size_t len = strlen(name);
    const char *arg = argv[*i];

    if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '='))
        return NULL;
    if (arg[len] == '=')
        return arg + len + 1;
    if (*i + 1 < argc)
        return argv[++*i];
    *missing = true;
    return NULL;
}

static bool print_and_leave(const char *arg, const char *service, const struct mer_conf_item *items, size_t count)
{
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
        print_usage(service, stdout);
    else if (strcmp(arg, "--version") == 0)
        printf("%s %s\n", service, MERIDIAN_VERSION);
    else if (strcmp(arg, "--print-config-help") == 0)
        mer_conf_print_help(items, count, stdout);
    else if (strcmp(arg, "--print-config-template") == 0)
        mer_conf_print_template(items, count, stdout);
    else
        return false;
    return true;
}

void mer_args_parse(struct mer_args *a, int argc, char **argv, const char *service, const struct mer_conf_item *items, size_t count,
                    int *exit_code)
{
    bool missing = false;
    const char *value;

    memset(a, 0, sizeof(*a));
    *exit_code = EXIT_NONE;
    for (int i = 1; i < argc && *exit_code == EXIT_NONE; i++) {
        const char *arg = argv[i];
        if ((value = value_of("--config", argc, argv, &i, &missing))) {
            a->config = value;
        } else if (!missing && (value = value_of("--set", argc, argv, &i, &missing))) {
            a->sets.item = mer_xrealloc(a->sets.item, (a->sets.count + 1) * sizeof(char *));
            a->sets.item[a->sets.count++] = (char *)value;
        } else if (!missing && strcmp(arg, "--check-config") == 0) {
            a->check_config = true;
        } else if (!missing && print_and_leave(arg, service, items, count)) {
            *exit_code = EXIT_FINE;
        } else {
            fprintf(stderr, "%s: %s \"%s\" (--help tells)\n", service, missing ? "a value is missing after" : "unknown option", arg);
            *exit_code = EXIT_USAGE;
        }
    }
}

void mer_args_free(struct mer_args *a)
{
    mer_free(&a->sets.item);
    a->sets.count = 0;
}
