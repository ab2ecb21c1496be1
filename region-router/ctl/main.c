/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridianctl asks a region's routers and gives them orders (ctl.h). */
#include <string.h>

#include <meridian/json.h>

#include "region-router/ctl/ctl.h"

#define CODE(x) MERIDIAN__CONTROL__V1__ANSWER_CODE__ANSWER_CODE_##x

static int show(const struct ctl_args *a, const char *address, const Meridian__Control__V1__Answer *answer)
{
    bool done = answer->code == CODE(OK);
    if (a->json) {
        struct mer_buf out;
        mer_buf_init(&out, 0);
        if (mer_json_write(&answer->base, &out) == MER_OK)
            printf("%.*s\n", (int)out.len, (const char *)out.data);
        mer_buf_deinit(&out);
    } else if (done) {
        ctl_print(a, answer, stdout);
    } else {
        fprintf(stderr, "meridianctl: %s: %s\n", address, answer->why != NULL ? answer->why : "refused");
    }
    return done ? CTL_DONE : CTL_REFUSED;
}

/* Only the leader's word counts for what the leader does: a standby's is taken when nobody else was reached. */
static bool is_final(const struct ctl_args *a, const Meridian__Control__V1__Answer *answer)
{
    bool standby =
        answer->code == CODE(NOT_LEADER) || (answer->body_case == MERIDIAN__CONTROL__V1__ANSWER__BODY_ROUTER && !answer->router->leader);
    return !a->of_each && !standby;
}

int main(int argc, char **argv)
{
    struct ctl_args a;
    int code = -1, shown = -1;
    if (!ctl_args_parse(&a, argc, argv, &code))
        return CTL_USAGE;
    if (code >= 0)
        return code;
    Meridian__Control__V1__Answer *standby = NULL;
    const char *standby_address = NULL;
    for (size_t i = 0; a.router[i] != NULL; i++) {
        Meridian__Control__V1__Answer *answer = NULL;
        struct mer_msg msg = {{0}};
        if (ctl_talk(&a, a.router[i], &answer, &msg) != MER_OK) {
            fprintf(stderr, "meridianctl: %s\n", msg.text);
            if (a.of_each)
                shown = CTL_UNREACHABLE; /* the picture is not whole */
        } else if (a.of_each || is_final(&a, answer)) {
            int now = show(&a, a.router[i], answer);
            shown = now > shown ? now : shown;
        } else if (standby == NULL) {
            standby = answer;
            standby_address = a.router[i];
            answer = NULL;
        }
        if (answer != NULL)
            meridian__control__v1__answer__free_unpacked(answer, NULL);
        if (shown >= 0 && !a.of_each)
            break;
    }
    if (shown < 0 && standby != NULL)
        shown = show(&a, standby_address, standby);
    if (standby != NULL)
        meridian__control__v1__answer__free_unpacked(standby, NULL);
    return shown >= 0 ? shown : CTL_UNREACHABLE;
}
