/* SPDX-License-Identifier: Apache-2.0
 * emulate.c - the shell of the emulator: reads packets, asks wan_net and wan_path for their fate, keeps them until their time, writes them.
 *
 * One thread, epoll, and its nanosecond timeout (epoll_pwait2), because a millisecond's rounding would be a tenth of the shortest delay.
 * A packet costs a read and a write; what is late because the machine is busy is late, never lost. */
#include "tests/wan/emulate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "tests/wan/netns.h"
#include "tests/wan/queue.h"

enum {
    PACKET_MAX = 65536,
    READS_MAX = 64,      /* packets a turn from one device, so that all have their turn and delays are kept */
    CLIENTS_MAX = 8,     /* no special reason: a test and a person or two */
    IDLE_MS = 500,       /* how often *stop is looked at when nothing moves */
    ANSWER_MAX = 1 << 17 /* a line a path, 17 nodes */
};

struct client {
    int fd; /* 0: free */
    size_t len;
    char line[WAN_LINE_MAX + 1];
};

struct wan_emulator {
    struct wan_net net;
    struct wan_queue queue;
    int tun[WAN_NODES_MAX];
    int epoll, listener;
    uint64_t seed;
    struct client client[CLIENTS_MAX];
    struct sockaddr_un address;
    uint8_t packet[PACKET_MAX];
};

/* What an event of epoll is about. */
enum { ABOUT_TUN = 0, ABOUT_LISTENER = 1000, ABOUT_CLIENT = 2000 };

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool watch(struct wan_emulator *e, int fd, uint32_t about)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = about};
    return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- packets ------------------------------------------------------------------------------------------------------------------------- */

static void take(struct wan_emulator *e, uint32_t from, size_t size)
{
    uint64_t arrival[2];
    int to = wan_net_route(&e->net, from, e->packet, size);
    if (to < 0)
        return;
    unsigned times = wan_path_pass(&e->net.path[from][to], now_us(), (uint32_t)size, arrival);
    for (unsigned i = 0; i < times; i++)
        if (wan_queue_add(&e->queue, arrival[i], (uint32_t)to, e->packet, (uint32_t)size) != MER_OK)
            e->net.full++;
}

static void read_tun(struct wan_emulator *e, uint32_t node)
{
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(e->tun[node], e->packet, sizeof e->packet);
        if (n <= 0)
            return;
        take(e, node, (size_t)n);
    }
}

/* A device that is down refuses: its packets are lost, as on a real one. */
static void deliver(struct wan_emulator *e)
{
    const struct wan_packet *p;
    while ((p = wan_queue_first(&e->queue)) != NULL && p->at_us <= now_us()) {
        (void)!write(e->tun[p->node], p->data, p->size);
        wan_queue_remove_first(&e->queue);
    }
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------------------- */

static bool split(char *text, char **part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((part[i] = strsep(&text, ",")) == NULL)
            return false;
    return text == NULL;
}

static enum mer_err open_device(struct wan_emulator *e, uint32_t node, const char *netns, const char *device, struct mer_msg *msg)
{
    enum mer_err err = wan_netns_tun(netns, device, &e->tun[node], msg);
    if (err == MER_OK && !watch(e, e->tun[node], ABOUT_TUN + node)) {
        mer_msgf(msg, "epoll: %s", strerror(errno));
        close(e->tun[node]);
        err = MER_EIO;
    }
    return err;
}

enum mer_err wan_emulator_add(struct wan_emulator *e, const char *text, struct mer_msg *msg)
{
    char copy[WAN_LINE_MAX + 1], *part[4];
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy || !split(copy, part, 4)) {
        mer_msgf(msg, "a node is NAME,NETWORK,NETNS,DEVICE");
        return MER_EINVALID;
    }
    enum mer_err err = wan_net_add(&e->net, part[0], part[1], e->seed);
    if (err != MER_OK) {
        mer_msgf(msg, "node %s, network %s: %s", part[0], part[1], mer_err_text(err));
        return err;
    }
    uint32_t node = (uint32_t)wan_net_find(&e->net, part[0]);
    err = open_device(e, node, part[2], part[3], msg);
    if (err != MER_OK)
        wan_net_remove(&e->net, node);
    return err;
}

/* Its device goes with it; what is under way to it is lost. */
static enum mer_err drop(struct wan_emulator *e, const char *name, struct mer_msg *msg)
{
    int node = wan_net_find(&e->net, name);
    if (node < 0) {
        mer_msgf(msg, "no such node");
        return MER_ENOTFOUND;
    }
    close(e->tun[node]);
    e->tun[node] = -1;
    wan_net_remove(&e->net, (uint32_t)node);
    return MER_OK;
}

/* ---- control ------------------------------------------------------------------------------------------------------------------------- */

static void client_close(struct client *c)
{
    close(c->fd);
    *c = (struct client){0};
}

