// SPDX-License-Identifier: Apache-2.0
// inbox.js - what comes into the player's inbox, each once and in order (R29).
//
// The server repeats what nobody acknowledged and may lose what it pushes, so messages come twice, late or not at all. Each has a number, one
// more than the one before, and says up to where the inbox is settled: what is behind that and neither here nor there was lost, and is
// asked for. Only what was handed on is acknowledged: after a moment, for several at once.

export const INBOX_MS = {
    ack: 500 /* what came is acknowledged about so long after */,
    missing: 300 /* one that is late may still come by itself */,
};
const HELD_MAX = 1024; /* more than an inbox holds: whatever is behind comes again */

export class Inbox {
    #seen = 0; /* everything up to here was handed on, or acknowledged by another device */
    #acked = 0;
    #held = new Map();
    #timer = null;

    /**
     * @param {(message: object) => boolean} send false while there is no connection
     * @param {Partial<typeof INBOX_MS>} [times]
     */
    constructor(send, times = {}) {
        this.send = send;
        this.times = { ...INBOX_MS, ...times };
    }

    /** @returns {object[]} messages that may be handed on now, in order */
    accept(message) {
        const { seq, settledSeq } = message;
        if (settledSeq > this.#seen) this.#settle(settledSeq);
        if (seq <= this.#seen && seq > settledSeq) this.#acked = Math.min(this.#acked, seq - 1); /* that acknowledgement was lost */
        if (seq > this.#seen && this.#held.size < HELD_MAX) this.#held.set(seq, message);
        const ready = [];
        for (let next; (next = this.#held.get(this.#seen + 1)); ready.push(next)) {
            this.#seen += 1;
            this.#held.delete(this.#seen);
        }
        this.#arm();
        return ready;
    }

    /** Another user: nothing of the former one's counts. */
    clear() {
        this.stop();
        this.#seen = this.#acked = 0;
        this.#held.clear();
    }

    /** The connection is gone: what is not acknowledged comes again with the next one. */
    stop() {
        clearTimeout(this.#timer);
        this.#timer = null;
    }

    #settle(seq) {
        this.#seen = this.#acked = seq;
        for (const number of this.#held.keys()) if (number <= seq) this.#held.delete(number);
    }

    #arm() {
        if (this.#timer !== null || (this.#held.size === 0 && this.#acked >= this.#seen)) return;
        this.#timer = setTimeout(() => this.#answer(), this.#held.size > 0 ? this.times.missing : this.times.ack);
    }

    #answer() {
        this.#timer = null;
        const rest = this.#held.size > 0 ? { rest: true } : {};
        if (!this.send({ type: "ack_messages", seq: this.#seen, ...rest })) return;
        this.#acked = this.#seen;
        this.#arm();
    }
}
