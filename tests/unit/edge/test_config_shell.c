/* SPDX-License-Identifier: Apache-2.0
 * What goes with what in an edge's configuration: each row is one word more than a configuration that is good. */
#include "unit.h"

#include <string.h>

#include "edge/config.h"

/* What is wrong with the good one and `more`, to its NULL; "" when nothing is. */
static void check(char said[512], const char *const *more)
{
    static const char *const good[] = {"region=eu",
                                       "id=e1",
                                       "player_listen=127.0.0.1:0",
                                       "admin_listen=127.0.0.1:0",
                                       "bus_listen=unix:/tmp/bus",
                                       "redis_nodes=127.0.0.1:7000",
                                       "token_keys=keys.jwks",
                                       "token_issuer=https://id.test",
                                       "token_audience=meridian"};
    char text[16][64], *words[16];
    struct mer_strs sets = {words, 0};
    struct edge_config conf;
    struct mer_buf errors;
    memset(&conf, 0, sizeof conf);
    mer_buf_init(&errors, 0);
    while (sets.count < MER_COUNT(good) || *more != NULL) {
        words[sets.count] = text[sets.count];
        snprintf(text[sets.count], sizeof text[0], "%s", sets.count < MER_COUNT(good) ? good[sets.count] : *more++);
        sets.count++;
    }
    enum mer_err err = mer_conf_load(edge_config_items, edge_config_item_count, &conf, NULL, &sets, &errors);
    if (err == MER_OK)
        err = edge_config_validate(&conf, &errors);
    assert_int_equal(err == MER_OK, errors.len == 0);
    snprintf(said, 512, "%.*s", (int)errors.len, errors.len > 0 ? (const char *)errors.data : "");
    mer_conf_free(edge_config_items, edge_config_item_count, &conf);
    mer_buf_deinit(&errors);
}

static void tokens_of_guests_fit_into_what_a_token_may_hold(void **state)
{
    static const struct {
        const char *lifetime;
        bool good;
    } rows[] = {{"token_max_lifetime_s=60", false},
                {"token_max_lifetime_s=300", false}, /* by whose clock? */
                {"token_max_lifetime_s=304", false},
                {"token_max_lifetime_s=305", true},
                {"token_max_lifetime_s=86400", true}};
    char said[512];
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        check(said, (const char *[]){rows[i].lifetime, "guest_allowed=true", "guest_keys=guest.jwks", NULL});
        assert_int_equal(said[0] == '\0', rows[i].good);
        assert_true(rows[i].good || strncmp(said, "token_max_lifetime_s: ", 22) == 0);
        check(said, (const char *[]){rows[i].lifetime, NULL});
        assert_string_equal(said, ""); /* without guests it is the issuer's business */
    }
}

static void what_belongs_together_is_there_or_not_together(void **state)
{
    static const struct {
        const char *word;
        const char *says;
    } rows[] = {
        {"guest_allowed=true", "guest_allowed: "},
        {"tls_key=k.pem", "tls_certificate: "},
        {"tls_certificate=c.pem", "tls_certificate: "},
        {"tls_tickets=t", "tls_tickets: "},
        {"redis_replicas=1", "redis_durability: all"},
        {"id=a.b", "id: "},
        {"region=a/b", "region: "},
        {"trace_endpoint=http://h:99999", "trace_endpoint: "},
        {"trace_per_million=1", "trace_per_million: "},
        {"regions=us-east,eu", "regions: "},
        {"public_url=ftp://h", "public_url: "},
        {"regions=eu https://eu.test", ""},
        {"public_url=https://e1.eu.test", ""},
        {"redis_durability=primary", ""},
        {"trace_endpoint=http://h:4318", ""},
    };
    char said[512];
    (void)state;
    for (size_t i = 0; i < MER_COUNT(rows); i++) {
        check(said, (const char *[]){rows[i].word, NULL});
        if (strncmp(said, rows[i].says, strlen(rows[i].says)) != 0 || (rows[i].says[0] == '\0' && said[0] != '\0'))
            fail_msg("%s: %s", rows[i].word, said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_guests_fit_into_what_a_token_may_hold),
        cmocka_unit_test(what_belongs_together_is_there_or_not_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
