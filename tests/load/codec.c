/* SPDX-License-Identifier: Apache-2.0
 * codec.c - messages and bytes. Schema and mapper are the project's own: what they promise has tests of its own, and here they cost the
 * least time on the machine that is being measured. */
#include "tests/load/codec.h"

#include <meridian/json.h>

enum mer_err load_encode(bool proto, const Meridian__Client__V1__ClientMessage *m, struct mer_buf *out)
{
    if (!proto)
        return mer_json_write(&m->base, out);
    size_t len = meridian__client__v1__client_message__get_packed_size(m);
    enum mer_err err = mer_buf_reserve(out, len);
    if (err == MER_OK)
        out->len += meridian__client__v1__client_message__pack(m, out->data + out->len);
    return err;
}

Meridian__Client__V1__ServerMessage *load_decode(bool proto, const uint8_t *data, size_t len)
{
    const ProtobufCMessageDescriptor *desc = &meridian__client__v1__server_message__descriptor;
    struct mer_json_error err;
    if (!proto)
        return (Meridian__Client__V1__ServerMessage *)mer_json_parse_within(desc, &mer_json_limits_server, (const char *)data, len, &err);
    return meridian__client__v1__server_message__unpack(NULL, len, data);
}
