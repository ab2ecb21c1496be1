// SPDX-License-Identifier: Apache-2.0
// error.js - the one error type of the client library.

/**
 * What the server refused (its `error` codes), or what the library itself could not do:
 * `outbox_full`, `closed`, `gave_up`, `guest_refused`.
 */
export class MeridianError extends Error {
    /**
     * @param {string} code
     * @param {string} message for people
     * @param {{re?: string, retryAfterMs?: number}} [detail]
     */
    constructor(code, message, detail = {}) {
        super(message || code);
        this.name = "MeridianError";
        this.code = code;
        this.re = detail.re;
        this.retryAfterMs = detail.retryAfterMs;
    }
}
