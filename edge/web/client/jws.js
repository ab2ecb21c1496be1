// SPDX-License-Identifier: Apache-2.0
// jws.js - checks a detached signature: JWS with the payload left out (RFC 7515, appendix F), as /v1/regions carries it.
//
// The key decides the algorithm, never the header: a header that names another one is refused. Browsers have the cryptography only on
// secure origins (https, localhost); elsewhere nothing can be checked, and then nothing is believed.

const ALGORITHMS = {
    "EC P-256": { name: "ES256", key: { name: "ECDSA", namedCurve: "P-256" }, check: { name: "ECDSA", hash: "SHA-256" } },
    "OKP Ed25519": { name: "EdDSA", key: { name: "Ed25519" }, check: { name: "Ed25519" } },
};

const inNode = globalThis.process?.versions?.node !== undefined; // a browser on a plain http page has none, and would complain of the import
const subtle = globalThis.crypto?.subtle ?? (inNode ? (await import("node:crypto")).webcrypto.subtle : undefined);

/**
 * @param {string|null} signature `header..signature`
 * @param {string} body what was signed, to the byte
 * @param {object[]} keys public JWKs, each with a kid
 * @returns {Promise<boolean>} true when one of the keys signed it; never rejects
 */
export async function isSigned(signature, body, keys) {
    try {
        const [header, payload, value, more] = signature.split(".");
        const { alg, kid } = JSON.parse(new TextDecoder().decode(bytesOf(header)));
        const jwk = keys.find((one) => one.kid === kid);
        const algorithm = ALGORITHMS[`${jwk.kty} ${jwk.crv}`];
        if (payload !== "" || more !== undefined || algorithm.name !== alg) return false;
        const { kty, crv, x, y } = jwk;
        const key = await subtle.importKey("jwk", { kty, crv, x, ...(y ? { y } : {}) }, algorithm.key, false, ["verify"]);
        const text = new TextEncoder().encode(`${header}.${base64url(new TextEncoder().encode(body))}`);
        return await subtle.verify(algorithm.check, key, bytesOf(value), text);
    } catch {
        return false; /* no such key, no cryptography, or not of this form */
    }
}

function bytesOf(text) {
    if (!/^[\w-]*$/.test(text)) throw new Error("not base64url");
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

function base64url(bytes) {
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
