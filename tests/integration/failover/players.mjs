// SPDX-License-Identifier: Apache-2.0
// Players who use the page's own library, and what is measured of them.
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";
import { MeridianClient, RegionList } from "../../../edge/web/meridian.js";
import { someUser } from "../outside/footprint.mjs";

/* fetch() for hundreds of players in one process, each of whom has a machine of his own in life: a ping by hand costs a tenth. */
function frugalFetch(address, { signal }) {
    const { hostname, port, host, pathname } = new URL(address);
    if (pathname !== "/v1/ping") return fetch(address, { signal });
    return new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
        const end = (settle, value) => (socket.destroy(), settle(value));
        socket.on("data", (data) => end(resolve, { ok: data.toString("latin1").startsWith("HTTP/1.1 204") }));
        socket.on("error", (error) => end(reject, error));
        signal.addEventListener("abort", () => end(reject, signal.reason), { once: true });
    });
}

/** Somebody who wants to be in a game against a bot, always: whenever he has none he asks for one. */
export class Player {
    /** @param {Region} at @param {object} options of MeridianClient; `learnt`: resolves once he knows the regions */
    constructor(at, options = {}) {
        this.regions = new RegionList({ keys: at.keys(), fetch: frugalFetch, times: { pause: 0 } });
        this.client = new MeridianClient({
            urls: [at.url], regions: this.regions, tokens: async () => at.token(this.user), WebSocket, ...options,
        });
        this.user = someUser();
        this.arrivals = []; /* {region, atMs, why} */
        this.games = []; /* {region, atMs} */
        this.lost = 0;
        this.client.on("region", ({ to, why }) => this.arrivals.push({ region: to, why, atMs: performance.now() }));
        this.client.on("matched", ({ region }) => this.games.push({ region, atMs: performance.now() }));
        this.client.on("game_lost", () => {
            this.lost += 1;
            this.play();
        });
        this.client.connect();
    }

    play() {
        this.client.findMatch({ players: 2, rows: 4, cols: 4, bots: "now" }).catch(() => {});
    }

    get game() {
        return [...this.client.games.values()].find(({ status }) => status === "playing" || status === "paused");
    }
}

export function quantiles(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
