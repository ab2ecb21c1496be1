/* SPDX-License-Identifier: Apache-2.0
 * pair.c - one life of a pair of edges over a carrier that promises nothing (pair.h has the picture). Pure.
 *
 * Why a repeated message ends the life instead of being dropped: the carrier repeats nothing by itself, so it means that we do not
 * understand what is going on; a new life costs one round trip and a snapshot. */
#include "edge/bus/pair.h"

#define TO(state, action) \
    { \
        EDGE_PAIR_##state, EDGE_PAIR_DO_##action \
    }
static const struct {
    uint8_t next, action;
} table[EDGE_PAIR_STATE_COUNT][EDGE_PAIR_EVENT_COUNT] = {
    [EDGE_PAIR_NONE] =
        {
            [EDGE_PAIR_GOT_HELLO] = TO(CALLING, ANSWER),
            [EDGE_PAIR_GOT_AGAIN] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_GOOD] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_GAP] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_STRAY] = TO(NONE, REFUSE),
            [EDGE_PAIR_GOT_LEFT] = TO(NONE, REFUSE),
            [EDGE_PAIR_GOT_OLD] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_BYE] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_LOST] = TO(NONE, NOTHING),
            [EDGE_PAIR_GOT_SILENT] = TO(NONE, NOTHING),
        },
    /* Calls are repeated by whoever calls, and given up by him; so a lost one, a bye of one who gave up, or what was said to an earlier
     * life (its sender will hear of this one) changes nothing. */
    [EDGE_PAIR_CALLING] =
        {
            [EDGE_PAIR_GOT_HELLO] = TO(CALLING, ANSWER),
            [EDGE_PAIR_GOT_AGAIN] = TO(CALLING, ANSWER),
            [EDGE_PAIR_GOT_GOOD] = TO(UP, RISE),
            [EDGE_PAIR_GOT_GAP] = TO(NONE, LOSE),
            [EDGE_PAIR_GOT_STRAY] = TO(CALLING, NOTHING),
            [EDGE_PAIR_GOT_LEFT] = TO(CALLING, NOTHING),
            [EDGE_PAIR_GOT_OLD] = TO(CALLING, NOTHING),
            [EDGE_PAIR_GOT_BYE] = TO(CALLING, NOTHING),
            [EDGE_PAIR_GOT_LOST] = TO(CALLING, NOTHING),
            [EDGE_PAIR_GOT_SILENT] = TO(CALLING, NOTHING),
        },
    [EDGE_PAIR_UP] =
        {
            [EDGE_PAIR_GOT_HELLO] = TO(NONE, LOSE_LOOK),
            [EDGE_PAIR_GOT_AGAIN] = TO(UP, NOTHING), /* overtaken by what came after it */
            [EDGE_PAIR_GOT_GOOD] = TO(UP, TAKE),
            [EDGE_PAIR_GOT_GAP] = TO(NONE, LOSE),
            [EDGE_PAIR_GOT_STRAY] = TO(UP, NOTHING), /* the same */
            [EDGE_PAIR_GOT_LEFT] = TO(NONE, LOSE),
            [EDGE_PAIR_GOT_OLD] = TO(UP, NOTHING),
            [EDGE_PAIR_GOT_BYE] = TO(NONE, END),
            [EDGE_PAIR_GOT_LOST] = TO(NONE, LOSE),
            [EDGE_PAIR_GOT_SILENT] = TO(NONE, LOSE),
        },
};

const char *edge_pair_event_name(enum edge_pair_event event)
{
    static const char *const names[] = {
#define X(name) #name,
        EDGE_PAIR_EVENTS(X)
#undef X
    };
    return names[event];
}

enum edge_pair_event edge_pair_judge(const struct edge_pair *p, const struct edge_pair_frame *f)
{
    bool to_me = p->mine != 0 && f->your_life == p->mine;
    if (f->bye)
        return to_me ? EDGE_PAIR_GOT_BYE : EDGE_PAIR_GOT_OLD;
    if (f->life == 0 || f->life < p->theirs)
        return EDGE_PAIR_GOT_OLD;
    bool newer = f->life > p->theirs;
    if (f->your_life == 0)
        return newer ? EDGE_PAIR_GOT_HELLO : EDGE_PAIR_GOT_AGAIN;
    /* While I call, whoever answers my present life may do it with a life newer than the one I heard of. */
    if (!to_me || (newer && p->state == EDGE_PAIR_UP))
        return newer && p->theirs != 0 ? EDGE_PAIR_GOT_LEFT : EDGE_PAIR_GOT_STRAY;
    return f->seq == p->seq_in + (f->message ? 1 : 0) ? EDGE_PAIR_GOT_GOOD : EDGE_PAIR_GOT_GAP;
}

enum edge_pair_action edge_pair_decide(enum edge_pair_state state, enum edge_pair_event event, enum edge_pair_state *next)
{
    *next = (enum edge_pair_state)table[state][event].next;
    return (enum edge_pair_action)table[state][event].action;
}

static void move(struct edge_pair *p, enum edge_pair_state next)
{
    if (next == EDGE_PAIR_NONE)
        *p = (struct edge_pair){.state = EDGE_PAIR_NONE};
    p->state = next;
}

void edge_pair_call(struct edge_pair *p, uint64_t mine)
{
    *p = (struct edge_pair){.state = EDGE_PAIR_CALLING, .mine = mine};
}

enum edge_pair_action edge_pair_hear(struct edge_pair *p, const struct edge_pair_frame *f, struct edge_pair *before)
{
    enum edge_pair_state next;
    enum edge_pair_action action = edge_pair_decide(p->state, edge_pair_judge(p, f), &next);
    *before = *p;
    move(p, next);
    if (action == EDGE_PAIR_DO_ANSWER || action == EDGE_PAIR_DO_RISE)
        p->theirs = f->life;
    if (action == EDGE_PAIR_DO_RISE || action == EDGE_PAIR_DO_TAKE)
        p->seq_in = f->seq;
    return action;
}

enum edge_pair_action edge_pair_suffer(struct edge_pair *p, enum edge_pair_event event, struct edge_pair *before)
{
    enum edge_pair_state next;
    enum edge_pair_action action = edge_pair_decide(p->state, event, &next);
    *before = *p;
    move(p, next);
    return action;
}

bool edge_pair_ended_well(const struct edge_pair *before, const struct edge_pair_frame *bye)
{
    return bye->idle && bye->seq == before->seq_in && bye->ack == before->seq_out;
}
