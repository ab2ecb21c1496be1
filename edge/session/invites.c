/* SPDX-License-Identifier: Apache-2.0
 * invites.c - what a find_match says of codes, checked before it becomes a ticket (decision 22). An invitation is a ticket with a code:
 * everything else about it is tickets.c's and the matchmaker's.
 *
 * Whoever names a code might be guessing, also one who says that it is his own: so every code costs a token. A wrong one costs the seconds
 * that its ticket waits besides, and a user has one ticket. */
#include <string.h>
#include <strings.h>

#include <meridian/invite.h>

#include "edge/room/messages.h"
#include "edge/session/session.h"
#include "edge/session/ticket.h"

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

/* Whether there was such a game is not looked up: nobody would come. */
static bool rematch_ok(struct edge_session *s, const char *game)
{
    return mer_id_is_text(game, strlen(game), EDGE_ID_MAX) || refuse(s, "rematch: the id of a game");
}

bool edge__invite_ok(struct edge_session *s, const Meridian__Client__V1__FindMatch *f)
{
    struct edge_app *app = s->all->app;
    const struct edge_ticket *t = s->user->ticket;
    struct mer_invite code;
    if (f->code == NULL && f->rematch == NULL)
        return true;
    bool own = t != NULL && t->hosts;
    if (f->rematch != NULL)
        return (t != NULL || takes(s)) && rematch_ok(s, f->rematch);
    if (mer_invite_read(&code, f->code) != MER_OK)
        return refuse(s, "this is not a code: look at each of its letters again");
    if (own && strcmp(t->code, code.text) == 0 && !(f->has_invite && f->invite))
        return refuse(s, "this is your own code: give it to a friend");
    if (t != NULL)
        return true; /* is only told of it */
    if (!edge_messages_has_region(app->messages, code.region))
        return refuse(s, "the code is of a region that is not known here");
    return takes(s);
}
