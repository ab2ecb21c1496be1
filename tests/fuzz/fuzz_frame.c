/* SPDX-License-Identifier: Apache-2.0
 * fuzz_frame.c - any bytes as frames from a client, cut in pieces of any size. The first byte is the size of the pieces. What comes out
 * must not depend on the cut, stay within the limits, and text must be UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "edge/net/frame.h"
#include "tests/fuzz/fuzz.h"
#include <meridian/id.h>
#include <meridian/map.h>

enum { CAP = 2048, FRAGMENTS = 8 };

struct outcome {
    uint64_t digest; /* of all events in order */
    uint32_t events;
    uint16_t code;
};

static void judge(struct outcome *o, const struct edge_event *ev)
{
    static const uint64_t seed[2] = {1, 2};
    bool control = ev->kind == EDGE_EVENT_CONTROL;
    MER_ASSERT(ev->len <= (control ? EDGE_CONTROL_MAX : CAP));
    MER_ASSERT(control == (ev->opcode >= EDGE_OP_CLOSE));
    if (ev->opcode == EDGE_OP_TEXT)
        MER_ASSERT(mer_utf8_valid((const char *)ev->data, ev->len));
    if (ev->opcode == EDGE_OP_CLOSE) {
        uint16_t code = 0, refused = edge_close_parse(ev->data, ev->len, &code);
        MER_ASSERT(refused == 0 ? code >= 1000 && code < 5000 : refused == 1002 || refused == 1007);
    }
    o->digest = o->digest * 31 + ev->opcode + mer_siphash13(seed, ev->data, ev->len);
    o->events++;
}

static struct outcome run(const uint8_t *data, size_t size, size_t piece)
{
    static const struct edge_reader_limits limits = {CAP, FRAGMENTS};
    struct outcome o = {0};
    struct edge_reader *r = NULL;
    for (size_t at = 0; at < size && o.code == 0; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(n); /* exact, so that a step too far is seen */
        memcpy(copy, data + at, n);
        for (size_t done = 0; done < n && o.code == 0;) {
            struct edge_event ev;
            size_t used;
            edge_reader_next(&r, &limits, copy + done, n - done, &used, &ev);
            MER_ASSERT(used <= n - done && (used != 0 || ev.kind == EDGE_EVENT_FAIL));
            done += used;
            if (ev.kind == EDGE_EVENT_FAIL)
                o.code = ev.code;
            else if (ev.kind != EDGE_EVENT_NONE)
                judge(&o, &ev);
            edge_reader_settle(&r);
        }
        MER_ASSERT(r == NULL || r->message.cap <= CAP);
        free(copy);
    }
    edge_reader_free(&r);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct outcome whole = run(data + 1, size - 1, size - 1), cut = run(data + 1, size - 1, 1 + (size_t)data[0] % 32);
    MER_ASSERT(whole.events == cut.events && whole.digest == cut.digest && whole.code == cut.code);
    return 0;
}
