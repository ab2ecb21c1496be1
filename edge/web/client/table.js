// SPDX-License-Identifier: Apache-2.0
// table.js - the games and the waiting ticket of this user, kept from the messages. Pure.
//
// After a reconnect that was not a replay the server names every unfinished game and waiting ticket again. What
// it does not name within a moment has ended meanwhile: unconfirmed() lists it, and the client asks.

import { applyMessage, isOpen, isPlayed, newGame } from "./game.js";

/** What the user takes part in. */
export class Table {
    /** @type {Map<string, import("./game.js").Game>} */
    games = new Map();
    /** The waiting ticket (the last `ticket` message), or null. */
    ticket = null;
    #confirmed = new Set();
    #asked = new Set();

    /** True while something is going on that an idle client would miss. */
    get busy() {
        return this.ticket !== null || [...this.games.values()].some(isPlayed);
    }

    /**
     * Applies a message.
     * @returns {{game: import("./game.js").Game|null, ask: string|null}} the game it changed; the id of a game
     *          of which something was missed and whose state must be asked for (once)
     */
    receive(message) {
        if (message.type === "ticket") this.#ticket(message);
        if (message.type === "matched") this.#matched(message);
        if (message.gameId === undefined || message.version === undefined || message.type === "move_ok") {
            return { game: message.type === "matched" ? this.games.get(message.gameId) : null, ask: null };
        }
        return this.#change(message);
    }

    /** Nothing known is certain any more until the server names it again. */
    doubt() {
        this.#confirmed.clear();
        this.#asked.clear();
    }

    /** Open games and the waiting ticket that the server has not named since doubt(). */
    unconfirmed() {
        const games = [...this.games.values()].filter((game) => isOpen(game) && !this.#confirmed.has(game.id));
        const ticket = this.ticket && !this.#confirmed.has(this.ticket.ticketId) ? this.ticket.ticketId : null;
        return { gameIds: games.map((game) => game.id), ticketId: ticket };
    }

    /** The state that was asked for does not come: what the game's next message shows to be missed is asked for again. */
    unask(gameId) {
        this.#asked.delete(gameId);
    }

    /** The server does not know the open game (any more). @returns the game, or undefined */
    drop(gameId) {
        const game = this.games.get(gameId);
        if (!game || !isOpen(game)) return undefined;
        this.games.delete(gameId);
        this.#asked.delete(gameId);
        return game;
    }

    /** The player is in another region now: what he had stays behind. @returns what that was */
    leave() {
        const left = { games: [...this.games.values()].filter(isOpen), ticketId: this.ticket?.ticketId ?? null };
        for (const game of left.games) this.games.delete(game.id);
        this.doubt();
        return left;
    }

    /** Another user: nothing of the old one remains. */
    clear() {
        this.games.clear();
        this.ticket = null;
        this.doubt();
    }

    #ticket(message) {
        this.#confirmed.add(message.ticketId);
        const current = this.ticket === null || this.ticket.ticketId === message.ticketId;
        if (message.state === "waiting") this.ticket = message;
        else if (current) this.ticket = null;
    }

    #matched(message) {
        this.ticket = null;
        for (const game of this.games.values()) if (!isPlayed(game)) this.games.delete(game.id);
        if (!this.games.has(message.gameId)) this.games.set(message.gameId, newGame(message.gameId));
        applyMessage(this.games.get(message.gameId), message);
    }

    #change(message) {
        const id = message.gameId;
        if (!this.games.has(id)) this.games.set(id, newGame(id));
        const game = this.games.get(id);
        if (message.type === "game_state") {
            this.#confirmed.add(id);
            this.#asked.delete(id);
        } else if (this.#asked.has(id)) {
            return { game: null, ask: null }; /* the state that was asked for contains it */
        }
        const outcome = applyMessage(game, message);
        if (outcome !== "gap") return { game: outcome === "applied" ? game : null, ask: null };
        this.#asked.add(id);
        return { game: null, ask: id };
    }
}
