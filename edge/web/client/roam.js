// SPDX-License-Identifier: Apache-2.0
// roam.js - a player's home region, and when he goes back to it. Pure.
//
//            another region took him      home answered twice       the time came, nothing is played
//     HOME ---------------------> AWAY ----------------------> DUE ------------------------> HOME
//                                  ^                            |
//                                  +-------- home is silent ----+
//
// Home is where he was first taken in, or where the server sent him for good. The way back is spread by chance over minutes: a region that
// has just come back must not get all its players at once.

/** Milliseconds; tests shorten them. */
export const ROAM_MS = { homeward: 300000 /* the way home begins somewhere within */ };

const GOOD_TIMES = 2; /* one answer may be a restart that fails again */

/* HERE: taken in at home. THERE: taken in elsewhere. GOOD: home answered often enough. SILENT: it did not. */
const NEXT = {
    home: { HERE: "home", THERE: "away", GOOD: "home", SILENT: "home" },
    away: { HERE: "home", THERE: "away", GOOD: "due", SILENT: "away" },
    due: { HERE: "home", THERE: "due", GOOD: "due", SILENT: "away" },
};

export class Roam {
    /** @type {"home"|"away"|"due"} */
    state = "home";
    /** Name of the region, or null before the first connection. */
    home = null;
    /** When to go back, by the clock that `nowMs` is of; null: not known. */
    dueAtMs = null;
    #good = 0;
    #random;
    #times;

    /** @param {{random?: () => number, times?: Partial<typeof ROAM_MS>}} [options] */
    constructor({ random = Math.random, times } = {}) {
        this.#random = random;
        this.#times = { ...ROAM_MS, ...times };
    }

    /** A region took the player in; `forGood`: his server sent him there. */
    arrived(region, forGood = false) {
        if (this.home === null || forGood) this.home = region;
        this.#move(region === this.home ? "HERE" : "THERE", 0);
    }

    /** Home was asked whether it is there. Nothing while he is there himself. */
    heard(good, nowMs) {
        this.#good = good ? this.#good + 1 : 0;
        if (!good) this.#move("SILENT", nowMs);
        else if (this.#good >= GOOD_TIMES) this.#move("GOOD", nowMs);
    }

    isDue(nowMs) {
        return this.state === "due" && nowMs >= this.dueAtMs;
    }

    #move(event, nowMs) {
        const before = this.state;
        this.state = NEXT[before][event];
        if (this.state === before) return;
        this.#good = this.state === "due" ? this.#good : 0;
        this.dueAtMs = this.state === "due" ? nowMs + this.#times.homeward * this.#random() : null;
    }
}
