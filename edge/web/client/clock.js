// SPDX-License-Identifier: Apache-2.0
// clock.js - what time it is at the server, from ping and pong. Pure.
//
// The local clock may be wrong by days, so deadlines and token expiry are compared with this one. Of the last
// samples the one with the shortest round trip is believed: its error is at most half of that trip. Two that cannot both be true mean
// that one of the clocks was set meanwhile: then the newer one counts.

const SAMPLES_MAX = 8;
const DRIFT_MS = 100; /* clocks that nobody sets drift apart less than that between the samples */

/** An estimate of the server's clock. */
export class ServerClock {
    #samples = [];

    /** @param {() => number} [now] local milliseconds since the epoch */
    constructor(now = Date.now) {
        this.now = now;
    }

    /** True once at least one pong was measured. */
    get known() {
        return this.#samples.length > 0;
    }

    /** Adds a measurement: ping left at `sentAt`, pong came at `gotAt` (both local) and says `atMs`. */
    measure(sentAt, gotAt, atMs) {
        const tripMs = gotAt - sentAt;
        if (tripMs < 0) return; /* our clock was set back on the way */
        const skewMs = atMs - (sentAt + gotAt) / 2;
        this.#samples = this.#samples.filter((one) => Math.abs(one.skewMs - skewMs) <= (one.tripMs + tripMs) / 2 + DRIFT_MS);
        this.#samples.push({ tripMs, skewMs });
        if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    }

    /** Server time now; local time while nothing is known. */
    serverNow() {
        if (!this.known) return this.now();
        const best = this.#samples.reduce((a, b) => (b.tripMs < a.tripMs ? b : a));
        return this.now() + best.skewMs;
    }

    /** The shortest round trip seen lately, or null. */
    get tripMs() {
        return this.known ? Math.min(...this.#samples.map((sample) => sample.tripMs)) : null;
    }
}
