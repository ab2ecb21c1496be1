/* SPDX-License-Identifier: Apache-2.0
 * invites.c - what a find_match says of codes, read before it becomes a ticket (decision 22). An invitation is a ticket with a code:
 * everything else about it is tickets.c's and the matchmaker's.
 *
 * Whoever names a code might be guessing, also one who says that it is his own: so every code costs a token. A wrong one costs the seconds
 * that its ticket waits besides, and a user has one ticket. */
#include <stdio.h>
#include <string.h>

#include "edge/room/messages.h"
#include "edge/session/session.h"
#include "edge/session/ticket.h"

#define CM(x) Meridian__Client__V1__##x
#define CODE(x) MERIDIAN__CLIENT__V1__ERROR_CODE__ERROR_CODE_##x

enum { TIME_SCALE = 10 };                               /* tokens come in seconds; one a second is too many */
static const struct mer_bucket_rate code_rate = {1, 6}; /* six at once for clumsy fingers, then one in 10 s */

static bool refuse(struct edge_session *s, const char *text)
{
    edge__session_error(s, CODE(BAD_CODE), text, "find_match", 0);
    return false;
}

void edge__invites_init(struct edge_user *u, uint64_t now_ms)
{
    mer_bucket_init(&u->codes, code_rate, now_ms / TIME_SCALE);
}

static bool takes(struct edge_session *s)
{
    uint64_t scaled = s->all->app->loop.now_ms / TIME_SCALE;
    if (mer_bucket_take(&s->user->codes, code_rate, scaled))
        return true;
    uint32_t wait_ms = mer_bucket_wait_ms(&s->user->codes, code_rate, scaled) * TIME_SCALE;
    edge__session_error(s, CODE(RATE_LIMITED), "too many codes", "find_match", wait_ms);
    return false;
}

/* Whoever was in a game knows its id, and nobody else does: all who ask for it once more have one code, of the region that had it. Whether
 * there was such a game is not looked up: nobody would come. */
static bool read_rematch(struct edge_session *s, const char *game, struct mer_invite *code)
{
    char region[MER_INVITE_REGION_BYTES];
    bool named = mer_id_is_text(game, strlen(game), EDGE_ID_MAX);
    const char *dot = named ? strchr(game, '.') : NULL;
    int n = dot != NULL ? snprintf(region, sizeof(region), "%.*s", (int)(dot - game), game)
                        : snprintf(region, sizeof(region), "%s", s->all->app->conf.region);
    bool fits = named && n > 0 && n < (int)sizeof(region);
    return (fits && mer_invite_derive(code, region, game) == MER_OK) || refuse(s, "rematch: the id of a game");
}

static bool read_code(struct edge_session *s, const char *text, bool hosts, struct mer_invite *code)
{
    const struct edge_ticket *t = s->user->ticket;
    if (mer_invite_read(code, text) != MER_OK)
        return refuse(s, "this is not a code: look at each of its letters again");
    if (t != NULL && t->hosts && strcmp(t->code, code->text) == 0 && !hosts)
        return refuse(s, "this is your own code: give it to a friend");
    return t != NULL || edge_messages_has_region(s->all->app->messages, code->region) ||
           refuse(s, "the code is of a region that is not known here");
}

bool edge__invite_read(struct edge_session *s, const CM(FindMatch) * f, struct edge_invite *out)
{
    struct edge_app *app = s->all->app;
    bool invites = f->has_invite && f->invite, read = true;
    out->code.text[0] = 0;
    out->hosts = invites || f->rematch != NULL;
    if (f->rematch != NULL)
        read = read_rematch(s, f->rematch, &out->code);
    else if (f->code != NULL)
        read = read_code(s, f->code, invites, &out->code);
    else if (invites)
        return mer_invite_make(&out->code, app->conf.region, &app->rng) == MER_OK || refuse(s, "this region's name fits no code");
    else
        return true;
    return read && (s->user->ticket != NULL || takes(s)); /* who has a ticket is only told of it */
}
