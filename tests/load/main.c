/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridian-load: simulated players. README.md tells how to use it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "tests/load/report.h"
#include "tests/load/run.h"

enum { EXIT_BROKEN = 1, EXIT_WRONG = 2, EXIT_HUNG = 3, SPARE_S = 300 };

static struct load_told told;

static void on_interrupt(int signal)
{
    (void)signal;
    told.interrupted = 1;
}

static void on_region(int signal)
{
    if (signal == SIGUSR1)
        told.failed = 1;
    else
        told.back = 1;
}

/* The watchdog: a run that should have ended long ago must not stay and load the machine. */
static void on_alarm(int signal)
{
    static const char text[] = "meridian-load: hung, ended by its watchdog\n";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_HUNG);
}

static void watch(const struct load_options *o)
{
    struct sigaction interrupt = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND}, alarmed = {.sa_handler = on_alarm},
                     region = {.sa_handler = on_region};
    signal(SIGPIPE, SIG_IGN); /* over TLS a write to a dead peer would end all players */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    sigaction(SIGALRM, &alarmed, NULL);
    sigaction(SIGUSR1, &region, NULL);
    sigaction(SIGUSR2, &region, NULL);
    alarm((o->ramp_s + 60) * (o->cycles + 1) + o->warmup_s + o->seconds + o->drain_s + 2 * o->homeward_s + SPARE_S);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* wake when a move is due, not 50 us later */
}

static int run(struct load_run *r)
{
    switch (r->o.mode) {
    case LOAD_PLAY:
        load_run_play(r, &told.interrupted);
        break;
    case LOAD_IDLE:
        load_run_idle(r, &told.interrupted);
        break;
    case LOAD_CONNECT:
        load_run_connect(r, &told.interrupted);
        break;
    case LOAD_FAILOVER:
        load_run_failover(r, &told);
        break;
    }
    load_report_print(r);
    bool written = !r->o.json || load_report_write(r, r->o.json);
    return load_report_fine(r) && written ? 0 : EXIT_BROKEN;
}

int main(int argc, char **argv)
{
    struct load_options o;
    struct load_run *r = mer_xcalloc(1, sizeof(*r));
    int code = EXIT_WRONG;
    if (load_options_parse(&o, argc, argv, &code) && (code = load_run_init(r, &o)) == 0) {
        watch(&o);
        code = run(r);
        load_run_deinit(r);
    }
    mer_free(&r);
    return code;
}
