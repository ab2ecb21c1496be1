/* SPDX-License-Identifier: Apache-2.0
 * fuzz_relay.c - messages of another region's leader: what gets past the checks is an event of the batch's bucket, and an answer never
 * moves anything but a batch that is on its way, nor beyond its end. */
#include "region-router/limits.h"
#include "region-router/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_batch(const Meridian__Region__V1__RelayBatch *b)
{
    if (router_relay_batch_fault(b) != NULL)
        return;
    MER_ASSERT(b->n_events >= 1 && b->n_events <= ROUTER_RELAY_EVENTS_MAX);
    for (size_t i = 0; i < b->n_events; i++) {
        Meridian__State__V1__Event *e = router_relay_event(b->bucket, b->events[i]);
        if (e == NULL)
            continue;
        MER_ASSERT(mer_key_bucket(e->to) == b->bucket && e->body_case != MERIDIAN__STATE__V1__EVENT__BODY__NOT_SET);
        meridian__state__v1__event__free_unpacked(e, NULL);
    }
}

static void read_nothing(void *ctx, uint32_t bucket)
{
    (void)ctx;
    (void)bucket;
}

static void take_ack(const Meridian__Region__V1__RelayAck *a)
{
    static struct router_relay r; /* 80 KB */
    struct router_relay_env env = {read_nothing, NULL};
    router_relay_init(&r, &env);
    router_relay_link(&r, true, 0);
    router_relay_mark(&r, 7, 3);
    router_relay_step(&r, 0);
    router_relay_left(&r, 7, &(struct router_relay_batch){1, 100, 103, 103, 300}, 0);
    bool trim = router_relay_acked(&r, a->bucket, a->generation, a->through, 0);
    MER_ASSERT(!trim || (a->bucket == 7 && a->generation == 1 && a->through > 100 && a->through <= 103));
    if (trim)
        router_relay_trimmed(&r, 7, 0);
    router_relay_check(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Meridian__Region__V1__RegionMessage *m = meridian__region__v1__region_message__unpack(NULL, size, data);
    if (m == NULL)
        return 0;
    if (m->body_case == MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_RELAY_BATCH)
        take_batch(m->relay_batch);
    if (m->body_case == MERIDIAN__REGION__V1__REGION_MESSAGE__BODY_RELAY_ACK)
        take_ack(m->relay_ack);
    meridian__region__v1__region_message__free_unpacked(m, NULL);
    return 0;
}
