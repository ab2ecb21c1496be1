/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridian-edge: arguments, configuration, one app. Exit codes: 0 done, 1 could not start, 2 bad usage or configuration. */
#include <stdio.h>

#include "edge/app.h"

static int load(struct edge_config *conf, const struct mer_args *args)
{
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    enum mer_err err = mer_conf_load(edge_config_items, edge_config_item_count, conf, args->config, &args->sets, &errors);
    if (err == MER_OK)
        err = edge_config_validate(conf, &errors);
    if (err != MER_OK)
        fprintf(stderr, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    return err == MER_OK ? 0 : 2;
}

static int run(struct edge_config *conf)
{
    struct edge_app *app = NULL;
    struct mer_msg msg = {{0}};
    if (edge_app_create(&app, conf, &msg) != MER_OK) {
        fprintf(stderr, "meridian-edge: %s\n", msg.text);
        return 1;
    }
    int code = edge_app_run(app);
    edge_app_destroy(app);
    return code;
}

int main(int argc, char **argv)
{
    struct mer_args args;
    struct edge_config conf = {0};
    int code = -1;
    mer_args_parse(&args, argc, argv, "meridian-edge", edge_config_items, edge_config_item_count, &code);
    if (code < 0) {
        code = load(&conf, &args);
        if (code == 0 && !args.check_config)
            code = run(&conf);
    }
    mer_conf_free(edge_config_items, edge_config_item_count, &conf);
    mer_args_free(&args);
    return code;
}
