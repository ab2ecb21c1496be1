/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridianctl asks routers and geo agents, and gives them orders (ctl.h). */
#include <signal.h>
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

/* Only the leader's word counts for what the leader does: a standby's, or another region's, is taken when nobody else was reached. */
static bool is_final(const Meridian__Control__V1__Answer *answer)
{
    bool standby = answer->code == CODE(NOT_LEADER) || answer->code == CODE(ELSEWHERE) ||
                   (answer->body_case == MERIDIAN__CONTROL__V1__ANSWER__BODY_ROUTER && !answer->router->leader);
    return !standby;
}

struct second_best {
    Meridian__Control__V1__Answer *answer; /* ours */
    const char *address;
};

/* Of those that are not final, a leader's says more than a standby's. Takes the answer. */
static void keep(struct second_best *b, const char *address, Meridian__Control__V1__Answer *answer)
{
    bool better = b->answer == NULL || (b->answer->code == CODE(NOT_LEADER) && answer->code != CODE(NOT_LEADER));
    Meridian__Control__V1__Answer *loser = better ? b->answer : answer;
    if (better)
        *b = (struct second_best){answer, address};
    if (loser != NULL)
        meridian__control__v1__answer__free_unpacked(loser, NULL);
}

/* The exit code; of several, the worst. */
static int ask(const struct ctl_args *a)
{
    struct second_best best = {NULL, NULL};
    bool of_each = a->whom != CTL_LEADER;
    int shown = -1;
    for (size_t i = 0; a->address[i] != NULL && (shown < 0 || of_each); i++) {
        Meridian__Control__V1__Answer *answer = NULL;
        struct mer_msg msg = {{0}};
        enum mer_err err = ctl_talk(a, a->address[i], &answer, &msg);
        if (err == MER_ENOTFOUND)
            continue;
        if (err != MER_OK) {
            fprintf(stderr, "meridianctl: %s\n", msg.text);
            if (of_each)
                shown = CTL_UNREACHABLE; /* the picture is not whole */
        } else if (of_each || is_final(answer)) {
            int now = show(a, a->address[i], answer);
            shown = now > shown ? now : shown;
            meridian__control__v1__answer__free_unpacked(answer, NULL);
        } else {
            keep(&best, a->address[i], answer);
        }
    }
    if (shown < 0 && best.answer != NULL)
        shown = show(a, best.address, best.answer);
    if (best.answer != NULL)
        meridian__control__v1__answer__free_unpacked(best.answer, NULL);
    if (shown < 0 && a->region != NULL)
        fprintf(stderr, "meridianctl: no router of %s among those given\n", a->region);
    return shown >= 0 ? shown : CTL_UNREACHABLE;
}

int main(int argc, char **argv)
{
    struct ctl_args a;
    int code = -1;
    signal(SIGPIPE, SIG_IGN); /* a router that ends while it is asked is an error of a write: the next one is asked */
    if (!ctl_args_parse(&a, argc, argv, &code))
        return CTL_USAGE;
    return code >= 0 ? code : ask(&a);
}
