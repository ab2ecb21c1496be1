/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridian-router: arguments, configuration, one app. Exit codes: 0 done, 1 could not start, 2 bad usage or configuration. */
#include <stdio.h>

#include "region-router/app.h"

static int load(struct router_config *conf, const struct mer_args *args)
{
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    enum mer_err err = mer_conf_load(router_config_items, router_config_item_count, conf, args->config, &args->sets, &errors);
    if (err == MER_OK)
        err = router_config_validate(conf, &errors);
    if (err != MER_OK)
        fprintf(stderr, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    return err == MER_OK ? 0 : 2;
}

static int run(struct router_config *conf)
{
    struct router_app *app = NULL;
    struct mer_msg msg = {{0}};
    if (router_app_create(&app, conf, &msg) != MER_OK) {
        fprintf(stderr, "meridian-router: %s\n", msg.text);
        return 1;
    }
    int code = router_app_run(app);
    router_app_destroy(app);
    return code;
}

int main(int argc, char **argv)
{
    struct mer_args args;
    struct router_config conf = {0};
    int code = -1;
    mer_args_parse(&args, argc, argv, "meridian-router", router_config_items, router_config_item_count, &code);
    if (code < 0) {
        code = load(&conf, &args);
        if (code == 0 && !args.check_config)
            code = run(&conf);
    }
    mer_conf_free(router_config_items, router_config_item_count, &conf);
    mer_args_free(&args);
    return code;
}