static void client_accept(struct wan_emulator *e)
{
    int fd = accept4(e->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), room = ANSWER_MAX;
    if (fd < 0)
        return;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (e->client[i].fd == 0 && watch(e, fd, ABOUT_CLIENT + i)) {
            (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
            e->client[i].fd = fd;
            return;
        }
    close(fd);
}

/* Nodes come and go with their devices, which only we know; the rest is said to the net. */
static enum mer_err command(struct wan_emulator *e, const char *line, struct mer_buf *answer)
{
    struct mer_msg msg = {""};
    enum mer_err err;
    if (strncmp(line, "add ", 4) == 0)
        err = wan_emulator_add(e, line + 4, &msg);
    else if (strncmp(line, "drop ", 5) == 0)
        err = drop(e, line + 5, &msg);
    else
        return wan_net_command(&e->net, line, answer);
    return err == MER_OK ? mer_buf_appends(answer, "ok\n") : mer_buf_appendf(answer, "error: %s\n", msg.text);
}

/* False: an answer did not go out as a whole; whoever does not read is closed. */
static bool client_answer(struct wan_emulator *e, struct client *c, const char *line)
{
    struct mer_buf answer;
    mer_buf_init(&answer, ANSWER_MAX);
    bool sent = command(e, line, &answer) == MER_OK && send(c->fd, answer.data, answer.len, MSG_NOSIGNAL) == (ssize_t)answer.len;
    mer_buf_deinit(&answer);
    return sent;
}

static void client_read(struct wan_emulator *e, struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - 1 - c->len, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            client_close(c);
        return;
    }
    c->len += (size_t)n;
    for (char *end; (end = memchr(c->line, '\n', c->len)) != NULL;) {
        size_t used = (size_t)(end - c->line) + 1;
        *end = '\0';
        if (strlen(c->line) != used - 1 || !client_answer(e, c, c->line)) {
            client_close(c);
            return;
        }
        c->len -= used;
        memmove(c->line, end + 1, c->len);
    }
    if (c->len == sizeof c->line - 1)
        client_close(c);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

static enum mer_err listen_control(struct wan_emulator *e, const char *control, struct mer_msg *msg)
{
    if (strlen(control) >= sizeof e->address.sun_path) {
        mer_msgf(msg, "%s: too long for a unix socket", control);
        return MER_EINVALID;
    }
    e->address.sun_family = AF_UNIX;
    memcpy(e->address.sun_path, control, strlen(control) + 1);
    e->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (e->listener >= 0 && bind(e->listener, (struct sockaddr *)&e->address, sizeof e->address) == 0 && listen(e->listener, 8) == 0 &&
        watch(e, e->listener, ABOUT_LISTENER))
        return MER_OK;
    mer_msgf(msg, "%s: %s", control, strerror(errno));
    e->address.sun_path[0] = '\0'; /* not ours to remove */
    return MER_EIO;
}

enum mer_err wan_emulator_create(struct wan_emulator **out, const char *control, uint64_t seed, struct mer_msg *msg)
{
    struct wan_emulator *e = mer_xcalloc(1, sizeof *e);
    e->seed = seed;
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->listener = -1;
    enum mer_err err = e->epoll < 0 ? MER_EIO : listen_control(e, control, msg);
    if (err == MER_OK)
        *out = e;
    else
        wan_emulator_destroy(e);
    return err;
}

static struct timespec until_next(const struct wan_emulator *e)
{
    const struct wan_packet *p = wan_queue_first(&e->queue);
    uint64_t now = now_us(), wait = (uint64_t)IDLE_MS * 1000;
    if (p != NULL && p->at_us <= now)
        wait = 0;
    else if (p != NULL && p->at_us - now < wait)
        wait = p->at_us - now;
    return (struct timespec){(time_t)(wait / 1000000), (long)(wait % 1000000) * 1000};
}

static void on_event(struct wan_emulator *e, uint32_t about)
{
    if (about < ABOUT_LISTENER)
        read_tun(e, about);
    else if (about == ABOUT_LISTENER)
        client_accept(e);
    else if (e->client[about - ABOUT_CLIENT].fd != 0)
        client_read(e, &e->client[about - ABOUT_CLIENT]);
}

enum mer_err wan_emulator_run(struct wan_emulator *e, const volatile sig_atomic_t *stop, struct mer_msg *msg)
{
    struct epoll_event events[32];
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    while (!*stop) {
        struct timespec wait = until_next(e);
        int n = epoll_pwait2(e->epoll, events, (int)MER_COUNT(events), &wait, NULL);
        if (n < 0 && errno != EINTR) {
            mer_msgf(msg, "epoll: %s", strerror(errno));
            return MER_EIO;
        }
        deliver(e);
        for (int i = 0; i < n; i++)
            on_event(e, events[i].data.u32);
    }
    return MER_OK;
}

void wan_emulator_destroy(struct wan_emulator *e)
{
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->net.count; i++)
        if (e->net.node[i].name[0] != '\0')
            close(e->tun[i]);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (e->client[i].fd != 0)
            client_close(&e->client[i]);
    if (e->listener >= 0)
        close(e->listener);
    if (e->address.sun_path[0] != '\0')
        unlink(e->address.sun_path);
    if (e->epoll >= 0)
        close(e->epoll);
    wan_queue_deinit(&e->queue);
    mer_free(&e);
}
