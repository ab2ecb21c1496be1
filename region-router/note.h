/* SPDX-License-Identifier: Apache-2.0
 * note.h - what the leader writes into a hash of its region's, under its lease: stored only while that is ours, by mer1_leader_note. Like
 * the lease itself it is content with one replica, or nothing could be ordered while one is lost. */
#pragma once

#include <meridian/err.h>

struct router_app;

/* MER_OK: stored. MER_EFENCED: another router leads, nothing changed. Else: not known. */
typedef void (*router_note_cb)(void *ctx, enum mer_err err);

enum { ROUTER_NOTE_KEY_BYTES = 64 };
/* kind:{region}, which lies beside the lease. */
void router_note_key(char out[ROUTER_NOTE_KEY_BYTES], const struct router_app *app, const char *kind);
/* len 0: the field goes. All is copied; cb may be NULL. It comes once unless this fails: MER_EFENCED (we do not lead), MER_ENOMEM,
 * MER_EBUSY, MER_ECLOSED. */
MER_MUST_CHECK enum mer_err router_note(struct router_app *app, const char *kind, const char *field, const void *value, size_t len,
                                        router_note_cb cb, void *ctx);
