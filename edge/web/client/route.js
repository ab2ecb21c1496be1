// SPDX-License-Identifier: Apache-2.0
// route.js - where the next attempt goes: another edge, or another region when one's own is gone (R32).
//
// Within a region it is a ring of addresses (addresses.js). When an attempt failed, the region is asked over HTTP whether it is there at
// all, and the others a moment later: whether an edge restarts, a region died or the player's own line is cut looks the same from the
// socket. Only when it is silent and another answers, the player goes there, to the nearest that does. A silent one is asked once more when the
// other has answered, because a line that was cut and is whole again answers first what was asked last. Without a list of regions everything stays
// in the ring.

import { Addresses } from "./addresses.js";
import { inTurn } from "./in_turn.js";
import { Roam } from "./roam.js";

const HEAD_START_MS = 400; /* for the own region's answer, before others are asked too */
const APART_MS = 300; /* between asking one of the others and the next: most answer before */
const AGAIN_MS = 500; /* for the own region's answer, when another has given one */
const OWN = Symbol("own");

export class Route {
    #addresses;
    #given;
    #list;
    #region = null; /* that the ring's addresses are of, once known */
    #survey = null;
    #heardAt = -Infinity; /* when a look found the own region there */
    #why = null; /* what brought us to the ring's region, when it is another than before */

    /**
     * @param {object} options
     * @param {string[]} options.urls
     * @param {(to: object) => Promise<string[]>} [options.locate]
     * @param {import("./region_list.js").RegionList} [options.regions]
     * @param {() => number} [options.random]
     * @param {object} [options.times]
     */
    constructor({ urls, locate, regions, random, times }) {
        this.#list = regions ?? null;
        this.#given = urls;
        this.#addresses = new Addresses(urls, locate ?? (regions && ((to) => regions.locate(to, this.all))));
        this.roam = new Roam({ random, times });
    }

    get current() {
        return this.#addresses.current;
    }

    get all() {
        return this.#addresses.all;
    }

    get roams() {
        return this.#list !== null;
    }

    next() {
        this.#addresses.next();
    }

    /** Elsewhere the ring holds all of the region's addresses already, and those given at first are of home. */
    async findSpares(region, keptMs) {
        if (this.roam.state === "home") await this.#addresses.findSpares(region, keptMs);
    }

    /** A region took the player in. @returns {string} what brought him there, for the case that it is another one */
    arrived(region) {
        const why = this.#why ?? "found";
        this.#why = null;
        this.#region = region;
        this.roam.arrived(region, why === "sent");
        return why;
    }

    /** The server named a place; `forGood` when it said that he belongs there now. Another region is gone to by the list at hand, at once. */
    async sent(place, forGood) {
        if (forGood) this.#why = "sent";
        const urls = place.region === this.#region ? [] : (this.#list?.urlsOf(place.region, place.edge) ?? []);
        if (urls.length) this.#addresses.become(urls);
        else if (!(await this.#addresses.moveTo(place))) return;
        this.#region = place.region ?? this.#region; /* so that the one he left is among those he may go to, should it be silent there */
    }

    /** The next attempt goes to that region. */
    goTo(region, why) {
        this.#why = why;
        this.#region = region;
        this.#addresses.become(this.#list.urlsOf(region));
    }

    /** Tells roam whether home answers. */
    async lookHome() {
        this.roam.heard(await this.#list.answers(this.roam.home), performance.now());
    }

    /**
     * Looks whether the region of the ring is there, and who else is.
     * @param {boolean} leave it may answer as it likes: it was tried often enough
     * @returns {Promise<string|null>} the region to go to; null: stay. One look at a time, later callers get the same answer
     */
    survey(leave) {
        this.#survey ??= this.#look(leave).finally(() => (this.#survey = null));
        return this.#survey;
    }

    /** Milliseconds since a survey found the own region there. */
    get heardMsAgo() {
        return performance.now() - this.#heardAt;
    }

    #stay() {
        this.#heardAt = performance.now();
        return null;
    }

    async #look(leave) {
        if (!this.#list) return null;
        await this.#list.load();
        const own = leave ? Promise.resolve(false) : this.#list.ownAnswers(this.all);
        const early = await Promise.race([own, new Promise((resolve) => setTimeout(resolve, HEAD_START_MS))]);
        if (early) return this.#stay();
        const names = this.#list.names.filter((name) => name !== this.#region);
        const other = inTurn(names, APART_MS, (name) => this.#list.answers(name));
        const found = await Promise.race([other.then((name) => name ?? own.then((here) => (here ? OWN : null))), own.then((here) => (here ? OWN : other))]);
        if (found === OWN) return this.#stay();
        if (found !== null) {
            const again = early !== false && this.#list.ownAnswersNow(this.all, this.#region, AGAIN_MS);
            const here = await Promise.race([again, own.then((yes) => yes || again)]); /* a late answer to the first question counts, too */
            return here ? this.#stay() : found;
        }
        if (!leave) this.#addresses.become([...this.#given, ...this.all]); /* nobody: the first addresses may lead elsewhere by now */
        return null;
    }
}
