/* SPDX-License-Identifier: Apache-2.0
 * fuzz_resp.c - what Redis may send: the input is a byte stream that arrives in pieces (first byte: their size); every reply is classified,
 * read as a redirect, as a slot map and as a library list. */
#include "fuzz.h"

#include <string.h>

#include <meridian/mem.h>

#include "redis_int.h"

static void try_slots(const redisReply *reply)
{
    struct redis_ranges ranges;
    uint8_t seen[REDIS_SLOTS] = {0};
    uint32_t slots = 0;
    if (mer__redis_parse_slots(reply, "127.0.0.1:7000", &ranges) != MER_OK)
        return;
    for (size_t i = 0; i < ranges.count; i++) {
        MER_ASSERT(strchr(ranges.range[i].address, ':'));
        for (unsigned s = ranges.range[i].first; s <= ranges.range[i].last; s++, slots++)
            MER_ASSERT(s < REDIS_SLOTS && !seen[s]++);
    }
    MER_ASSERT(slots == ranges.slots && slots > 0);
    mer_free(&ranges.range);
}

static void try_reply(const redisReply *reply)
{
    struct redis_redirect to;
    enum redis_verdict verdict = mer__redis_classify(reply);
    MER_ASSERT((verdict == REDIS_ANSWER) == (reply->type != REDIS_REPLY_ERROR));
    if (verdict != REDIS_ANSWER && mer__redis_redirect(reply->str, "[::1]:7000", &to) == MER_OK)
        MER_ASSERT(to.slot < REDIS_SLOTS && strlen(to.address) < REDIS_ADDRESS_BYTES && strchr(to.address, ':'));
    (void)mer__redis_has_library(reply);
    try_slots(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_reader_fns fns;
    redisReader *reader = mer__redis_reader_new(&fns);
    bool alive = true;
    MER_ASSERT(reader);
    for (size_t step = size ? data[0] + 1u : 1, at = 1; alive && at < size; at += step) {
        alive = redisReaderFeed(reader, (const char *)data + at, size - at < step ? size - at : step) == REDIS_OK;
        void *reply = NULL;
        while (alive && (alive = redisReaderGetReply(reader, &reply) == REDIS_OK) && reply) {
            try_reply(reply);
            freeReplyObject(reply);
            reply = NULL;
        }
    }
    redisReaderFree(reader);
    return 0;
}
