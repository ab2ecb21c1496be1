// SPDX-License-Identifier: Apache-2.0
// timers.js - timers by name: setting one again replaces it, and all of them end together.

const TIMER_MAX_MS = 2147483647; /* beyond it setTimeout fires at once */

export class Timers {
    #ids = new Map();

    /** Fires once, `ms` from now, unless it is set again or cleared before. */
    set(name, ms, fire) {
        this.clear(name);
        const run = () => {
            this.#ids.delete(name);
            fire();
        };
        this.#ids.set(name, setTimeout(run, Math.min(ms, TIMER_MAX_MS)));
    }

    /** True from set() until it fires or is cleared. */
    has(name) {
        return this.#ids.has(name);
    }

    clear(name) {
        clearTimeout(this.#ids.get(name));
        this.#ids.delete(name);
    }

    clearAll() {
        for (const id of this.#ids.values()) clearTimeout(id);
        this.#ids.clear();
    }
}
