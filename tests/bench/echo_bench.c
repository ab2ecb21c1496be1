/* SPDX-License-Identifier: Apache-2.0
 * echo_bench.c - two echo servers compared in one run: messages per CPU second of the server, rounds interleaved (what else the machine
 * does hits both), the ratio of each pair of rounds, and the median of the ratios. Each connection has one message in flight; every answer
 * is compared with what was sent. Then a short round of each under strace counts system calls a message.
 *
 * Usage: echo_bench FLOOR EDGE [--rounds N] [--ms N] [--connections N] [--min-ratio X] [--max-syscalls X]
 * FLOOR and EDGE are programs that print their URL. Servers are pinned to the first core, the client to the second. JSON on stdout, one
 * line for people on stderr; exit 1 when a limit is broken, 2 when it could not be measured. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 32, FRAME_OUT = 2 + 4 + PAYLOAD, FRAME_IN = 2 + PAYLOAD, EVENTS = 256, MAX_CONNECTIONS = 2000, MAX_ROUNDS = 101 };

struct client {
    int fd;
    uint64_t sent; /* number of the message in flight */
    size_t have;
    uint8_t in[FRAME_IN];
};
struct server {
    const char *program;
    pid_t pid;
    int port, epoll;
    struct client *clients;
    double rate[MAX_ROUNDS]; /* messages a CPU second */
    double syscalls;         /* a message, under strace */
};

static int connections = 200, rounds = 31, round_ms = 300; /* many short rounds: the machine's other work comes and goes */
static double min_ratio, max_syscalls;

static _Noreturn void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM); /* the servers are in our process group, which is our own */
    _exit(2);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds the server has been on a core: its only busy thread's. */
static uint64_t cpu_ns(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%llu", &ns) != 1 || ns == 0)
        die("%s: cannot be read", path);
    fclose(f);
    return ns;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof(set), &set); /* with one core both share it */
}

static void start(struct server *s)
{
    int out[2];
    char line[256] = "";
    if (pipe(out) != 0)
        die("pipe: %s", strerror(errno));
    s->pid = fork();
    if (s->pid == 0) {
        pin(0);
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execl(s->program, s->program, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    const char *port = f != NULL && fgets(line, sizeof(line), f) != NULL ? strchr(line + 5, ':') : NULL;
    if (strncmp(line, "ws://", 5) != 0 || port == NULL)
        die("%s: printed no URL", s->program);
    s->port = atoi(port + 1);
    fclose(f);
}

static void connect_one(struct server *s, struct client *c)
{
    static const char request[] = "GET /v1/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[1024];
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) != 0 || send(c->fd, request, sizeof(request) - 1, 0) < 0)
        die("%s: %s", s->program, strerror(errno));
    ssize_t got = recv(c->fd, answer, sizeof(answer) - 1, 0);
    answer[got > 0 ? got : 0] = '\0';
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0 || strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL)
        die("%s: not upgraded: %s", s->program, answer);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

static void fill(const struct client *c, uint8_t out[PAYLOAD])
{
    uint64_t x = c->sent * 0x9e3779b97f4a7c15u + (uint64_t)c->fd;
    for (int i = 0; i < PAYLOAD; i += 8, x ^= x << 13, x ^= x >> 7, x ^= x << 17)
        memcpy(out + i, &x, 8);
}

static void send_one(struct client *c)
{
    uint8_t frame[FRAME_OUT] = {0x82, 0x80 | PAYLOAD, 0x12, 0x34, 0x56, 0x78};
    c->sent++;
    c->have = 0;
    fill(c, frame + 6);
    for (int i = 0; i < PAYLOAD; i++)
        frame[6 + i] ^= frame[2 + (i & 3)];
    if (send(c->fd, frame, sizeof(frame), MSG_NOSIGNAL) != (ssize_t)sizeof(frame))
        die("send: %s", strerror(errno));
}

static _Noreturn void lost(const struct server *s, const struct client *c, ssize_t got)
{
    const char *how = got == 0 ? "closed" : strerror(errno);
    int status = 0;
    if (waitpid(s->pid, &status, WNOHANG) == s->pid)
        die("%s: ended, wait status %#x", s->program, (unsigned)status);
    if (c->have >= 4 && c->in[0] == 0x88)
        die("%s: closed with code %u", s->program, (unsigned)(c->in[2] << 8 | c->in[3]));
    die("%s: %s", s->program, how);
}

/* True when the answer is whole; what differs from what was sent ends the bench. */
static bool take_answer(const struct server *s, struct client *c)
{
    uint8_t expected[FRAME_IN] = {0x82, PAYLOAD};
    ssize_t got = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, 0);
    if (got <= 0)
        lost(s, c, got);
    c->have += (size_t)got;
    if (c->have >= 2 && c->in[0] == 0x89 && c->in[1] == 0) { /* a heartbeat */
        c->have -= 2;
        memmove(c->in, c->in + 2, c->have);
    }
    if (c->have < sizeof(c->in))
        return false;
    fill(c, expected + 2);
    if (memcmp(expected, c->in, sizeof(expected)) != 0)
        die("an echo differs from what was sent");
    c->have = 0; /* a heartbeat may come next */
    return true;
}

