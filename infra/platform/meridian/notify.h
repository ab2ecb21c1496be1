/* SPDX-License-Identifier: Apache-2.0
 * notify.h - tells the service manager how a process is: systemd's datagrams (sd_notify), written by hand, because a library that is linked
 * for one sendto() is one more to trust. Without a manager (NOTIFY_SOCKET is not set) nothing happens.
 *
 * A loop that hangs stops telling WATCHDOG=1, and the manager ends the process. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <meridian/loop.h>

struct mer_notify {
    struct mer_loop *loop;
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    socklen_t to_len;
    struct mer_timer timer; /* every half of what the manager waits (WATCHDOG_USEC); armed from init to deinit if it does */
    uint64_t every_ms;      /* 0: it does not */
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC (unless WATCHDOG_PID is another process') and takes them out of the environment. */
void mer_notify_init(struct mer_notify *n, struct mer_loop *loop);
/* Lines "KEY=VALUE" separated by line feeds. Never waits; what cannot be sent is lost. */
void mer_notify_send(struct mer_notify *n, const char *lines);
/* Before mer_loop_deinit. */
void mer_notify_deinit(struct mer_notify *n);
