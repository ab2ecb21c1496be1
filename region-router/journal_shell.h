/* SPDX-License-Identifier: Apache-2.0
 * journal_shell.h - journal.h in Redis. Nothing of it is kept here: it is read before it is written, for the number; people order seldom.
 */
#pragma once

#include "region-router/journal.h"
#include "region-router/note.h"

struct router_app;

/* err MER_OK: the page, borrowed. */
typedef void (*router_journal_cb)(void *ctx, enum mer_err err, struct router_journal_page *page);
MER_MUST_CHECK enum mer_err router_journal_read(struct router_app *app, router_journal_cb cb, void *ctx);
/* As router_note. An entry of the same number is replaced. MER_ERANGE: it is too large. */
MER_MUST_CHECK enum mer_err router_journal_note(struct router_app *app, const Meridian__State__V1__JournalEntry *e, router_note_cb cb,
                                                void *ctx);
