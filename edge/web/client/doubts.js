// SPDX-License-Identifier: Apache-2.0
// doubts.js - games and tickets that may be no more without anybody having said so: asked for, and given up when nobody knows them.
//
// There are three ways to that: after a snapshot the server names what there is, and what it does not name has ended meanwhile; of a game
// something was missed; the edge that held a ticket was killed, and then nobody tells.
//
// Timers: "confirm" from a snapshot to the questions; "ticket" from the last word about the ticket that waits to the next question, or from
// the word that nobody knows it to its end. Both end with the connection. Next: table.js, which knows what is in doubt.

export class Doubts {
    #of;

    /**
     * @param {object} parts
     * @param {import("./table.js").Table} parts.table
     * @param {import("./outbox.js").Outbox} parts.outbox
     * @param {import("./timers.js").Timers} parts.timers
     * @param {typeof import("./times.js").TIMES_MS} parts.times
     * @param {() => number} parts.random
     * @param {() => boolean} parts.ready is there a connection to ask on?
     * @param {(message: object) => void} parts.deliver takes what is concluded, as if the server had said it
     * @param {(game: object) => void} parts.lost a game is no more
     */
    constructor(parts) {
        this.#of = parts;
    }

    /** Nothing is certain any more; what the server has not named in a moment is asked for. */
    begin() {
        const { table, timers, times } = this.#of;
        table.doubt();
        timers.set("confirm", times.confirm, () => this.#confirm());
    }

    /** The state of a game of which something was missed, or which the server did not name after a snapshot. */
    ask(gameId) {
        const { table, outbox } = this.#of;
        outbox.add({ type: "get_game", gameId }).catch((error) => {
            table.unask(gameId);
            if (error.code === "game_over") this.lose(gameId); /* set aside by the server: there is no state to be had */
        });
    }

    /** Nobody knows the game. @returns {boolean} was it one that went on? */
    lose(gameId) {
        const game = this.#of.table.drop(gameId);
        if (game) this.#of.lost(game);
        return game !== undefined;
    }

    /** Something was heard of the ticket that waits, or it begins to be waited for here. */
    watchTicket() {
        const { table, timers, times, random, ready } = this.#of;
        if (table.ticket === null || !ready()) return timers.clear("ticket");
        const { ticketId } = table.ticket;
        timers.set("ticket", times.ticket * (1 + random()), () => this.#askTicket(ticketId));
    }

    /** Nobody knows the ticket: if it waits here it is lost, or at this moment becoming a game, which will be told. */
    doubtTicket(ticketId) {
        const { table, timers, times, ready, deliver } = this.#of;
        if (table.ticket === null || table.ticket.ticketId !== ticketId || !ready()) return;
        const lost = { type: "ticket", ticketId, state: "expired", reason: "no_such_ticket" };
        timers.set("ticket", times.confirm, () => deliver(lost));
    }

    #confirm() {
        const { gameIds, ticketId } = this.#of.table.unconfirmed();
        for (const gameId of gameIds) this.ask(gameId);
        if (ticketId !== null) this.#askTicket(ticketId);
    }

    #askTicket(ticketId) {
        this.#of.outbox.add({ type: "explain_match", ticketId }).catch((error) => error.code === "no_such_ticket" || this.watchTicket());
    }
}
