/* SPDX-License-Identifier: Apache-2.0
 * measure.c - /proc, the edges' /metrics and Redis' INFO. A Redis tells its own pid and role, so nobody needs to guess which process it is.
 */
#include "tests/load/measure.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <meridian/mem.h>

enum { ANSWER_MAX = 1 << 20, WAIT_S = 2 };

const char *load_role_name(enum load_role r)
{
    static const char *const names[LOAD_NROLES] = {"edge", "router", "redis primary", "redis replica", "load generator"};
    return names[r];
}

const char *load_counter_name(enum load_counter c)
{
#define X(name, text) text,
    static const char *const names[LOAD_NCOUNTERS] = {LOAD_COUNTER_MAP(X)};
#undef X
    return names[c];
}

/* --- asking a server ----------------------------------------------------------------------------------------------------------------- */

static int dial(const char *address)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval wait = {.tv_sec = WAIT_S};
    char host[64], port[6];
    if (sscanf(address, "%63[^:]:%5[0-9]", host, port) != 2 || getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* Sends the question and reads until the peer closes (or has said nothing for WAIT_S): text, or NULL. Caller frees. */
static char *ask(const char *address, const char *question)
{
    int fd = dial(address);
    size_t len = 0;
    ssize_t n = 0;
    if (fd < 0)
        return NULL;
    char *answer = mer_xmalloc(ANSWER_MAX + 1);
    if (write(fd, question, strlen(question)) == (ssize_t)strlen(question))
        while (len < ANSWER_MAX && (n = read(fd, answer + len, ANSWER_MAX - len)) > 0)
            len += (size_t)n;
    close(fd);
    answer[len] = 0;
    return answer;
}

/* --- processes ----------------------------------------------------------------------------------------------------------------------- */

static bool read_file(const char *name, char *out, size_t bytes)
{
    FILE *f = fopen(name, "re");
    if (!f)
        return false;
    size_t n = fread(out, 1, bytes - 1, f);
    out[n] = 0;
    fclose(f);
    return n > 0;
}

static uint64_t ticks_us(unsigned long long ticks)
{
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void add_process(struct load_sample *s, const char *name, enum load_role role, int pid)
{
    char file[64], text[4096];
    unsigned long long user = 0, sys = 0;
    if (pid <= 0 || s->processes == LOAD_PROCESSES_MAX)
        return;
    snprintf(file, sizeof(file), "/proc/%d/stat", pid);
    const char *rest = read_file(file, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &sys) != 2)
        return;
    struct load_process *p = &s->process[s->processes++];
    *p = (struct load_process){.role = role, .pid = pid, .cpu_us = ticks_us(user + sys)};
    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(file, sizeof(file), "/proc/%d/status", pid);
    const char *rss = read_file(file, text, sizeof(text)) ? strstr(text, "RssAnon:") : NULL;
    p->rss_anon_bytes = rss ? strtoull(rss + 8, NULL, 10) * 1024 : 0;
}

static void add_redis(struct load_sample *s, const char *address, const char *password)
{
    char question[512];
    snprintf(question, sizeof(question), "%s%s%sINFO server\r\nINFO replication\r\nQUIT\r\n", password[0] ? "AUTH " : "", password,
             password[0] ? "\r\n" : "");
    char *answer = ask(address, question);
    const char *pid = answer ? strstr(answer, "process_id:") : NULL;
    bool replica = answer && strstr(answer, "role:slave");
    if (pid)
        add_process(s, address, replica ? LOAD_ROLE_REDIS_REPLICA : LOAD_ROLE_REDIS_PRIMARY, atoi(pid + 11));
    free(answer);
}

static void read_machine(struct load_sample *s)
{
    char text[4096];
    unsigned long long t[8] = {0}, all = 0;
    if (!read_file("/proc/stat", text, sizeof(text)) ||
        sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
        return;
    for (int i = 0; i < 8; i++)
        all += t[i];
    s->machine_all_us = ticks_us(all);
    s->machine_busy_us = ticks_us(all - t[3] - t[4]); /* but idle and iowait */
}

/* --- counters ------------------------------------------------------------------------------------------------------------------------ */

/* Sum over all label sets of a metric. */
static double sum_of(const char *text, const char *name)
{
    char full[96];
    double sum = 0;
    size_t n = (size_t)snprintf(full, sizeof(full), "\nmeridian_%s", name);
    for (const char *at = text; (at = strstr(at, full)) != NULL; at += n) {
        const char *value = at[n] == '{' ? strstr(at + n, "} ") : at[n] == ' ' ? at + n : NULL;
        if (value)
            sum += strtod(value + (*value == '}' ? 2 : 1), NULL);
    }
    return sum;
}

static void add_counters(struct load_sample *s, const char *admin)
{
    char question[160];
    snprintf(question, sizeof(question), "GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", admin);
    char *answer = ask(admin, question);
    for (int i = 0; answer && i < LOAD_NCOUNTERS; i++)
        s->counter[i] += sum_of(answer, load_counter_name((enum load_counter)i));
    free(answer);
}

void load_sample_take(struct load_sample *s, const struct load_options *o, const struct load_endpoints *e, uint64_t now_us)
{
    char password[256] = "";
    memset(s, 0, sizeof(*s));
    if (read_file(o->redis_password, password, sizeof(password)))
        password[strcspn(password, "\r\n")] = 0;
    for (unsigned i = 0; i < e->edges; i++) {
        add_process(s, e->edge[i].server.id, LOAD_ROLE_EDGE, e->edge[i].server.pid);
        add_counters(s, e->edge[i].server.admin);
    }
    for (unsigned i = 0; i < e->routers; i++)
        add_process(s, e->router[i].id, LOAD_ROLE_ROUTER, e->router[i].pid);
    for (unsigned i = 0; i < e->redises; i++)
        add_redis(s, e->redis[i], password);
    add_process(s, "meridian-load", LOAD_ROLE_SELF, getpid());
    read_machine(s);
    s->at_us = now_us;
}

uint64_t load_sample_cpu_us(const struct load_sample *before, const struct load_sample *after, enum load_role role, unsigned *processes)
{
    uint64_t sum = 0;
    *processes = 0;
    for (unsigned i = 0; i < after->processes; i++)
        for (unsigned k = 0; k < before->processes; k++)
            if (after->process[i].role == role && after->process[i].pid == before->process[k].pid) {
                sum += after->process[i].cpu_us - before->process[k].cpu_us;
                ++*processes;
            }
    return sum;
}

uint64_t load_sample_edge_bytes(const struct load_sample *s)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->processes; i++)
        sum += s->process[i].role == LOAD_ROLE_EDGE ? s->process[i].rss_anon_bytes : 0;
    return sum;
}
