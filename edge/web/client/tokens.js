// SPDX-License-Identifier: Apache-2.0
// tokens.js - the token in use, when it must be renewed, and why the next one is asked for.

import { MeridianError } from "./error.js";

const LEAD_MS = 90000; /* before expiry; the server's own warning comes at 60 s */
const LEAD_SHARE = 3; /* of a short-lived token, renew in the last third */

/**
 * @typedef {(ask: {reason: "start"|"expiring"|"expired"|"rejected", previous: string|null}) =>
 *           Promise<string|{token: string, expiresAtMs?: number}>} TokenProvider
 *   May reject, or take for ever: the client comes back later, or gives up when the error has `fatal` set.
 */

/** Keeps one token at a time. */
export class Tokens {
    #provider;
    #clock;
    #current = null;
    #need = "start";

    /** @param {TokenProvider} provider @param {import("./clock.js").ServerClock} clock */
    constructor(provider, clock) {
        this.#provider = provider;
        this.#clock = clock;
    }

    /** The next get() asks the provider, telling it this reason. */
    need(reason) {
        if (this.#current !== null) this.#need = reason;
    }

    /** @returns {Promise<string>} the token to present; rejects when the provider does */
    async get() {
        if (this.#need === null) return this.#current.token;
        const reason = this.#need;
        const previous = this.#current?.token ?? null;
        const given = await this.#provider({ reason, previous });
        const next = typeof given === "string" ? { token: given } : given;
        if (reason === "rejected" && next.token === previous) {
            const error = new MeridianError("token_rejected", "the server refuses this token");
            error.fatal = true;
            throw error;
        }
        this.#current = { token: next.token, expiresAtMs: next.expiresAtMs ?? expiryOf(next.token) };
        this.#need = null;
        return next.token;
    }

    /** Asks for a newer token; when that fails the present one stays in use. */
    async renew(reason) {
        const before = this.#need;
        this.#need = reason;
        try {
            return await this.get();
        } catch (error) {
            if (this.#need === reason) this.#need = before; /* else the server has said more meanwhile */
            throw error;
        }
    }

    /** Milliseconds until it should be renewed by server time; null when that is not known. */
    renewInMs() {
        if (!this.#current?.expiresAtMs || !this.#clock.known) return null;
        const leftMs = this.#current.expiresAtMs - this.#clock.serverNow();
        return Math.max(0, leftMs - Math.min(LEAD_MS, leftMs / LEAD_SHARE));
    }
}

/** The `exp` claim in milliseconds, or undefined: an opaque token is renewed when the server warns. */
function expiryOf(token) {
    try {
        const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
        const { exp } = JSON.parse(atob(claims));
        return Number.isFinite(exp) ? exp * 1000 : undefined;
    } catch {
        return undefined;
    }
}
