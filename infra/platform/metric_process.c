/* SPDX-License-Identifier: Apache-2.0
 * metric_process.c - what the kernel and the loop know about this process, with Prometheus' customary names. Read when scraped, so it costs
 * nothing in between. */
#include <meridian/metric.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <meridian/loop.h>

enum { M_CPU, M_RESIDENT, M_VIRTUAL, M_FDS, M_FDS_MAX, M_STARTED, M_TURNS, M_LONGEST, M_BUSY, M_COUNT };
_Static_assert((int)M_COUNT == (int)MER_PROCESS_METRICS, "metric.h holds the values");

static const struct mer_metric_def metrics[M_COUNT] = {
    [M_CPU] = {"process_cpu_seconds_total", "user and system CPU time spent", MER_COUNTER_US},
    [M_RESIDENT] = {"process_resident_memory_bytes", "resident memory", MER_GAUGE},
    [M_VIRTUAL] = {"process_virtual_memory_bytes", "virtual memory", MER_GAUGE},
    [M_FDS] = {"process_open_fds", "open descriptors", MER_GAUGE},
    [M_FDS_MAX] = {"process_max_fds", "soft limit of descriptors", MER_GAUGE},
    [M_STARTED] = {"process_start_time_seconds", "start of the process since the Unix epoch", MER_GAUGE_US},
    [M_TURNS] = {"meridian_loop_turns_total", "turns of the event loop", MER_COUNTER},
    [M_LONGEST] = {"meridian_loop_longest_turn_seconds", "busy time of the longest turn since the last scrape", MER_GAUGE_US},
    [M_BUSY] = {"meridian_loop_busy_seconds_total", "time the loop worked, not waited", MER_COUNTER_US},
};

static uint64_t cpu_us(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void read_memory(uint64_t *virtual_bytes, uint64_t *resident_bytes)
{
    uint64_t pages[2], page = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return;
    if (fscanf(f, "%" SCNu64 " %" SCNu64, &pages[0], &pages[1]) == 2) {
        *virtual_bytes = pages[0] * page;
        *resident_bytes = pages[1] * page;
    }
    fclose(f);
}

/* Wall time of the start: now minus the age, from field 22 of /proc/self/stat (clock ticks since boot). */
static uint64_t started_us(void)
{
    struct timespec boot, wall;
    uint64_t ticks = 0, age_us;
    char text[1024], *p;
    FILE *f = fopen("/proc/self/stat", "re");

    if (!f)
        return 0;
    p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL; /* the name before it may hold anything */
    fclose(f);
    if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64, &ticks) != 1)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    age_us = (uint64_t)boot.tv_sec * 1000000 + (uint64_t)boot.tv_nsec / 1000 - ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000 - age_us;
}

static uint64_t open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    struct dirent *e;

    if (!dir)
        return 0;
    while ((e = readdir(dir)))
        count += e->d_name[0] != '.';
    closedir(dir);
    return count ? count - 1 : 0; /* not the folder's own */
}

static void refresh(struct mer_metric_set *set)
{
    struct mer_metrics *m = MER_CONTAINER_OF(set, struct mer_metrics, process_set);
    struct rlimit limit;

    set->values[M_CPU] = cpu_us();
    read_memory(&set->values[M_VIRTUAL], &set->values[M_RESIDENT]);
    set->values[M_FDS] = open_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        set->values[M_FDS_MAX] = limit.rlim_cur;
    set->values[M_TURNS] = m->loop->turns;
    set->values[M_BUSY] = m->loop->busy_us;
    set->values[M_LONGEST] = m->loop->longest_turn_us;
    m->loop->longest_turn_us = 0;
}

void mer_metrics_add_process(struct mer_metrics *m, struct mer_loop *loop)
{
    m->loop = loop;
    mer_metrics_add(m, &m->process_set, metrics, M_COUNT, m->process_values);
    m->process_set.refresh = refresh;
    m->process_values[M_STARTED] = started_us();
}
