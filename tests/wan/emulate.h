/* SPDX-License-Identifier: Apache-2.0
 * emulate.h - the emulator: TUN devices of several network namespaces, joined by a wan_net; changed over a unix socket. */
#pragma once

#include <signal.h>

#include "tests/wan/net.h"

struct wan_emulator;
MER_MUST_CHECK enum mer_err wan_emulator_create(struct wan_emulator **out, const char *control, uint64_t seed, struct mer_msg *msg);
/* node: "NAME,NETWORK,NETNS,DEVICE"; the device is made in that namespace (netns.h). */
MER_MUST_CHECK enum mer_err wan_emulator_add(struct wan_emulator *e, const char *node, struct mer_msg *msg);
/* Until *stop. */
MER_MUST_CHECK enum mer_err wan_emulator_run(struct wan_emulator *e, const volatile sig_atomic_t *stop, struct mer_msg *msg);
void wan_emulator_destroy(struct wan_emulator *e);
