/* SPDX-License-Identifier: Apache-2.0
 * agent_main.c - meridian-geo: arguments, configuration, one agent. Exit codes: 0 done, 1 could not start, 2 bad usage or configuration. */
#include <stdio.h>

#include "geo/agent.h"

static int load(struct geo_config *conf, struct geo_footprint *footprint, const struct mer_args *args)
{
    struct mer_buf errors;
    mer_buf_init(&errors, 0);
    enum mer_err err = mer_conf_load(geo_config_items, geo_config_item_count, conf, args->config, &args->sets, &errors);
    if (err == MER_OK)
        err = geo_config_validate(conf, footprint, &errors);
    if (err != MER_OK)
        fprintf(stderr, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_buf_deinit(&errors);
    return err == MER_OK ? 0 : 2;
}

static int run(struct geo_config *conf, struct geo_footprint *footprint)
{
    struct geo_agent *agent = NULL;
    struct mer_msg msg = {{0}};
    if (geo_agent_create(&agent, conf, footprint, &msg) != MER_OK) {
        fprintf(stderr, "meridian-geo: %s\n", msg.text);
        return 1;
    }
    int code = geo_agent_run(agent);
    geo_agent_destroy(agent);
    return code;
}

int main(int argc, char **argv)
{
    struct mer_args args;
    struct geo_config conf = {0};
    struct geo_footprint footprint = {0};
    int code = -1;
    mer_args_parse(&args, argc, argv, "meridian-geo", geo_config_items, geo_config_item_count, &code);
    if (code < 0) {
        code = load(&conf, &footprint, &args);
        if (code == 0 && !args.check_config)
            code = run(&conf, &footprint);
    }
    geo_footprint_deinit(&footprint);
    mer_conf_free(geo_config_items, geo_config_item_count, &conf);
    mer_args_free(&args);
    return code;
}
