// SPDX-License-Identifier: Apache-2.0
// region_list.js - which regions there are, how each is reached and how far it is: asked, checked, measured and remembered.
//
// It is there for the day the player's region is gone, when nobody can be asked any more. So an old list is better than none: `expiresAtMs`
// says when to ask again, not when to forget. A list older than the one at hand is not taken, and with `keys` none without a good
// signature, wherever it came from. A region without edges takes nobody at the moment.

import { inTurn } from "./in_turn.js";
import { isSigned } from "./jws.js";

/** Milliseconds; tests shorten them. */
export const LIST_MS = {
    answer: 3000 /* longest wait for the list */,
    probe: 1500 /* longest wait for a region to say that it is there */,
    apart: 150 /* an address that has not answered by then is not the only one that is asked */,
    pause: 1000 /* between measuring two regions, at most: few round trips, spread */,
    measured: 600000 /* then distances are measured again */,
    kept: 30 * 86400000 /* a list is remembered so long */,
};

const TRIPS = 3; /* of which the shortest counts: the first one also pays for the connection */
const ASKED_OWN = 3; /* addresses of a region that are tried before it counts as silent: one's own, which is not left lightly */
const ASKED_OTHER = 2; /* ... and another, which has a whole region's players on its way */
const REGIONS_MAX = 64;
const NAMED_MAX = 16; /* protocol: a find_match with more is refused */

export class RegionList {
    #options;
    #times;
    #regions = [];
    #expiresAtMs = 0;
    #kept = null;
    #trips = new Map();
    #measuredAt = -Infinity;
    #loaded = null;

    /**
     * @param {object} [options]
     * @param {string[]} [options.urls] HTTP origins that serve /v1/regions, beside those the client is connected to
     * @param {object[]} [options.keys] public JWKs; a list that none of them signed is not believed. Without: whatever comes over TLS is
     * @param {{load: () => object|null, save: (kept: object) => void}} [options.store] keeps it between visits
     * @param {typeof fetch} [options.fetch]
     * @param {() => number} [options.random]
     * @param {Partial<typeof LIST_MS>} [options.times]
     */
    constructor(options = {}) {
        this.#options = { urls: [], fetch: globalThis.fetch?.bind(globalThis), random: Math.random, ...options };
        this.#times = { ...LIST_MS, ...options.times };
    }

    /** Regions that take players, nearest first: as measured, else as the server ordered them. */
    get names() {
        const far = (region) => this.#trips.get(region.name) ?? Infinity;
        const open = this.#regions.filter((region) => region.edges.length > 0);
        return open.sort((a, b) => (far(a) === far(b) ? 0 : far(a) - far(b))).map((region) => region.name);
    }

    /** Does the list at hand still hold? `nowMs`: server time. */
    isFresh(nowMs) {
        return this.#regions.length > 0 && nowMs < this.#expiresAtMs;
    }

