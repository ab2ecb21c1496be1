/* SPDX-License-Identifier: Apache-2.0
 * fuzz_handshake.c - any bytes as the head of a request, then as an upgrade, a query string and a PROXY v2 header. */
#include <stdlib.h>
#include <string.h>

#include "edge/net/handshake.h"
#include "edge/net/proxy.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct edge_text t, const char *p, size_t n)
{
    return t.len == 0 || (t.p >= p && t.p + t.len <= p + n);
}

static void upgrade(const struct edge_head *h)
{
    static const char *const subprotocols[] = {"meridian.v1.json", "meridian.v1.proto", NULL}, *const origins[] = {"https://a.test"};
    static const struct edge_origin_rules rules = {origins, 1, true, true};
    struct edge_handshake hs;
    struct edge_refusal no = edge_head_check(h, NULL);
    if (no.status == 0)
        no = edge_handshake_check(h, &rules, subprotocols, &hs);
    if (no.status == 0)
        MER_ASSERT(strlen(hs.accept) == EDGE_ACCEPT_BYTES - 1 && hs.subprotocol >= -1 && hs.subprotocol < 2 && h->hosts == 1);
    else
        MER_ASSERT(no.status >= 400 && no.status < 600 && no.code != NULL && no.message != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), value[64]; /* exact, so that a step too far is seen */
    memcpy(copy, data, size);
    struct edge_head h;
    if (edge_head_parse(copy, size, &h).status == 0) {
        MER_ASSERT(inside(h.method, copy, size) && inside(h.path, copy, size) && inside(h.query, copy, size) && inside(h.host, copy, size));
        MER_ASSERT(h.field_count <= EDGE_HEAD_FIELDS_MAX);
        upgrade(&h);
        if (edge_query_get(h.query, "token", value, sizeof(value)) == MER_OK)
            MER_ASSERT(strlen(value) < sizeof(value));
    }
    struct edge_text query = {copy, size};
    if (edge_query_get(query, "a", value, sizeof(value)) == MER_OK)
        MER_ASSERT(strlen(value) < sizeof(value));
    struct edge_addr peer = {{0}, 0};
    int len = edge_proxy_parse((const uint8_t *)copy, size, &peer);
    MER_ASSERT(len >= -1 && len <= EDGE_PROXY_MAX_BYTES && (len <= 0 || (size_t)len <= size));
    free(copy);
    return 0;
}
