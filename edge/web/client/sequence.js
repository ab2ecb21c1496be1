// SPDX-License-Identifier: Apache-2.0
// sequence.js - the numbered stream of one session: nothing twice, nothing out of order, no gap unseen. Pure.
//
// A message that comes too early is held until what is missing has come, or until the owner resumes, which
// throws away what is held because the replay brings it again.

const HELD_MAX = 512; /* beyond that a resume is cheaper than remembering */

/** Where a client stands in its session. */
export class Sequence {
    session = null;
    epoch = 0;
    offset = 0;
    #held = new Map();

    /** Begins a numbering: the next message expected is `offset + 1`. */
    start(session, epoch, offset) {
        this.session = session;
        this.epoch = epoch;
        this.offset = offset;
        this.#held.clear();
    }

    /** Forgets the session: the next connection begins a new one. */
    forget() {
        this.start(null, 0, 0);
    }

    /** Throws away what is held; a replay follows. */
    rewind() {
        this.#held.clear();
    }

    /** True while messages are held because one before them is missing. */
    get gap() {
        return this.#held.size > 0;
    }

    /**
     * Takes one message and returns those that may be delivered now, in order. A message without an offset
     * stands outside the numbering and passes.
     * @param {{offset?: number}} message
     * @returns {object[]}
     */
    accept(message) {
        if (message.offset === undefined) return [message];
        if (message.offset <= this.offset) return [];
        if (message.offset > this.offset + 1) {
            if (this.#held.size < HELD_MAX) this.#held.set(message.offset, message);
            return [];
        }
        const ready = [message];
        this.offset = message.offset;
        while (this.#held.has(this.offset + 1)) {
            this.offset += 1;
            ready.push(this.#held.get(this.offset));
            this.#held.delete(this.offset);
        }
        return ready;
    }
}