    /** Measured round trips of the regions on the list, {region: milliseconds}: the nearest ones, as many as a wish may name. */
    get latencyMs() {
        const listed = [...this.#trips].filter(([name]) => this.#regions.some((region) => region.name === name));
        const near = listed.sort((a, b) => a[1] - b[1]).slice(0, NAMED_MAX);
        return Object.fromEntries(near.map(([name, ms]) => [name, Math.max(1, Math.round(ms))]));
    }

    /** Sockets' addresses of a region: the named edge first, then chance, so that a crowd spreads; its shared address last. */
    urlsOf(name, edge) {
        const edges = this.#regions.find((region) => region.name === name)?.edges ?? [];
        const rank = (one) => (one.id === edge ? -1 : one.id === name ? 2 : this.#options.random());
        return edges
            .map((one) => ({ ws: one.ws, key: rank(one) }))
            .sort((a, b) => a.key - b.key)
            .map(({ ws }) => ws);
    }

    /** What was remembered; resolves when it has been looked at. */
    load() {
        this.#loaded ??= this.#load();
        return this.#loaded;
    }

    /**
     * Asks for the list unless the one at hand still holds.
     * @param {string[]} urls origins to ask first
     * @param {number} nowMs server time
     */
    async refresh(urls = [], nowMs = Date.now()) {
        await this.load();
        if (!this.isFresh(nowMs)) await this.#ask(urls);
    }

    /**
     * Addresses of a place a server named, out of a new list if there is one to be had. For MeridianClient's `locate`.
     * @param {{region?: string, edge?: string}} place
     * @param {string[]} urls origins to ask first
     */
    async locate({ region, edge }, urls = []) {
        await this.load();
        await this.#ask(urls);
        return this.urlsOf(region ?? this.names[0], edge);
    }

    /** Measures the way to each region, unless that was done lately. */
    async measure() {
        if (performance.now() - this.#measuredAt < this.#times.measured || this.#regions.length < 2) return;
        this.#measuredAt = performance.now();
        for (const { name, edges } of this.#regions) {
            if (edges.length === 0) continue;
            const ms = await this.#tripTo(this.urlsOf(name)[0]);
            if (ms === null) this.#trips.delete(name);
            else this.#trips.set(name, ms);
            await new Promise((resolve) => setTimeout(resolve, this.#times.pause * this.#options.random()));
        }
        this.#save();
    }

    /** Does the region answer at any of its addresses? */
    async answers(name) {
        return this.#anyAnswers(this.urlsOf(name), ASKED_OTHER, this.#times.apart);
    }

    /** ... any of these addresses, which are the player's own? One after the other. Never rejects. */
    async ownAnswers(urls) {
        return this.#anyAnswers(urls, ASKED_OWN, this.#times.apart);
    }

    /** ... all of them at once, and no more than `ms` is waited, or four times as long as the way to that region and back. */
    async ownAnswersNow(urls, region, ms) {
        return this.#anyAnswers(urls, ASKED_OWN, 0, Math.ceil(Math.max(ms, 4 * (this.#trips.get(region) ?? 0))));
    }

    /* The first ones and the last, where the shared one stands. */
    async #anyAnswers(urls, most, apart, ms = this.#times.probe) {
        const asked = urls.length > most ? [...urls.slice(0, most - 1), urls.at(-1)] : urls;
        const ping = (url) => this.#ping(url, ms).then(
            () => true,
            () => false,
        );
        return (await inTurn(asked, apart, ping)) !== null;
    }

    async #load() {
        try {
            const kept = this.#options.store?.load();
            if (!kept || !(Date.now() - kept.at < this.#times.kept)) return;
            if (!(await this.#take(kept.text, kept.signature))) return;
            for (const [name, ms] of Object.entries(kept.trips ?? {})) if (ms > 0) this.#trips.set(name, ms);
            this.#kept = kept;
        } catch {
            /* nothing that could be read: as on a first visit */
        }
    }

    #save() {
        if (!this.#kept) return;
        this.#kept = { ...this.#kept, trips: this.latencyMs };
        try {
            this.#options.store?.save(this.#kept);
        } catch {
            /* full, or forbidden: it serves as long as the page lives */
        }
    }

    async #ask(urls) {
        for (const url of new Set([...urls, ...this.#options.urls])) if (await this.#askAt(url)) return;
    }

    async #askAt(url) {
        try {
            const response = await this.#fetch(httpUrl(url, "/v1/regions"), this.#times.answer);
            if (!response.ok) return false;
            const text = await response.text();
            const signature = response.headers.get("Meridian-Signature");
            if (!(await this.#take(text, signature))) return false;
            this.#kept = { text, signature, at: Date.now() };
            this.#save();
            return true;
        } catch {
            return false; /* another origin may answer; else the list at hand stays */
        }
    }

    async #take(text, signature) {
        const { keys } = this.#options;
        if (keys && !(await isSigned(signature, text, keys))) return false;
        const { regions, expiresAtMs } = JSON.parse(text);
        const good = Array.isArray(regions) && regions.length > 0 && regions.length <= REGIONS_MAX && expiresAtMs >= this.#expiresAtMs;
        if (!good) return false;
        this.#regions = regions.map(({ name, edges }) => ({ name: String(name), edges: edges.filter(isReachable) }));
        this.#expiresAtMs = expiresAtMs;
        return true;
    }

    async #tripTo(url) {
        let best = null;
        try {
            for (let i = 0; i < TRIPS; i++) {
                const sentAt = performance.now();
                await this.#ping(url);
                const ms = performance.now() - sentAt;
                best = best === null ? ms : Math.min(best, ms);
            }
        } catch {
            return null;
        }
        return best;
    }

    async #ping(url, ms = this.#times.probe) {
        const response = await this.#fetch(httpUrl(url, "/v1/ping"), ms);
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
    }

    #fetch(url, ms) {
        return this.#options.fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ms) });
    }
}

function httpUrl(address, path) {
    const url = new URL(path, address);
    url.protocol = url.protocol.replace("ws", "http");
    return url.href;
}

function isReachable(edge) {
    try {
        return ["ws:", "wss:"].includes(new URL(edge.ws).protocol);
    } catch {
        return false;
    }
}
