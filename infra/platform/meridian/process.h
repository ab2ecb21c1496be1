/* SPDX-License-Identifier: Apache-2.0
 * process.h - what a service process is (C24, R22, R23): its four states in one place, its command line, its signals, its limits.
 *
 *   STARTING --ready--> READY --drain--> DRAINING --empty or deadline--> STOPPED
 *       |                     ^--undrain--+                                ^
 *       +------------------ stop ------------------------------------------+
 *
 * SIGTERM and SIGINT: drain, or go on with a drain that an operator began; a second one: stop now. SIGHUP: reload. The service manager is
 * told of each state (notify.h). */
#pragma once

#include <meridian/conf.h>
#include <meridian/log.h>
#include <meridian/loop.h>
#include <meridian/metric.h>
#include <meridian/notify.h>

#define MER_PROCESS_STATES(X) X(STARTING) X(READY) X(DRAINING) X(STOPPED)
#define X(name) MER_PROCESS_##name,
enum mer_process_state { MER_PROCESS_STATES(X) MER_PROCESS_NSTATES };
#undef X
const char *mer_process_state_name(enum mer_process_state s);

/* Command line of every service: --config FILE, --set KEY=VALUE (repeatable), --check-config, --print-config-help, --print-config-template,
 * --version, --help. */
struct mer_args {
    const char *config;
    struct mer_strs sets; /* borrowed from argv; the array is freed by mer_args_free */
    bool check_config;
};
/* Handles --help, --version and the printing ones by itself: *exit_code >= 0 means leave with it. Bad usage: 2. */
void mer_args_parse(struct mer_args *a, int argc, char **argv, const char *service, const struct mer_conf_item *items, size_t count,
                    int *exit_code);
void mer_args_free(struct mer_args *a);

enum { MER_PROCESS_OWN_METRICS = 2 };

struct mer_process {
    enum mer_process_state state;
    struct mer_loop *loop;
    struct mer_log *log;
    uv_signal_t sig[3];
    int sigs; /* handles still open */
    struct mer_notify notify;
    bool told_to_end;             /* by a signal: whoever supervises the process waits for its end */
    void (*on_drain)(void *ctx);  /* once */
    void (*on_reload)(void *ctx); /* every SIGHUP */
    void *ctx;
    uint64_t values[MER_PROCESS_OWN_METRICS];
    struct mer_metric_set metric_set;
};

/* Raises the soft descriptor limit to the hard one and returns it; ignores SIGPIPE. */
uint64_t mer_process_raise_limits(void);
/* Handlers (on_drain, on_reload, ctx) are set after this call. Signal handles do not keep the loop alive. */
void mer_process_init(struct mer_process *p, struct mer_loop *loop, struct mer_log *log, struct mer_metrics *metrics);
void mer_process_ready(struct mer_process *p);
/* READY -> DRAINING and on_drain (none: stops); while STARTING: stops; idempotent. */
void mer_process_drain(struct mer_process *p);
/* DRAINING -> READY, when what was begun can be taken back: the service's to know. False: it does not drain, or was told to end. */
MER_MUST_CHECK bool mer_process_undrain(struct mer_process *p);
/* -> STOPPED and the loop stops. */
void mer_process_stop(struct mer_process *p);
/* The handles are closed by the loop: `p` must live until mer_loop_deinit. */
void mer_process_deinit(struct mer_process *p);
