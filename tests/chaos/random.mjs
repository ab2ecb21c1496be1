// SPDX-License-Identifier: Apache-2.0
// Choices that a seed decides (mulberry32): the same seed plans the same faults.
export class Random {
    constructor(seed) {
        this.state = seed >>> 0;
    }
    unit() {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let t = this.state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    }
    between(low, high) {
        return low + this.unit() * (high - low);
    }
    of(list) {
        return list[Math.floor(this.unit() * list.length)];
    }
    // In another order; the list given stays.
    shuffled(list) {
        const all = [...list];
        for (let i = all.length - 1; i > 0; i--) {
            const j = Math.floor(this.unit() * (i + 1));
            [all[i], all[j]] = [all[j], all[i]];
        }
        return all;
    }
}
