/* SPDX-License-Identifier: Apache-2.0
 * process.c - the four states of a service process and its signals. Health, acceptors and metrics read p->state, nobody keeps a copy (C24).
 * Next: args.c. */
#include <meridian/process.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define EVENTS(X) X(SET_UP) X(DRAIN) X(UNDRAIN) X(STOP)
#define X(name) EVENT_##name,
enum event { EVENTS(X) NEVENTS };
#undef X

/* A drain before being ready has nothing to drain. The picture is in process.h. */
static const uint8_t next[MER_PROCESS_NSTATES][NEVENTS] = {
    /*                        SET_UP                DRAIN                 UNDRAIN               STOP */
    [MER_PROCESS_STARTING] = {MER_PROCESS_READY, MER_PROCESS_STOPPED, MER_PROCESS_STARTING, MER_PROCESS_STOPPED},
    [MER_PROCESS_READY] = {MER_PROCESS_READY, MER_PROCESS_DRAINING, MER_PROCESS_READY, MER_PROCESS_STOPPED},
    [MER_PROCESS_DRAINING] = {MER_PROCESS_DRAINING, MER_PROCESS_DRAINING, MER_PROCESS_READY, MER_PROCESS_STOPPED},
    [MER_PROCESS_STOPPED] = {MER_PROCESS_STOPPED, MER_PROCESS_STOPPED, MER_PROCESS_STOPPED, MER_PROCESS_STOPPED},
};

/* What the service manager hears. A drain is no STOPPING=1: who ordered it here may take it back, and a manager that ordered it knows. */
static const char *const told[MER_PROCESS_NSTATES] = {
    [MER_PROCESS_STARTING] = "STATUS=starting",
    [MER_PROCESS_READY] = "READY=1\nSTATUS=ready",
    [MER_PROCESS_DRAINING] = "STATUS=draining",
    [MER_PROCESS_STOPPED] = "STOPPING=1\nSTATUS=stopped",
};

enum { M_STATE, M_LINES_LOST, M_COUNT };
_Static_assert((int)M_COUNT == (int)MER_PROCESS_OWN_METRICS, "process.h holds the values");

static const struct mer_metric_def metrics[M_COUNT] = {
    [M_STATE] = {"meridian_process_state", "0 starting, 1 ready, 2 draining, 3 stopped", MER_GAUGE},
    [M_LINES_LOST] = {"meridian_log_lines_lost_total", "log lines that were not written: disk full, reader gone or too slow", MER_COUNTER},
};

const char *mer_process_state_name(enum mer_process_state s)
{
#define X(name) #name,
    static const char *const names[] = {MER_PROCESS_STATES(X)};
#undef X
    return s < MER_PROCESS_NSTATES ? names[s] : "?";
}

/* true when the state changed. */
static bool move(struct mer_process *p, enum event event)
{
    enum mer_process_state from = p->state;

    p->state = next[from][event];
    if (p->state == from)
        return false;
    p->values[M_STATE] = p->state;
    mer_notify_send(&p->notify, told[p->state]);
    MER_LOG(p->log, MER_INFO, "process.state", KV_STR("from", mer_process_state_name(from)),
            KV_STR("to", mer_process_state_name(p->state)));
    if (p->state == MER_PROCESS_STOPPED)
        mer_loop_stop(p->loop);
    return true;
}

void mer_process_ready(struct mer_process *p)
{
    move(p, EVENT_SET_UP);
}

void mer_process_drain(struct mer_process *p)
{
    if (!move(p, EVENT_DRAIN) || p->state != MER_PROCESS_DRAINING)
        return;
    if (p->on_drain)
        p->on_drain(p->ctx);
    else
        mer_process_stop(p); /* nothing to wait for */
}

bool mer_process_undrain(struct mer_process *p)
{
    return !p->told_to_end && move(p, EVENT_UNDRAIN);
}

void mer_process_stop(struct mer_process *p)
{
    move(p, EVENT_STOP);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct mer_process *p = handle->data;

    MER_LOG(p->log, MER_INFO, "process.signal", KV_STR("name", signum == SIGHUP ? "SIGHUP" : signum == SIGINT ? "SIGINT" : "SIGTERM"));
    if (signum == SIGHUP) {
        if (p->on_reload)
            p->on_reload(p->ctx);
    } else if (p->told_to_end) {
        mer_process_stop(p); /* the second one: somebody is in a hurry */
    } else {
        p->told_to_end = true;
        mer_process_drain(p); /* where an operator drains it already, that goes on */
    }
}

static void refresh(struct mer_metric_set *set)
{
    struct mer_process *p = MER_CONTAINER_OF(set, struct mer_process, metric_set);

    p->values[M_LINES_LOST] = p->log->dropped;
}

void mer_process_init(struct mer_process *p, struct mer_loop *loop, struct mer_log *log, struct mer_metrics *metrics_registry)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    memset(p, 0, sizeof(*p));
    p->loop = loop;
    p->log = log;
    mer_notify_init(&p->notify, loop);
    mer_notify_send(&p->notify, told[MER_PROCESS_STARTING]);
    mer_metrics_add(metrics_registry, &p->metric_set, metrics, M_COUNT, p->values);
    p->metric_set.refresh = refresh;
    for (size_t i = 0; i < MER_COUNT(signals); i++) {
        /* at start, without descriptors for a pipe, there is nothing sensible left to do */
        MER_ASSERT(uv_signal_init(&loop->uv, &p->sig[i]) == 0);
        MER_ASSERT(uv_signal_start(&p->sig[i], on_signal, signals[i]) == 0);
        uv_unref((uv_handle_t *)&p->sig[i]);
        p->sig[i].data = p;
        p->sigs++;
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct mer_process *p = handle->data;

    p->sigs--;
}

void mer_process_deinit(struct mer_process *p)
{
    mer_metrics_remove(&p->metric_set);
    mer_notify_deinit(&p->notify);
    for (size_t i = 0; i < MER_COUNT(p->sig); i++)
        if (!uv_is_closing((uv_handle_t *)&p->sig[i]))
            uv_close((uv_handle_t *)&p->sig[i], on_closed);
}

uint64_t mer_process_raise_limits(void)
{
    struct rlimit limit;

    signal(SIGPIPE, SIG_IGN); /* a dead peer is an error of a write, not of the process */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = soft;
    }
    return limit.rlim_cur;
}
