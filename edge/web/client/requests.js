// SPDX-License-Identifier: Apache-2.0
// requests.js - what a player can ask for, as messages of the protocol. Each answers with a promise; it rejects with a MeridianError.

import { Emitter } from "./emitter.js";
import { uuid } from "./uuid.js";

/** The wish for the same people and the same board once more; bots only where there were bots. */
export function rematchOf({ id, rows, cols, players }) {
    const bots = players.some(({ kind }) => kind === "bot") ? "fill" : "none";
    return { rematch: id, players: players.length, rows, cols, bots };
}

export class Requests extends Emitter {
    #send;
    #latencyMs;

    /**
     * @param {(message: object) => Promise<object>} send
     * @param {() => Object<string, number>} latencyMs how far away the regions are, as far as that is known
     */
    constructor(send, latencyMs) {
        super();
        this.#send = send;
        this.#latencyMs = latencyMs;
    }

    /** Asks for a match; resolves with the `ticket` or `matched` message. Fields as in the protocol. */
    findMatch(wish = {}) {
        const latencyMs = this.#latencyMs();
        const far = Object.keys(latencyMs).length > 1 ? { latencyMs } : {};
        return this.#send({ type: "find_match", game: "memory", ...far, ...wish });
    }

    /** Opens a table for friends only; resolves with the ticket, whose `code` they come with. */
    invite(wish = {}) {
        return this.findMatch({ ...wish, invite: true });
    }

    /** Sits down at the table of a friend, whatever it is like; resolves with the ticket. */
    join(code) {
        return this.findMatch({ code });
    }

    /** The same table once more: those who were at it and ask for it meet again. */
    rematch(game) {
        return this.findMatch(rematchOf(game));
    }

    cancelMatch(ticketId) {
        return this.#send({ type: "cancel_match", ticketId });
    }

    /** Resolves with the ticket and why it still waits. */
    explainMatch(ticketId) {
        return this.#send({ type: "explain_match", ticketId });
    }

    /** Turns a card. The move has an id of its own: however often it is sent, it counts once. */
    move(gameId, card) {
        return this.#send({ type: "move", gameId, moveId: uuid(), flip: { card } });
    }

    leaveGame(gameId) {
        return this.#send({ type: "leave_game", gameId });
    }

    getGame(gameId) {
        return this.#send({ type: "get_game", gameId });
    }

    /** Writes to a user, at home in `region` (absent: where this player is connected). Sent again until it is stored, delivered once. */
    sendMessage(to, text, { region } = {}) {
        return this.#send({ type: "send_message", to, text, messageId: uuid(), ...(region ? { region } : {}) });
    }

    /** Resolves with `presence`: is that user connected? */
    getPresence(user, { region } = {}) {
        return this.#send({ type: "get_presence", user, ...(region ? { region } : {}) });
    }
}
