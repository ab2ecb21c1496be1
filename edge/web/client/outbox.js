// SPDX-License-Identifier: Apache-2.0
// outbox.js - what the client wants done and the server has not answered yet, in order (R15).
//
// An entry stays from the call until its answer, not until its sending: after a reconnect everything
// unanswered is sent again. That is safe because every request is idempotent: a move carries its moveId,
// a second find_match answers with the same ticket, the rest ask or repeat. The box is bounded; when it is
// full the caller is told at once instead of being forgotten later.
//
// `try_again`, `overloaded` and `rate_limited` change nothing on the server: the same entry is sent again after the
// time the server names, a few times, before the caller hears of it. A move in a paused game need not wait that long: it is
// sent again as soon as the game goes on. A refusal that does not say of what (too many messages at once) counts for all that is on its
// way, and what gets no answer at all, because an edge behind ours died with it, is sent again by repeat().

import { MeridianError } from "./error.js";

export const OUTBOX_MAX = 64;

const RETRY_CODES = new Set(["try_again", "overloaded", "rate_limited"]);
const RETRIES_MAX = 8;
const RETRY_MS = 500; /* when the server names no time; doubled each round */
const RETRY_CAP_MS = 8000;
const APART_MS = 100; /* between those that were refused together: half of what the server allows */

/* Does `answer` settle the request `asked`? One line per request type of the protocol. */
const ANSWERS = {
    move: (asked, answer) => answer.type === "move_ok" && answer.moveId === asked.moveId,
    find_match: (asked, answer) =>
        (answer.type === "ticket" && (answer.state === "waiting" || answer.state === "matched")) ||
        answer.type === "matched",
    cancel_match: (asked, answer) =>
        (answer.type === "ticket" && answer.ticketId === asked.ticketId && answer.state !== "waiting") ||
        answer.type === "matched",
    explain_match: (asked, answer) => answer.type === "ticket" && answer.ticketId === asked.ticketId,
    leave_game: (asked, answer) =>
        answer.gameId === asked.gameId && (answer.type === "seat_left" || answer.type === "game_over"),
    send_message: (asked, answer) =>
        answer.type === "message_ok" && answer.messageId === asked.messageId && answer.to === asked.to,
    get_presence: (asked, answer) =>
        answer.type === "presence" && answer.user === asked.user && (asked.region ?? answer.region) === answer.region,
    get_game: (asked, answer) => answer.type === "game_state" && answer.gameId === asked.gameId,
};

/* The server names what an error is about by the most precise id it has; a bare type is the least precise. */
function isAbout(message, re) {
    const { moveId, messageId, ticketId, gameId, user, type } = message;
    return re !== undefined && [moveId, messageId, ticketId, gameId, user, type].includes(re);
}

/** The queue of unanswered requests. */
export class Outbox {
    #entries = [];
    #paused = new Set(); /* games that stand still, as far as this client was told */

    /**
     * @param {(message: object) => boolean} transmit sends now, or returns false while there is no connection
     * @param {{max?: number, now?: () => number}} [options]
     */
    constructor(transmit, { max = OUTBOX_MAX, now = () => performance.now() } = {}) {
        this.transmit = transmit;
        this.max = max;
        this.now = now;
    }

    get size() {
        return this.#entries.length;
    }

    /** Milliseconds for which the oldest request on its way has had no answer; 0 when none is on its way. */
    get waitingMs() {
        const sent = this.#entries.filter((entry) => entry.sentAt !== null);
        return sent.length ? this.now() - Math.min(...sent.map((entry) => entry.sentAt)) : 0;
    }

    /**
     * Adds a request and sends it if possible.
     * @param {object} message a client message of one of the types above
     * @returns {Promise<object>} the answer; rejects with a MeridianError
     */
    add(message) {
        if (!ANSWERS[message.type]) {
            return Promise.reject(new MeridianError("unknown_type", `${message.type} is not a request`));
        }
        if (this.#entries.length >= this.max) {
            return Promise.reject(new MeridianError("outbox_full", "too many requests wait for the server"));
        }
        return new Promise((resolve, reject) => {
            const entry = { message, resolve, reject, sentAt: null, retries: 0, timer: null };
            this.#entries.push(entry);
            this.#transmit(entry);
        });
    }

