/* SPDX-License-Identifier: Apache-2.0
 * notify.c - notify.h. Owner: process.c. */
#include <meridian/notify.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path, or "@name" in the abstract namespace. Anything else (vsock) is none of ours. */
static bool read_address(struct mer_notify *n, const char *text)
{
    size_t len = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
        return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/' ? 1 : 0));
    return true;
}

/* Half of what the manager waits; 0 when it does not watch us. */
static uint64_t read_period_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (usec == NULL || (pid != NULL && strtoul(pid, NULL, 10) != (unsigned long)getpid()))
        return 0;
    uint64_t us = strtoull(usec, NULL, 10);
    return us == 0 || us == UINT64_MAX ? 0 : us < 2000 ? 1 : us / 2000;
}

static void on_timer(struct mer_timer *t)
{
    struct mer_notify *n = MER_CONTAINER_OF(t, struct mer_notify, timer);

    mer_notify_send(n, "WATCHDOG=1");
    mer_loop_arm(n->loop, &n->timer, n->every_ms);
}

void mer_notify_init(struct mer_notify *n, struct mer_loop *loop)
{
    const char *where = getenv("NOTIFY_SOCKET");

    memset(n, 0, sizeof(*n));
    n->loop = loop;
    n->fd = -1;
    mer_timer_init(&n->timer, on_timer);
    if (where != NULL && read_address(n, where))
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    n->every_ms = n->fd >= 0 ? read_period_ms() : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (n->every_ms > 0)
        mer_loop_arm(loop, &n->timer, n->every_ms);
}

void mer_notify_send(struct mer_notify *n, const char *lines)
{
    if (n->fd < 0)
        return;
    /* A manager that is being replaced is gone for a moment: the next one comes in time. */
    ssize_t ignored = sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_len);
    (void)ignored;
}

void mer_notify_deinit(struct mer_notify *n)
{
    mer_loop_disarm(n->loop, &n->timer);
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}
