/* SPDX-License-Identifier: Apache-2.0
 * ws.c - handshake and frames of a client. */
#include "tests/load/ws.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void load_ws_key(const struct mer_rng *rng, char key[LOAD_WS_KEY_BYTES], char accept[LOAD_WS_ACCEPT_BYTES])
{
    unsigned char raw[16], hash[SHA_DIGEST_LENGTH];
    char both[LOAD_WS_KEY_BYTES + sizeof(guid)];
    rng->fill(rng->ctx, raw, sizeof(raw));
    EVP_EncodeBlock((unsigned char *)key, raw, sizeof(raw));
    int n = snprintf(both, sizeof(both), "%s%s", key, guid);
    SHA1((unsigned char *)both, (size_t)n, hash);
    EVP_EncodeBlock((unsigned char *)accept, hash, sizeof(hash));
}

/* Value of a header in a head that ends with an empty line; its length in *len. NULL when it is not there. */
static const char *header(const char *head, const char *end, const char *name, size_t *len)
{
    size_t n = strlen(name);
    for (const char *line = head; line < end;) {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!stop)
            return NULL;
        if ((size_t)(stop - line) > n && strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *value = line + n + 1;
            while (value < stop && *value == ' ')
                value++;
            *len = (size_t)(stop - value);
            return value;
        }
        line = stop + 2;
    }
    return NULL;
}

static bool header_is(const char *head, const char *end, const char *name, const char *wanted)
{
    size_t len = 0;
    const char *value = header(head, end, name, &len);
    return value && len == strlen(wanted) && memcmp(value, wanted, len) == 0;
}

int load_ws_answer(const char *text, size_t len, const char *accept, const char *subprotocol, int *status, uint32_t *retry_ms)
{
    static const char version[] = "HTTP/1.1 ";
    const char *stop = memmem(text, len, "\r\n\r\n", 4);
    size_t value_len;
    if (memcmp(text, version, len < sizeof(version) - 1 ? len : sizeof(version) - 1) != 0)
        return -1;
    if (!stop)
        return len > 16 * 1024 ? -1 : 0;
    const char *end = stop + 2;
    if (end - text < 12 || sscanf(text + sizeof(version) - 1, "%3d", status) != 1)
        return -1;
    const char *retry = header(text, end, "retry-after", &value_len);
    *retry_ms = 0;
    for (size_t i = 0; retry && i < value_len && i < 6 && retry[i] >= '0' && retry[i] <= '9'; i++)
        *retry_ms = *retry_ms * 10 + (uint32_t)(retry[i] - '0');
    *retry_ms *= 1000;
    if (*status == 101 &&
        (!header_is(text, end, "sec-websocket-accept", accept) || !header_is(text, end, "sec-websocket-protocol", subprotocol)))
        *status = 0;
    return (int)(stop + 4 - text);
}

int load_ws_frame(const uint8_t *p, size_t n, struct load_frame *f)
{
    if (n < 2)
        return 0;
    f->fin = p[0] & 0x80;
    f->opcode = p[0] & 15;
    bool control = f->opcode & 8;
    uint8_t len7 = p[1] & 0x7f;
    bool known = f->opcode <= LOAD_WS_BINARY || (f->opcode >= LOAD_WS_CLOSE && f->opcode <= LOAD_WS_PONG);
    if ((p[0] & 0x70) || (p[1] & 0x80) || !known || (control && (!f->fin || len7 > 125)))
        return -1;
    size_t ext = len7 == 127 ? 8 : len7 == 126 ? 2 : 0;
    if (n < 2 + ext)
        return 0;
    uint64_t len = ext ? 0 : len7;
    for (size_t i = 0; i < ext; i++)
        len = len << 8 | p[2 + i];
    if ((ext == 2 && len < 126) || (ext == 8 && len <= 0xffff) || len > (1u << 24)) /* no message of ours is 16 MiB */
        return -1;
    f->header = 2 + ext;
    f->len = (size_t)len;
    return 1;
}

enum mer_err load_ws_pack(struct mer_buf *out, uint8_t opcode, const void *data, size_t len, const struct mer_rng *rng)
{
    size_t ext = len > 0xffff ? 8 : len > 125 ? 2 : 0;
    enum mer_err err = mer_buf_reserve(out, 2 + ext + 4 + len);
    if (err != MER_OK)
        return err;
    uint8_t *p = out->data + out->len, mask[4];
    uint32_t random = mer_rng_u32(rng);
    memcpy(mask, &random, sizeof(mask));
    *p++ = (uint8_t)(0x80 | opcode);
    *p++ = (uint8_t)(0x80 | (ext == 8 ? 127 : ext == 2 ? 126 : len));
    for (size_t i = 0; i < ext; i++)
        *p++ = (uint8_t)((uint64_t)len >> 8 * (ext - 1 - i));
    memcpy(p, mask, sizeof(mask));
    p += sizeof(mask);
    for (size_t i = 0; i < len; i++)
        p[i] = ((const uint8_t *)data)[i] ^ mask[i & 3];
    out->len += 2 + ext + 4 + len;
    return MER_OK;
}
