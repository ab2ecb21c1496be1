/* SPDX-License-Identifier: Apache-2.0
 * fuzz_pair.c - frames of the bus' channels: each piece of the input (its length in one byte) is decoded and heard by one pair, which calls
 * whenever it has no life. Within a life of the other side messages are numbered 1, 2, 3, ..., whatever comes. */
#include "edge/bus/pair.h"

#include "meridian/internal/v1/internal.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    struct edge_pair pair;
    uint64_t lives, life, taken;
};

static void take(struct heard *h, const struct edge_pair_frame *f)
{
    if (f->life != h->life) {
        MER_ASSERT(f->life != 0 && f->your_life == h->lives);
        h->life = f->life;
        h->taken = 0;
    }
    h->taken += f->message;
    MER_ASSERT(h->pair.state == EDGE_PAIR_UP && f->seq == h->taken && h->pair.seq_in == h->taken && h->pair.theirs == h->life);
}

static void hear(struct heard *h, const struct edge_pair_frame *f)
{
    struct edge_pair before;
    enum edge_pair_action action = edge_pair_hear(&h->pair, f, &before);
    if (action == EDGE_PAIR_DO_LOSE_LOOK) {
        action = edge_pair_hear(&h->pair, f, &before);
        MER_ASSERT(action == EDGE_PAIR_DO_ANSWER);
    }
    if (action == EDGE_PAIR_DO_RISE)
        h->life = 0; /* the same life of the other side may meet a new one of ours only after it was lost */
    if (action == EDGE_PAIR_DO_RISE || action == EDGE_PAIR_DO_TAKE)
        take(h, f);
    if (action == EDGE_PAIR_DO_ANSWER && h->pair.mine == 0)
        h->pair.mine = ++h->lives;
    if (h->pair.state == EDGE_PAIR_NONE)
        edge_pair_call(&h->pair, ++h->lives);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard h = {.lives = 0};
    for (size_t at = 0; at < size;) {
        size_t len = data[at++];
        len = len < size - at ? len : size - at;
        Meridian__Internal__V1__ChannelFrame *f = meridian__internal__v1__channel_frame__unpack(NULL, len, data + at);
        at += len;
        if (f == NULL)
            continue;
        hear(&h, &(struct edge_pair_frame){f->life, f->your_life, f->seq, f->ack, f->has_payload, f->bye, f->idle});
        meridian__internal__v1__channel_frame__free_unpacked(f, NULL);
    }
    return 0;
}
