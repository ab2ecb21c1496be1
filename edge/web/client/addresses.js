// SPDX-License-Identifier: Apache-2.0
// addresses.js - where the next attempt goes: the addresses given at first, and those found meanwhile.
//
// The address that worked stays first choice. One that failed, or whose server said that it leaves, is passed over
// for the next in the ring. Spare addresses are looked up a while after connecting and rarely: an edge that dies can no
// longer be asked, and a crowd that comes back at once must not ask all at once.

/** A ring of addresses. */
export class Addresses {
    #given;
    #ring;
    #at = 0;
    #locate;
    #foundAt = -Infinity;

    /**
     * @param {string[]} urls at least one
     * @param {(to: {region?: string, edge?: string}) => Promise<string[]>} [locate] see regionUrls()
     */
    constructor(urls, locate) {
        this.#given = urls.map(socketUrl);
        this.#ring = this.#given;
        this.#locate = locate;
    }

    /** All of them, the present one first. */
    get all() {
        return [...this.#ring.slice(this.#at), ...this.#ring.slice(0, this.#at)];
    }

    get current() {
        return this.#ring[this.#at];
    }

    /** The present one is no good. */
    next() {
        this.#at = (this.#at + 1) % this.#ring.length;
    }

    /** Goes to the addresses of the place a server named; what is not found changes nothing. @returns {Promise<boolean>} found? */
    async moveTo(place) {
        const found = await this.#ask(place);
        if (found.length) this.become(found);
        return found.length > 0;
    }

    /** From now on these, in that order. */
    become(urls) {
        this.#ring = [...new Set(urls.map(socketUrl))];
        this.#at = 0;
    }

    /** Looks for spare addresses in `region`, unless it was done in the last `keptMs`. */
    async findSpares(region, keptMs) {
        const now = performance.now();
        if (now - this.#foundAt < keptMs) return;
        this.#foundAt = now;
        const found = await this.#ask({ region });
        if (found.length) this.become([this.current, ...this.#given, ...found]);
        else this.#foundAt = -Infinity; /* the next connection asks again */
    }

    async #ask(place) {
        try {
            return ((await this.#locate?.(place)) ?? []).map(socketUrl);
        } catch {
            return []; /* the addresses we have still lead somewhere */
        }
    }
}

/** The address of the connection: http becomes ws, a bare origin gets the path. */
function socketUrl(address) {
    const url = new URL(address);
    url.protocol = url.protocol.replace("http", "ws");
    if (url.pathname === "/") url.pathname = "/v1/ws";
    return url.href;
}
