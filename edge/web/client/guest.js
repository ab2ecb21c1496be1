// SPDX-License-Identifier: Apache-2.0
// guest.js - a token provider for guests: asks POST /v1/guest, keeps the token, renews it for the same user.

import { MeridianError } from "./error.js";

const ANSWER_MS = 10000; /* longest wait for an answer */
const NEAR_END_MS = 30000; /* a kept token with less left than that is renewed before it is used */

/**
 * Makes a token provider for MeridianClient.
 * @param {object} options
 * @param {string|(() => string[])} options.url the HTTP origin that serves /v1/guest, or those to try in turn, asked for each time
 * @param {() => string} [options.name] the name wanted, asked for at each request
 * @param {{load: () => object|null, save: (kept: object|null) => void}} [options.store] keeps the token between visits
 * @param {typeof fetch} [options.fetch]
 * @returns {(ask: {reason: string}) => Promise<{token: string, user: string, expiresAtMs: number}>}
 */
export function guestTokens({ url, name = () => "", store = memoryStore(), fetch = globalThis.fetch.bind(globalThis) }) {
    const requestAt = async (origin, bearer) => {
        const wanted = name();
        const response = await fetch(new URL("/v1/guest", origin), {
            method: "POST",
            headers: {
                "Content-Type": "application/json",
                ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
            },
            body: JSON.stringify(wanted ? { name: wanted } : {}),
            signal: AbortSignal.timeout(ANSWER_MS),
        });
        const body = await response.json().catch(() => ({}));
        if (response.ok) return { ...body, name: wanted };
        const said = body.error ?? {};
        said.retryAfterMs ??= retryAfterMs(response);
        const error = new MeridianError(said.code ?? "guest_refused", said.message ?? `HTTP ${response.status}`, said);
        error.status = response.status;
        throw error;
    };

    /* Who answers has the last word; who does not is passed over, if there is another. */
    const request = async (bearer) => {
        const origins = typeof url === "function" ? url() : [url];
        for (const [i, origin] of origins.entries()) {
            try {
                return await requestAt(origin, bearer);
            } catch (error) {
                if (error.status !== undefined || i === origins.length - 1) throw error;
            }
        }
        throw new MeridianError("guest_refused", "nobody to ask");
    };

    /* A token too old to be renewed is refused (4xx but not "later"): then the guest starts anew. */
    const renew = async (kept) => {
        try {
            return await request(kept.token);
        } catch (error) {
            const final = error.status >= 400 && error.status < 500 && error.status !== 429;
            if (!final) throw error;
            return request(null);
        }
    };

    /* A store that is full, forbidden or spoilt keeps nobody from playing. */
    let last = null;
    const load = () => {
        try {
            return store.load() ?? last;
        } catch {
            return last;
        }
    };
    const save = (fresh) => {
        try {
            store.save(fresh);
            last = null;
        } catch {
            last = fresh; /* kept as long as the page lives */
        }
    };

    return async ({ reason }) => {
        const kept = load();
        const usable = kept && reason === "start" && kept.name === name() && kept.expiresAtMs - Date.now() > NEAR_END_MS;
        if (usable) return kept;
        const fresh = kept && reason !== "rejected" ? await renew(kept) : await request(null);
        save(fresh);
        return fresh;
    };
}

/* A proxy that refuses for the server may have only the header to say it with. */
function retryAfterMs(response) {
    const seconds = Number(response.headers?.get("Retry-After") ?? NaN);
    return seconds > 0 ? seconds * 1000 : undefined;
}

function memoryStore() {
    let kept = null;
    return {
        load: () => kept,
        save: (value) => {
            kept = value;
        },
    };
}
