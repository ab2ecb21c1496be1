// SPDX-License-Identifier: Apache-2.0
// plan.js - after a connection ended: come back or not, when, and with which token (R15). Pure.
//
// Two sources decide. The close code says whether coming back makes sense at all; the server's own hint
// (`code;retry=MS;region=NAME;edge=ID` in the close reason) says when, because only the server can spread
// thousands of clients that it drops at once. Without a hint the steps are: at once, 1, 2, 5, 10, 30 s,
// each with jitter. A connection counts as a success only after it stood for a while (`settled`):
// otherwise a server that accepts and closes would be knocked at without any pause.
//
// A refused upgrade (503) looks to a browser like an address where nobody is, and its Retry-After is out of reach:
// both are never tried again at once. Over HTTP (the guest token) the hint is readable but the same for everybody,
// so there it is the least wait and jitter comes on top.

import { CLIENT_CODES } from "./connection.js";

/** Milliseconds before attempt 1, 2, ... after a loss; the last one repeats. */
export const STEPS_MS = [0, 1000, 2000, 5000, 10000, 30000];

const AT_ONCE_SPREAD_MS = 200; /* "at once" still must not mean the same millisecond for everybody */
const SHARED_HINT_SPREAD = 0.5; /* of a hint that many got alike */
const FLOOD_MIN_MS = 30000; /* 1008: the server asked for at least that much quiet */

/* What a close code asks for. Codes not named here follow their range, see ruleOf(). */
const RULES = {
    1000: { stop: true },
    1001: { elsewhere: true },
    1002: { once: true },
    1003: { once: true },
    1007: { once: true },
    1009: { once: true },
    1008: { minMs: FLOOD_MIN_MS },
    1012: { elsewhere: true },
    1013: { minStep: 1, elsewhere: true },
    3001: { token: "expired" },
    3500: { token: "rejected" },
    [CLIENT_CODES.NETWORK]: { minStep: 1, elsewhere: true, shared: true },
};

function ruleOf(code) {
    if (RULES[code]) return RULES[code];
    if (code >= 3500 && code <= 3999) return { stop: true };
    return {};
}

/**
 * Reads a close reason. What is missing or not understood is left out.
 * @param {string} text
 * @returns {{name: string, retryMs?: number, region?: string, edge?: string}}
 */
export function parseReason(text) {
    const [name, ...fields] = String(text ?? "").split(";");
    const found = { name };
    for (const field of fields) {
        const [key, value] = field.split("=", 2);
        if (key === "retry" && /^\d{1,9}$/.test(value)) found.retryMs = Number(value);
        if (key === "region" && value) found.region = value;
        if (key === "edge" && value) found.edge = value;
    }
    return found;
}

/** Decides, loss by loss; remembers only how many attempts failed in a row. */
export class Plan {
    #attempt = 0;
    #bugs = 0;
    #rejected = 0;

    /** @param {{steps?: number[], random?: () => number, maxAttempts?: number}} [options] */
    constructor({ steps = STEPS_MS, random = Math.random, maxAttempts = Infinity } = {}) {
        this.steps = steps;
        this.random = random;
        this.maxAttempts = maxAttempts;
    }

    /** Attempts since the last connection that stood. */
    get attempt() {
        return this.#attempt;
    }

    /** The server took the token: a later refusal is a new one. */
    accepted() {
        this.#rejected = 0;
    }

    /** The connection stood long enough to start over at step one. */
    settled() {
        this.#attempt = 0;
        this.#bugs = 0;
    }

    /**
     * What to do after a connection ended or could not be made.
     * @param {{code: number, reason?: string}} close
     * @returns {{stop: true, code: number, reason: string} |
     *           {stop: false, delayMs: number, hinted: boolean, elsewhere: boolean,
     *            token: "keep"|"expired"|"rejected", region?: string, edge?: string}}
     *          hinted: the server asked for this wait, do not shorten it; elsewhere: another address is better
     */
    next({ code, reason = "" }) {
        const rule = ruleOf(code);
        const said = parseReason(reason);
        if (rule.once) this.#bugs += 1;
        if (rule.token === "rejected") this.#rejected += 1;
        const hopeless = rule.stop || this.#bugs > 1 || this.#rejected > 1 || this.#attempt >= this.maxAttempts;
        if (hopeless) return { stop: true, code, reason };
        const step = Math.max(this.#attempt, rule.minStep ?? 0);
        this.#attempt = step + 1;
        return {
            stop: false,
            delayMs: this.#delay(step, said.retryMs, rule),
            hinted: said.retryMs !== undefined || rule.minMs !== undefined,
            elsewhere: rule.elsewhere === true,
            token: rule.token ?? "keep",
            region: said.region,
            edge: said.edge,
        };
    }

    /* Equal jitter: between half the step and the step, so that no wait exceeds what the table promises. */
    #delay(step, hintMs, { minMs = 0, shared = false }) {
        const base = this.steps[Math.min(step, this.steps.length - 1)];
        const own = base === 0 ? this.random() * AT_ONCE_SPREAD_MS : base * (0.5 + 0.5 * this.random());
        if (hintMs !== undefined && shared) return hintMs * (1 + SHARED_HINT_SPREAD * this.random());
        if (hintMs !== undefined && hintMs >= minMs) return hintMs;
        return minMs > own ? minMs + own : own;
    }
}
