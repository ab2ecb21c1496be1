/* SPDX-License-Identifier: Apache-2.0
 * sessions.h - who is connected: a session for each (user, device), numbered messages, the ring for replay, authentication and its end,
 * dispatch of client messages (R11, R14, R15, R18). */
#pragma once

#include "edge/net/conn.h"
#include "meridian/client/v1/client.pb-c.h"

struct edge_sessions;
struct edge_app;

MER_MUST_CHECK enum mer_err edge_sessions_create(struct edge_sessions **out, struct edge_app *app);
/* The process ends: from now on nothing is written to the store any more. */
void edge_sessions_stop(struct edge_sessions *s);
/* After the store's last callback. */
void edge_sessions_destroy(struct edge_sessions *s);
uint32_t edge_sessions_count(const struct edge_sessions *s);

/* To every session of the user on this edge; numbered where the type is. The message is borrowed. */
void edge_sessions_to_user(struct edge_sessions *s, const char *user, const Meridian__Client__V1__ServerMessage *m);
/* To one session (device); nothing happens when it is gone. */
void edge_sessions_to_session(struct edge_sessions *s, const char *session, const Meridian__Client__V1__ServerMessage *m);
/* An `error` about `re`; retry_after_ms 0: none is said. Likewise. */
void edge_sessions_error(struct edge_sessions *s, const char *session, Meridian__Client__V1__ErrorCode code, const char *text,
                         const char *re, uint32_t retry_after_ms);
bool edge_sessions_online(const struct edge_sessions *s, const char *user);
/* ... with a connection. */
bool edge_sessions_present(const struct edge_sessions *s, const char *user);
/* ... which is owed the state of the user's game: it came a moment ago, or its resume ended with one. */
bool edge_sessions_unshown(const struct edge_sessions *s, const char *user);
/* A connection, or one that was lost less than EDGE_PRESENCE_GRACE_MS ago: others are told that he is online (R28). */
bool edge_sessions_there(const struct edge_sessions *s, const char *user);
/* Closes every connection with this code; the reason is "word;retry=MS" with a time of each client's own between 0 and spread_ms. */
void edge_sessions_close_all(struct edge_sessions *s, uint16_t code, const char *word, uint32_t spread_ms);