    /** The connection is usable: everything unanswered goes out, oldest first. */
    flush() {
        for (const entry of [...this.#entries]) this.#transmit(entry);
    }

    /** The game of the request that an error's `re` belongs to; without such a request it names the game itself. */
    gameOf(re) {
        return this.#entries.find((entry) => entry.sentAt !== null && isAbout(entry.message, re))?.message.gameId ?? re;
    }

    /** What has been on its way for `ms` is sent again. */
    repeat(ms) {
        for (const entry of [...this.#entries]) {
            if (entry.sentAt !== null && this.now() - entry.sentAt >= ms) this.#transmit(entry);
        }
    }

    /** The connection is gone: nothing is on its way any more. */
    hold() {
        for (const entry of this.#entries) {
            this.#disarm(entry);
            entry.sentAt = null;
        }
    }

    /**
     * Shows the box a message from the server.
     * @returns {boolean} true when the message is an error that belonged to a request (settled or retried)
     */
    receive(message) {
        if (message.type === "error") return this.#refused(message);
        this.#follow(message);
        for (const entry of [...this.#entries]) {
            const settles = ANSWERS[entry.message.type](entry.message, message);
            if (settles && entry.sentAt !== null) this.#remove(entry).resolve(message);
        }
        return false;
    }

    /** Ends every request with `error`; the box stays usable. */
    fail(error) {
        for (const entry of [...this.#entries]) this.#remove(entry).reject(error);
    }

    #follow(message) {
        const { gameId, type, status } = message;
        if (type === "game_paused" || (type === "game_state" && status === "paused")) {
            this.#paused.add(gameId);
        } else if (type === "game_resumed" || type === "game_state" || type === "game_over") {
            if (this.#paused.delete(gameId) && type !== "game_over") this.#hurry(gameId);
        }
    }

    /* What was to be sent again later, now. */
    #hurry(gameId) {
        for (const entry of [...this.#entries]) {
            if (entry.sentAt === null && entry.message.gameId === gameId) this.#transmit(entry);
        }
    }

    #refused(message) {
        if (message.re === undefined && RETRY_CODES.has(message.code)) return this.#refusedOneOf(message);
        const entry = this.#entries.find((e) => e.sentAt !== null && isAbout(e.message, message.re));
        if (!entry) return false;
        if (RETRY_CODES.has(message.code) && entry.retries < RETRIES_MAX) {
            const ownMs = Math.min(RETRY_MS * 2 ** entry.retries, RETRY_CAP_MS);
            entry.retries += 1;
            entry.sentAt = null;
            entry.timer = setTimeout(() => this.#transmit(entry), message.retryAfterMs ?? ownMs);
        } else {
            this.#remove(entry).reject(new MeridianError(message.code, message.message, message));
        }
        return true;
    }

    /* They stay on their way: most of them were taken, and their answers count. */
    #refusedOneOf({ retryAfterMs = RETRY_MS }) {
        const sent = this.#entries.filter((entry) => entry.sentAt !== null);
        for (const [i, entry] of sent.entries()) {
            this.#disarm(entry);
            entry.timer = setTimeout(() => this.#transmit(entry), retryAfterMs + i * APART_MS);
        }
        return sent.length > 0;
    }

    #transmit(entry) {
        this.#disarm(entry);
        if (this.transmit(entry.message)) entry.sentAt = this.now();
    }

    #disarm(entry) {
        clearTimeout(entry.timer);
        entry.timer = null;
    }

    #remove(entry) {
        this.#disarm(entry);
        this.#entries.splice(this.#entries.indexOf(entry), 1);
        return entry;
    }
}
