/* SPDX-License-Identifier: Apache-2.0
 * overload.h - the process' load measured ten times a second, and what of the work that may be refused is taken on (R25): the shell around
 * admission.h. */
#pragma once

#include "edge/net/http.h"
#include "edge/session/admission.h"

struct edge_app;
struct edge_overload;

MER_MUST_CHECK enum mer_err edge_overload_create(struct edge_overload **out, struct edge_app *app);
void edge_overload_destroy(struct edge_overload *o);

/* May it be done? false: counted; answer it with "overloaded" and edge_overload_retry_ms. */
bool edge_overload_takes(struct edge_overload *o, enum edge_work work);
uint32_t edge_overload_retry_ms(struct edge_overload *o, enum edge_work work);
/* A token was good: is this user let in? He is, when he sits in a game or has a session here, or came to go on with one (returning);
 * a stranger only while newcomers are. */
bool edge_overload_lets_in(struct edge_overload *o, const char *user, bool returning);
/* The same for the player port, before anything was spent on a connection. ctx is the overload. */
struct edge_gate edge_overload_gate(struct edge_overload *o);
