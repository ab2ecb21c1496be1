/* SPDX-License-Identifier: Apache-2.0
 * ctl.h - meridianctl: what the command line says (args.c), one question and its answer over a control link (talk.c), and the answer as
 * text for people (print.c). With --json the answer is printed as it is. */
#pragma once

#include <stdio.h>

#include <meridian/err.h>

#include "meridian/control/v1/control.pb-c.h"

enum { CTL_ADDRESSES_MAX = 16 };

/* meridianctl belongs to no region; a hello and a certificate must name one. */
#define CTL_REGION "global"

/* Exit codes. */
enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

enum ctl_view { CTL_VIEW_ROUTER, CTL_VIEW_EDGES, CTL_VIEW_LINKS, CTL_VIEW_ANSWER };

/* Who is asked: the leader among the routers given, all of these, or all geo agents given. */
enum ctl_whom { CTL_LEADER, CTL_ROUTERS, CTL_AGENTS };

struct ctl_args {
    const char *address[CTL_ADDRESSES_MAX + 1]; /* of routers or agents, in turn; NULL at the end */
    const char *cert, *key, *ca;                /* NULL: plain, which routers take from unix sockets and loopback only */
    const char *by, *reason;
    const char *region;  /* only routers of it are asked; NULL: whoever is given */
    const char *subject; /* of the command: an edge, a ticket, ...; NULL: none */
    bool json, dry_run, force, yes;
    uint32_t timeout_ms;
    uint64_t over_ms, for_ms; /* 0: not said */
    Meridian__Control__V1__Override override;
    uint32_t share_percent;
    Meridian__Control__V1__Ask__BodyCase question;
    enum ctl_view view;
    enum ctl_whom whom;
    bool changes; /* an order, not a question */
};

/* False: wrong; a line about it was written to stderr. argv's strings are borrowed. *exit_code >= 0: leave with it (--help). */
bool ctl_args_parse(struct ctl_args *a, int argc, char **argv, int *exit_code);

/* Asks the router or agent at `address`. MER_ENOTFOUND: it is not of the region that is wanted, and was not asked. MER_OK: *answer is the
 * caller's (answer__free_unpacked). MER_ECLOSED: nobody there, MER_ETIMEOUT: no answer in time, MER_ETLS: the certificates; msg says more.
 */
MER_MUST_CHECK enum mer_err ctl_talk(const struct ctl_args *a, const char *address, Meridian__Control__V1__Answer **answer,
                                     struct mer_msg *msg);

void ctl_print(const struct ctl_args *a, const Meridian__Control__V1__Answer *answer, FILE *out);
