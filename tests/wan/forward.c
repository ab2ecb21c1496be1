/* SPDX-License-Identifier: Apache-2.0
 * forward.c - pairs of sockets, one on each side of a namespace's border (forward.h).
 *
 * Each half has a buffer for what it has read and the other has not yet taken; it reads only while that is empty, so a slow reader slows
 * the other side down and nothing grows. A pair ends when either side ends and what it had said is handed over. */
#include "tests/wan/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <meridian/mem.h>

#include "tests/wan/netns.h"

enum { PORTS_MAX = 1024, PAIRS_MAX = 256, CHUNK = 16 * 1024, IDLE_MS = 500 };

struct port {
    int listener, netns;
    struct sockaddr_in address;
};

struct half {
    int fd;
    bool ended; /* has said all */
    size_t from, len;
    uint8_t data[CHUNK]; /* read here, for the other */
};

struct pair {
    bool used;
    struct half half[2]; /* here, there */
};

struct wan_forwarder {
    int epoll, home;
    struct port port[PORTS_MAX];
    uint32_t ports;
    struct pair pair[PAIRS_MAX];
};

enum { ABOUT_PAIR = 1 << 16 };

enum mer_err wan_forwarder_create(struct wan_forwarder **out, struct mer_msg *msg)
{
    struct wan_forwarder *f = mer_xcalloc(1, sizeof *f);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->home = -1;
    enum mer_err err = f->epoll < 0 ? MER_EIO : wan_netns_open("", &f->home, msg);
    if (err == MER_OK)
        *out = f;
    else
        wan_forwarder_destroy(f);
    return err;
}

static bool parse(const char *text, struct sockaddr_in *out)
{
    char host[16], more;
    unsigned port;
    *out = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%15[0-9.]:%5u%c", host, &port, &more) != 2 || port == 0 || port > 65535)
        return false;
    out->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &out->sin_addr) == 1 && ntohl(out->sin_addr.s_addr) >> 24 == 127;
}

enum mer_err wan_forwarder_add(struct wan_forwarder *f, const char *netns, const char *address, struct mer_msg *msg)
{
    static const int on = 1;
    struct port *p = &f->port[f->ports];
    if (f->ports == PORTS_MAX || !parse(address, &p->address)) {
        mer_msgf(msg, "\"%s\" is no loopback address and port, or one too many", address);
        return MER_EINVALID;
    }
    enum mer_err err = wan_netns_open(netns, &p->netns, msg);
    if (err != MER_OK)
        return err;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = f->ports++};
    if (p->listener >= 0 && setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(p->listener, (struct sockaddr *)&p->address, sizeof p->address) == 0 && listen(p->listener, 64) == 0 &&
        epoll_ctl(f->epoll, EPOLL_CTL_ADD, p->listener, &event) == 0)
        return MER_OK;
    mer_msgf(msg, "%s: %s", address, strerror(errno));
    return MER_EIO;
}

static void pair_close(struct pair *p)
{
    close(p->half[0].fd);
    close(p->half[1].fd);
    p->used = false;
}

/* Each half is read while what it said last is handed over, and written while the other's is not. */
static void pair_watch(struct wan_forwarder *f, struct pair *p, int operation)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct half *h = &p->half[i], *other = &p->half[1 - i];
        struct epoll_event event = {.data.u32 = ABOUT_PAIR + 2 * (uint32_t)(p - f->pair) + i};
        event.events = (h->len == 0 && !h->ended ? EPOLLIN : 0) | (other->len > 0 ? EPOLLOUT : 0);
        epoll_ctl(f->epoll, operation, h->fd, &event);
    }
}

static void on_accept(struct wan_forwarder *f, struct port *port)
{
    struct pair *p = f->pair;
    int there, here = accept4(port->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (here < 0)
        return;
    while (p < f->pair + PAIRS_MAX && p->used)
        p++;
    if (p == f->pair + PAIRS_MAX || wan_netns_socket(port->netns, f->home, &there) != MER_OK) {
        close(here);
        return;
    }
    p->used = true;
    for (int i = 0; i < 2; i++)
        p->half[i].fd = i == 0 ? here : there, p->half[i].ended = false, p->half[i].len = 0;
    if (connect(there, (struct sockaddr *)&port->address, sizeof port->address) != 0 && errno != EINPROGRESS)
        pair_close(p);
    else
        pair_watch(f, p, EPOLL_CTL_ADD);
}

/* False: broken. */
static bool fill(struct half *h)
{
    if (h->len > 0 || h->ended)
        return true;
    ssize_t n = recv(h->fd, h->data, sizeof h->data, 0);
    if (n < 0)
        return errno == EAGAIN;
    h->ended = n == 0;
    h->from = 0;
    h->len = (size_t)n;
    return true;
}

static bool empty(struct half *h, const struct half *to)
{
    if (h->len == 0)
        return true;
    ssize_t n = send(to->fd, h->data + h->from, h->len, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    h->from += (size_t)n;
    h->len -= (size_t)n;
    return true;
}

static void on_pair(struct wan_forwarder *f, uint32_t which, uint32_t events)
{
    struct pair *p = &f->pair[which / 2];
    struct half *h = &p->half[which % 2], *other = &p->half[1 - which % 2];
    if (!p->used)
        return;
    bool good = (events & EPOLLERR) == 0;
    if (good && (events & EPOLLOUT) != 0)
        good = empty(other, h);
    if (good && (events & (EPOLLIN | EPOLLHUP)) != 0)
        good = fill(h) && empty(h, other);
    if (!good || (h->ended && h->len == 0) || (other->ended && other->len == 0))
        pair_close(p);
    else
        pair_watch(f, p, EPOLL_CTL_MOD);
}

enum mer_err wan_forwarder_run(struct wan_forwarder *f, const volatile sig_atomic_t *stop, struct mer_msg *msg)
{
    struct epoll_event events[32];
    while (!*stop) {
        int n = epoll_wait(f->epoll, events, (int)MER_COUNT(events), IDLE_MS);
        if (n < 0 && errno != EINTR) {
            mer_msgf(msg, "epoll: %s", strerror(errno));
            return MER_EIO;
        }
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 < ABOUT_PAIR)
                on_accept(f, &f->port[events[i].data.u32]);
            else
                on_pair(f, events[i].data.u32 - ABOUT_PAIR, events[i].events);
        }
    }
    return MER_OK;
}

void wan_forwarder_destroy(struct wan_forwarder *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; i < PAIRS_MAX; i++)
        if (f->pair[i].used)
            pair_close(&f->pair[i]);
    for (uint32_t i = 0; i < f->ports; i++) {
        close(f->port[i].listener);
        close(f->port[i].netns);
    }
    if (f->home >= 0)
        close(f->home);
    if (f->epoll >= 0)
        close(f->epoll);
    mer_free(&f);
}
