/* SPDX-License-Identifier: Apache-2.0
 * api.h - the player port's HTTP: GET /v1/ping, POST /v1/guest, GET /v1/regions (protocol.md, Endpoints). */
#pragma once

#include "edge/app.h"

MER_MUST_CHECK enum mer_err edge_api_create(struct edge_api **out, struct edge_app *app);
/* Rows for edge_http_conf; live as long as the api. */
const struct edge_route *edge_api_routes(const struct edge_api *a, size_t *count);
void edge_api_destroy(struct edge_api *a);
