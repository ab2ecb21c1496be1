/* SPDX-License-Identifier: Apache-2.0
 * app_parts.h - the parts of an edge, for app.c only. */
#pragma once

#include "edge/app.h"

enum { EDGE_RESERVED_DESCRIPTORS = 256 /* Redis (3 a primary), links, listeners, files, one accept */ };

/* All parts of an app whose configuration, loop and keys are there. On an error msg says what is wrong, and edge_app_destroy takes what was
 * made. */
MER_MUST_CHECK enum mer_err edge__app_parts_create(struct edge_app *app, struct mer_msg *msg);
