/* SPDX-License-Identifier: Apache-2.0
 * queue.h - packets under way, by time of arrival; those of one time in the order in which they came (pure: a binary heap). Bounded. */
#pragma once

#include <meridian/err.h>

enum { WAN_QUEUE_PACKETS = 1 << 17, WAN_QUEUE_BYTES = 128 << 20 };

struct wan_packet {
    uint64_t at_us, order;
    uint32_t node; /* where it goes */
    uint32_t size;
    uint8_t *data; /* the queue's */
};

struct wan_queue {
    struct wan_packet *heap;
    size_t count, room;
    uint64_t bytes, orders;
};

/* All zero is an empty queue. Copies the data. MER_EBUSY: full; MER_ENOMEM. */
MER_MUST_CHECK enum mer_err wan_queue_add(struct wan_queue *q, uint64_t at_us, uint32_t node, const uint8_t *data, uint32_t size);
/* The next to arrive; NULL: none. */
const struct wan_packet *wan_queue_first(const struct wan_queue *q);
/* There is one. */
void wan_queue_remove_first(struct wan_queue *q);
void wan_queue_deinit(struct wan_queue *q);
