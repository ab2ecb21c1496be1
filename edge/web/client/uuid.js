// SPDX-License-Identifier: Apache-2.0
// uuid.js - random names for what must count once.

/* Node 18 has it, but not where browsers have it. */
const crypto = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

/** randomUUID exists only on secure origins; a phone on the local network is none. */
export function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
