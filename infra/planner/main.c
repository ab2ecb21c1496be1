/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridian-plan: how much of everything so many players need, and what it costs. Exit codes: 0 done, 1 something is wrong with the
 * files or the wish, 2 bad usage. */
#include <getopt.h>
#include <string.h>

#include "infra/planner/print.h"

static const char usage[] = "usage: meridian-plan [OPTIONS] [table | json | terraform | inputs]\n"
                            "  table               for people (default); json: for machines\n"
                            "  terraform           what environment.yaml and the footprint should say\n"
                            "  inputs              every figure that is used, with its date and source\n"
                            "  --plan FILE         what is wanted: infra/planner/examples; --help-plan tells the keys\n"
                            "  --set KEY=VALUE     one of these keys; may be given up to 32 times\n"
                            "  --footprint FILE    geo/footprint.yaml: regions and their shares\n"
                            "  --measured FILE     infra/planner/measured.yaml\n"
                            "  --prices FILE       infra/planner/prices.yaml\n";

enum { SETS_MAX = 32 };

/* One line that says what is wrong with the command line. */
static bool wrong(const char *text, const char *what)
{
    fprintf(stderr, "meridian-plan: %s%s%s; usage: meridian-plan [OPTIONS] [table | json | terraform | inputs], --help tells them\n", text,
            what != NULL ? " " : "", what != NULL ? what : "");
    return false;
}

static bool parse(struct plan_files *files, struct mer_strs *sets, int argc, char **argv)
{
    static const struct option options[] = {{"plan", required_argument, NULL, 'p'},      {"set", required_argument, NULL, 's'},
                                            {"footprint", required_argument, NULL, 'f'}, {"measured", required_argument, NULL, 'm'},
                                            {"prices", required_argument, NULL, 'c'},    {NULL, 0, NULL, 0}};
    opterr = 0; /* we say it */
    for (int which; (which = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (which == '?')
            return wrong("unknown option", argv[optind - 1]);
        if (which == ':')
            return wrong("a value is missing behind", argv[optind - 1]);
        if (which == 'p')
            files->wish = optarg;
        else if (which == 'f')
            files->footprint = optarg;
        else if (which == 'm')
            files->measured = optarg;
        else if (which == 'c')
            files->prices = optarg;
        else if (sets->count < SETS_MAX)
            sets->item[sets->count++] = optarg;
        else
            return wrong("--set: at most 32 times", NULL);
    }
    return optind + 1 >= argc || wrong("unexpected word", argv[optind + 1]);
}

/* --help and --help-plan, wherever they stand. */
static bool helped(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(usage, stdout) >= 0;
        if (strcmp(argv[i], "--help-plan") == 0) {
            mer_conf_print_help(plan_wish_items, plan_wish_item_count, stdout);
            return true;
        }
    }
    return false;
}

static int print(const char *how, const struct plan_inputs *in)
{
    struct plan_result r;
    struct mer_msg msg = {{0}};
    if (strcmp(how, "inputs") == 0) {
        plan_print_inputs(in, stdout);
        return 0;
    }
    if (plan_make(&r, &in->wish, &in->measured, &in->prices, &in->footprint, &msg) != MER_OK) {
        fprintf(stderr, "meridian-plan: %s\n", msg.text);
        return 1;
    }
    if (strcmp(how, "json") == 0)
        plan_print_json(&r, in, stdout);
    else if (strcmp(how, "terraform") == 0)
        plan_print_terraform(&r, in, stdout);
    else
        plan_print_table(&r, in, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const ways[] = {"table", "json", "terraform", "inputs"};
    struct plan_files files = {NULL, "geo/footprint.yaml", "infra/planner/measured.yaml", "infra/planner/prices.yaml"};
    char *items[SETS_MAX];
    struct mer_strs sets = {items, 0};
    struct plan_inputs in;
    struct mer_buf errors;
    size_t way = 0;
    if (helped(argc, argv))
        return 0;
    if (!parse(&files, &sets, argc, argv))
        return 2;
    const char *how = optind < argc ? argv[optind] : ways[0];
    while (way < MER_COUNT(ways) && strcmp(how, ways[way]) != 0)
        way++;
    if (way == MER_COUNT(ways)) {
        wrong("unknown word", how);
        return 2;
    }
    mer_buf_init(&errors, 0);
    int code = 1;
    if (plan_inputs_load(&in, &files, &sets, &errors) == MER_OK) {
        code = print(how, &in);
        plan_inputs_deinit(&in);
    } else {
        fprintf(stderr, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    }
    mer_buf_deinit(&errors);
    return code;
}
