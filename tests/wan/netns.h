/* SPDX-License-Identifier: Apache-2.0
 * netns.h - things made inside another network namespace; this process stays where it is. A namespace is named as `ip netns` does (below
 * /run/netns); "" is our own. */
#pragma once

#include <meridian/err.h>

/* A TUN device of this name without packet information, non-blocking; gone when *fd is closed. Addresses and routes are the caller's. */
MER_MUST_CHECK enum mer_err wan_netns_tun(const char *netns, const char *device, int *fd, struct mer_msg *msg);
/* A non-blocking TCP socket that lives there. */
MER_MUST_CHECK enum mer_err wan_netns_socket(int netns, int home, int *fd);
/* The namespace as a file; *fd is the caller's. */
MER_MUST_CHECK enum mer_err wan_netns_open(const char *netns, int *fd, struct mer_msg *msg);