/* Echoes for so long; all answers are in when it returns. Returns how many there were. */
static uint64_t play(struct server *s, uint64_t ns)
{
    uint64_t done = 0, end = now_ns() + ns;
    int flying = connections;
    for (int i = 0; i < connections; i++)
        send_one(&s->clients[i]);
    while (flying > 0) {
        struct epoll_event ev[EVENTS];
        int n = epoll_wait(s->epoll, ev, EVENTS, 5000);
        if (n <= 0)
            die("%s: no answers any more", s->program);
        bool go_on = now_ns() < end;
        for (int i = 0; i < n; i++) {
            if (!take_answer(s, ev[i].data.ptr))
                continue;
            done++;
            if (go_on)
                send_one(ev[i].data.ptr);
            else
                flying--;
        }
    }
    return done;
}

static void measure(struct server *s, int round)
{
    uint64_t cpu = cpu_ns(s->pid), done = play(s, (uint64_t)round_ms * 1000000u);
    uint64_t used = cpu_ns(s->pid) - cpu;
    s->rate[round] = (double)done * 1e9 / (double)(used != 0 ? used : 1);
}

/* Sum of the "calls" column of strace's table. */
static double count_calls(const char *path)
{
    char line[256];
    double calls = 0;
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        double percent, seconds, us, n;
        if (strstr(line, "total") == NULL && sscanf(line, "%lf %lf %lf %lf", &percent, &seconds, &us, &n) == 4)
            calls += n;
    }
    if (f != NULL)
        fclose(f);
    return calls;
}

static void trace(struct server *s)
{
    char pid[16], path[] = "/tmp/echo_bench.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        die("mkstemp: %s", strerror(errno));
    close(fd);
    snprintf(pid, sizeof(pid), "%d", s->pid);
    pid_t tracer = fork();
    if (tracer == 0) {
        pin(0);
        dup2(open("/dev/null", O_WRONLY), 2);
        execlp("strace", "strace", "-c", "-f", "-o", path, "-p", pid, (char *)NULL);
        _exit(127);
    }
    struct timespec attach = {0, 500 * 1000 * 1000};
    nanosleep(&attach, NULL);
    uint64_t done = play(s, 1000000000u);
    kill(tracer, SIGINT);
    waitpid(tracer, NULL, 0);
    s->syscalls = count_calls(path) / (double)done;
    unlink(path);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, (size_t)n * sizeof(*sorted));
    qsort(sorted, (size_t)n, sizeof(*sorted), ascending);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void options(int argc, char **argv)
{
    for (int i = 3; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--rounds") == 0)
            rounds = atoi(value);
        else if (strcmp(name, "--ms") == 0)
            round_ms = atoi(value);
        else if (strcmp(name, "--connections") == 0)
            connections = atoi(value);
        else if (strcmp(name, "--min-ratio") == 0)
            min_ratio = atof(value);
        else if (strcmp(name, "--max-syscalls") == 0)
            max_syscalls = atof(value);
    }
    if (argc < 3 || rounds < 1 || rounds > MAX_ROUNDS || connections < 1 || connections > MAX_CONNECTIONS) {
        fprintf(stderr, "usage: echo_bench FLOOR EDGE [--rounds N] [--ms N] [--connections N] [--min-ratio X] [--max-syscalls X]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    options(argc, argv);
    setpgid(0, 0);
    struct server s[2] = {{.program = argv[1]}, {.program = argv[2]}};
    double ratio[MAX_ROUNDS];
    pin(1);
    for (int i = 0; i < 2; i++) {
        start(&s[i]);
        s[i].epoll = epoll_create1(EPOLL_CLOEXEC);
        s[i].clients = calloc((size_t)connections, sizeof(*s[i].clients));
        for (int c = 0; c < connections; c++)
            connect_one(&s[i], &s[i].clients[c]);
        play(&s[i], 200 * 1000 * 1000); /* warm */
    }
    for (int r = 0; r < rounds; r++) {
        measure(&s[r % 2], r); /* who is first changes too */
        measure(&s[1 - r % 2], r);
        ratio[r] = s[1].rate[r] / s[0].rate[r];
    }
    for (int i = 0; i < 2; i++)
        trace(&s[i]);
    for (int i = 0; i < 2; i++) {
        kill(s[i].pid, SIGTERM);
        waitpid(s[i].pid, NULL, 0);
    }
    double floor = median(s[0].rate, rounds), edge = median(s[1].rate, rounds), m = median(ratio, rounds);
    printf("{\"connections\": %d, \"rounds\": %d, \"round_ms\": %d, \"payload_bytes\": %d, \"floor\": {\"messages_per_cpu_second\": %.0f, "
           "\"syscalls_per_message\": %.3f}, \"edge\": {\"messages_per_cpu_second\": %.0f, \"syscalls_per_message\": %.3f}, "
           "\"median_ratio\": %.4f}\n",
           connections, rounds, round_ms, PAYLOAD, floor, s[0].syscalls, edge, s[1].syscalls, m);
    fprintf(stderr, "echo: edge %.0fk, floor %.0fk messages a CPU second, ratio %.3f; %.3f and %.3f system calls a message\n", edge / 1e3,
            floor / 1e3, m, s[1].syscalls, s[0].syscalls);
    bool broken = (min_ratio > 0 && m < min_ratio) || (max_syscalls > 0 && s[1].syscalls > max_syscalls);
    return broken ? 1 : 0;
}
