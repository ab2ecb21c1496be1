/* SPDX-License-Identifier: Apache-2.0
 * fuzz_link.c - link frames: the input is a byte stream that arrives in pieces (first byte: their size); every whole frame is decoded and
 * what it carries is tried as a message of either kind. */
#include <meridian/link.h>

#include "meridian/internal/v1/internal.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_payload(const ProtobufCBinaryData *p)
{
    Meridian__Internal__V1__BusMessage *b = meridian__internal__v1__bus_message__unpack(NULL, p->len, p->data);
    if (b != NULL)
        meridian__internal__v1__bus_message__free_unpacked(b, NULL);
    Meridian__Internal__V1__RouterMessage *r = meridian__internal__v1__router_message__unpack(NULL, p->len, p->data);
    if (r != NULL)
        meridian__internal__v1__router_message__free_unpacked(r, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = data[0] + 1u;
    struct mer_link_reader r;
    mer_link_reader_init(&r);
    bool alive = true;
    for (size_t at = 1; alive && at < size; at += step) {
        if (mer_link_reader_feed(&r, data + at, size - at < step ? size - at : step) != MER_OK)
            break;
        const uint8_t *frame;
        size_t len;
        enum mer_err err;
        while ((err = mer_link_reader_next(&r, &frame, &len)) == MER_OK) {
            MER_ASSERT(len > 0 && len <= MER_LINK_FRAME_MAX);
            Meridian__Internal__V1__LinkFrame *f = meridian__internal__v1__link_frame__unpack(NULL, len, frame);
            if (f == NULL)
                continue;
            if (f->has_payload)
                try_payload(&f->payload);
            meridian__internal__v1__link_frame__free_unpacked(f, NULL);
        }
        alive = err == MER_EAGAIN;
    }
    mer_link_reader_deinit(&r);
    return 0;
}
