/* SPDX-License-Identifier: Apache-2.0
 * ctl.h - meridianctl: what the command line says (args.c), one question and its answer over a control link (talk.c), and the answer as
 * text for people (print.c). With --json the answer is printed as it is. */
#pragma once

#include <stdio.h>

#include <meridian/err.h>

#include "meridian/control/v1/control.pb-c.h"

enum { CTL_ROUTERS_MAX = 16 };

/* meridianctl belongs to no region; a hello and a certificate must name one. */
#define CTL_REGION "global"

/* Exit codes. */
enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

enum ctl_view { CTL_VIEW_ROUTER, CTL_VIEW_EDGES, CTL_VIEW_LINKS, CTL_VIEW_ANSWER };

struct ctl_args {
    const char *router[CTL_ROUTERS_MAX + 1]; /* addresses, tried in turn; NULL at the end */
    const char *cert, *key, *ca;             /* NULL: plain, which routers take from unix sockets and loopback only */
    const char *by, *reason;
    const char *subject; /* of the command: an edge, a ticket, ...; NULL: none */
    bool json, dry_run, force;
    uint32_t timeout_ms;
    Meridian__Control__V1__Ask__BodyCase question;
    enum ctl_view view;
    bool of_each; /* every router is asked, not the leader alone */
};

/* False: wrong; a line about it was written to stderr. argv's strings are borrowed. *exit_code >= 0: leave with it (--help). */
bool ctl_args_parse(struct ctl_args *a, int argc, char **argv, int *exit_code);

/* Asks the router at `address`. MER_OK: *answer is the caller's (answer__free_unpacked). MER_ECLOSED: nobody there, MER_ETIMEOUT: no
 * answer in time, MER_ETLS: the certificates; msg says more. */
MER_MUST_CHECK enum mer_err ctl_talk(const struct ctl_args *a, const char *address, Meridian__Control__V1__Answer **answer,
                                     struct mer_msg *msg);

void ctl_print(const struct ctl_args *a, const Meridian__Control__V1__Answer *answer, FILE *out);
