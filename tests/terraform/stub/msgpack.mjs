// SPDX-License-Identifier: Apache-2.0
// MessagePack as Terraform uses it for values: null, booleans, numbers, strings, lists, maps, and one extension that says "not known yet".
// A number that does not fit a double comes as a string; none of ours does.

export const UNKNOWN = Symbol('unknown');

export function encode(value) {
    const parts = [];
    put(parts, value);
    return Buffer.concat(parts);
}

// A length in front of what it counts: `small` forms for few, then 8, 16 and 32 bits wide. Maps and lists have no 8-bit form.
function head(parts, count, small, limit, wide) {
    if (count < limit) parts.push(Buffer.from([small | count]));
    else if (wide.bits8 && count < 0x100) parts.push(Buffer.from([wide.bits8, count]));
    else if (count < 0x10000) parts.push(Buffer.from([wide.bits16, count >> 8, count & 255]));
    else {
        const bytes = Buffer.alloc(5);
        bytes[0] = wide.bits32;
        bytes.writeUInt32BE(count, 1);
        parts.push(bytes);
    }
}

function putNumber(parts, value) {
    const bytes = Buffer.alloc(9);
    if (Number.isSafeInteger(value)) {
        bytes[0] = 0xd3;
        bytes.writeBigInt64BE(BigInt(value), 1);
    } else {
        bytes[0] = 0xcb;
        bytes.writeDoubleBE(value, 1);
    }
    parts.push(bytes);
}

function put(parts, value) {
    if (value === null || value === undefined) parts.push(Buffer.from([0xc0]));
    else if (value === UNKNOWN) parts.push(Buffer.from([0xd4, 0, 0]));
    else if (value === true) parts.push(Buffer.from([0xc3]));
    else if (value === false) parts.push(Buffer.from([0xc2]));
    else if (typeof value === 'number') putNumber(parts, value);
    else if (typeof value === 'string') {
        const bytes = Buffer.from(value);
        head(parts, bytes.length, 0xa0, 32, { bits8: 0xd9, bits16: 0xda, bits32: 0xdb });
        parts.push(bytes);
    } else if (Array.isArray(value)) {
        head(parts, value.length, 0x90, 16, { bits16: 0xdc, bits32: 0xdd });
        for (const item of value) put(parts, item);
    } else {
        const keys = Object.keys(value);
        head(parts, keys.length, 0x80, 16, { bits16: 0xde, bits32: 0xdf });
        for (const key of keys) {
            put(parts, key);
            put(parts, value[key]);
        }
    }
}

export function decode(bytes) {
    let at = 0;
    const unsigned = (size) => {
        const value = size === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, size);
        at += size;
        return value;
    };
    const signed = (size) => {
        const value = size === 8 ? Number(bytes.readBigInt64BE(at)) : bytes.readIntBE(at, size);
        at += size;
        return value;
    };
    const text = (size) => bytes.toString('utf8', at, (at += size));
    const list = (count) => Array.from({ length: count }, one);
    const map = (count) => {
        const value = {};
        for (let i = 0; i < count; i++) value[one()] = one();
        return value;
    };
    const unknown = (size) => {
        at += 1 + size; // the extension's type and what it refines: either way it is not known
        return UNKNOWN;
    };
    const table = {
        0xc0: () => null,
        0xc2: () => false,
        0xc3: () => true,
        0xc7: () => unknown(unsigned(1)),
        0xc8: () => unknown(unsigned(2)),
        0xca: () => bytes.readFloatBE((at += 4) - 4),
        0xcb: () => bytes.readDoubleBE((at += 8) - 8),
        0xcc: () => unsigned(1),
        0xcd: () => unsigned(2),
        0xce: () => unsigned(4),
        0xcf: () => unsigned(8),
        0xd0: () => signed(1),
        0xd1: () => signed(2),
        0xd2: () => signed(4),
        0xd3: () => signed(8),
        0xd4: () => unknown(1),
        0xd5: () => unknown(2),
        0xd6: () => unknown(4),
        0xd7: () => unknown(8),
        0xd8: () => unknown(16),
        0xd9: () => text(unsigned(1)),
        0xda: () => text(unsigned(2)),
        0xdb: () => text(unsigned(4)),
        0xdc: () => list(unsigned(2)),
        0xdd: () => list(unsigned(4)),
        0xde: () => map(unsigned(2)),
        0xdf: () => map(unsigned(4)),
    };
    function one() {
        const byte = bytes[at++];
        if (byte < 0x80) return byte;
        if (byte < 0x90) return map(byte & 15);
        if (byte < 0xa0) return list(byte & 15);
        if (byte < 0xc0) return text(byte & 31);
        if (byte >= 0xe0) return byte - 256;
        if (!table[byte]) throw new Error(`MessagePack: 0x${byte.toString(16)} at ${at - 1}`);
        return table[byte]();
    }
    return one();
}
