/* SPDX-License-Identifier: Apache-2.0
 * redis_slot.c - slot of a key: CRC16 (XMODEM) of the hash tag, or of the whole key when there is none or it is empty. Pure.
 *
 * Half a byte at a time: 32 bytes of table instead of 512, and a key is hashed once a call. */
#include <meridian/redis.h>

#include <string.h>

static uint16_t crc16(const char *data, size_t len)
{
    static const uint16_t half[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
                                      0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)data[i];
        crc = (uint16_t)(crc << 4 ^ half[crc >> 12 ^ c >> 4]);
        crc = (uint16_t)(crc << 4 ^ half[crc >> 12 ^ (c & 15)]);
    }
    return crc;
}

uint16_t mer_redis_slot(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    if (open) {
        size_t rest = len - (size_t)(open + 1 - key);
        const char *close = memchr(open + 1, '}', rest);
        if (close && close > open + 1)
            return crc16(open + 1, (size_t)(close - open - 1)) & 16383;
    }
    return crc16(key, len) & 16383;
}
