/* SPDX-License-Identifier: Apache-2.0
 * queue.c - a binary heap over (time, order of coming); queue.h. */
#include "tests/wan/queue.h"

#include <string.h>

#include <meridian/mem.h>

static bool before(const struct wan_packet *a, const struct wan_packet *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct wan_packet *a, struct wan_packet *b)
{
    struct wan_packet c = *a;
    *a = *b;
    *b = c;
}

enum mer_err wan_queue_add(struct wan_queue *q, uint64_t at_us, uint32_t node, const uint8_t *data, uint32_t size)
{
    if (q->count == WAN_QUEUE_PACKETS || q->bytes + size > WAN_QUEUE_BYTES)
        return MER_EBUSY;
    if (q->count == q->room) {
        size_t room = q->room ? 2 * q->room : 256;
        struct wan_packet *heap = mer_try_realloc(q->heap, room * sizeof *heap);
        if (heap == NULL)
            return MER_ENOMEM;
        q->heap = heap;
        q->room = room;
    }
    uint8_t *copy = mer_try_malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return MER_ENOMEM;
    memcpy(copy, data, size);
    q->bytes += size;
    q->heap[q->count] = (struct wan_packet){at_us, q->orders++, node, size, copy};
    for (size_t i = q->count++; i > 0 && before(&q->heap[i], &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&q->heap[i], &q->heap[(i - 1) / 2]);
    return MER_OK;
}

const struct wan_packet *wan_queue_first(const struct wan_queue *q)
{
    return q->count > 0 ? &q->heap[0] : NULL;
}

void wan_queue_remove_first(struct wan_queue *q)
{
    q->bytes -= q->heap[0].size;
    mer_free(&q->heap[0].data);
    q->heap[0] = q->heap[--q->count];
    for (size_t i = 0, least;; i = least) {
        least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < q->count; child++)
            if (before(&q->heap[child], &q->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(&q->heap[i], &q->heap[least]);
    }
}

void wan_queue_deinit(struct wan_queue *q)
{
    while (q->count > 0)
        wan_queue_remove_first(q);
    mer_free(&q->heap);
    *q = (struct wan_queue){0};
}
