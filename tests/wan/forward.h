/* SPDX-License-Identifier: Apache-2.0
 * forward.h - ports of a namespace's loopback, reached from ours at the same address and port: servers' admin ports are for loopback only,
 * and a namespace has a loopback of its own. */
#pragma once

#include <signal.h>

#include <meridian/err.h>

struct wan_forwarder;
MER_MUST_CHECK enum mer_err wan_forwarder_create(struct wan_forwarder **out, struct mer_msg *msg);
/* Listens on "127.20.0.1:7451" here and connects to it in the namespace. */
MER_MUST_CHECK enum mer_err wan_forwarder_add(struct wan_forwarder *f, const char *netns, const char *address, struct mer_msg *msg);
/* Until *stop. */
MER_MUST_CHECK enum mer_err wan_forwarder_run(struct wan_forwarder *f, const volatile sig_atomic_t *stop, struct mer_msg *msg);
void wan_forwarder_destroy(struct wan_forwarder *f);
