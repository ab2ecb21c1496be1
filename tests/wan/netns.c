/* SPDX-License-Identifier: Apache-2.0
 * netns.c - in and out of namespaces (netns.h). A device or socket belongs to the namespace in which it was made, so one single-threaded
 * process can hold those of many. Failing to come home would leave us in the wrong world: that ends the process. */
#include "tests/wan/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum mer_err wan_netns_open(const char *netns, int *fd, struct mer_msg *msg)
{
    char path[128] = "/proc/self/ns/net";
    if (netns[0] != '\0')
        snprintf(path, sizeof path, "/run/netns/%s", netns);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return MER_OK;
    mer_msgf(msg, "%s: %s", path, strerror(errno));
    return MER_ENOTFOUND;
}

static bool enter(int netns)
{
    return setns(netns, CLONE_NEWNET) == 0;
}

static void leave(int home)
{
    if (setns(home, CLONE_NEWNET) == 0)
        return;
    perror("meridian-wan: cannot leave a network namespace");
    abort();
}

static int open_tun(const char *device)
{
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
    if (ioctl(fd, TUNSETIFF, &r) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum mer_err wan_netns_tun(const char *netns, const char *device, int *fd, struct mer_msg *msg)
{
    int home, there;
    enum mer_err err = wan_netns_open("", &home, msg);
    if (err != MER_OK)
        return err;
    err = wan_netns_open(netns, &there, msg);
    if (err != MER_OK) {
        close(home);
        return err;
    }
    *fd = -1;
    if (enter(there)) {
        *fd = open_tun(device);
        int error = errno;
        leave(home);
        errno = error;
    }
    if (*fd < 0) {
        mer_msgf(msg, "TUN device %s in \"%s\": %s", device, netns, strerror(errno));
        err = MER_EIO;
    }
    close(there);
    close(home);
    return err;
}

enum mer_err wan_netns_socket(int netns, int home, int *fd)
{
    if (!enter(netns))
        return MER_EIO;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    leave(home);
    return *fd < 0 ? MER_EIO : MER_OK;
}
