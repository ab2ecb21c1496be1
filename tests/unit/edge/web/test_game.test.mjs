// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyMessage, newGame } from "../../../../edge/web/client/game.js";
import { Table } from "../../../../edge/web/client/table.js";

const state = (fields = {}) => ({
    type: "game_state", gameId: "g", game: "memory", version: 1, status: "playing", rows: 2, cols: 2,
    cards: Array.from({ length: 4 }, () => ({ state: "down" })), scores: [0, 0],
    seats: [{ seat: 0, state: "seated" }, { seat: 1, state: "seated" }], turn: 0, deadlineAtMs: 1000, ...fields,
});
const event = (type, version, fields) => ({ type, gameId: "g", version, ...fields });

function playing() {
    const game = newGame("g");
    applyMessage(game, state());
    return game;
}

const states = (game) => game.cards.map((card) => card.state);

test("a found pair stays, with the seat that took it", () => {
    const game = playing();
    applyMessage(game, event("card_flipped", 2, { seat: 0, card: 0, face: 7 }));
    applyMessage(game, event("card_flipped", 3, { seat: 0, card: 3, face: 7 }));
    applyMessage(game, event("pair_found", 3, { seat: 0, cards: [0, 3], scores: [1, 0] }));
    applyMessage(game, event("turn_changed", 3, { seat: 0, deadlineAtMs: 2000 }));
    assert.deepEqual(states(game), ["taken", "down", "down", "taken"]);
    assert.deepEqual(game.cards[3], { state: "taken", face: 7, by: 0 });
    assert.deepEqual([game.scores, game.turn, game.deadlineAtMs], [[1, 0], 0, 2000]);
});

test("a missed pair stays up until the turn changes, then its faces are forgotten", () => {
    const game = playing();
    applyMessage(game, event("card_flipped", 2, { seat: 0, card: 0, face: 7 }));
    applyMessage(game, event("card_flipped", 3, { seat: 0, card: 1, face: 8 }));
    applyMessage(game, event("pair_missed", 3, { seat: 0, cards: [0, 1], scores: [0, 0] }));
    assert.deepEqual(states(game), ["up", "up", "down", "down"]);
    assert.deepEqual(game.missed, [0, 1]);
    applyMessage(game, event("turn_changed", 4, { seat: 1, deadlineAtMs: 3000 }));
    assert.deepEqual(game.cards[0], { state: "down" });
    assert.deepEqual([game.turn, game.missed], [1, null]);
});

test("a skipped version is a gap and changes nothing", () => {
    const game = playing();
    assert.equal(applyMessage(game, event("card_flipped", 3, { seat: 0, card: 0, face: 1 })), "gap");
    assert.deepEqual([game.version, game.cards[0].state], [1, "down"]);
});

test("an old version is stale, a lower game_state replaces", () => {
    const game = playing();
    game.version = 9;
    assert.equal(applyMessage(game, event("seat_left", 8, { seat: 1 })), "stale");
    applyMessage(game, state({ version: 4 }));
    assert.equal(game.version, 4);
});

test("seats follow drops, returns, bots and leaving", () => {
    const game = playing();
    const table = [
        ["player_dropped", "grace"], ["player_reconnected", "seated"], ["seat_taken_over", "bot"],
        ["seat_handed_back", "seated"], ["seat_left", "left"],
    ];
    table.forEach(([type, wanted], index) => {
        applyMessage(game, event(type, 2 + index, { seat: 1 }));
        assert.equal(game.seats[1].state, wanted);
    });
});

test("a pause stops the clock and resuming sets it again", () => {
    const game = playing();
    applyMessage(game, event("game_paused", 2, { reason: "storage" }));
    assert.deepEqual([game.status, game.pause.reason, game.deadlineAtMs], ["paused", "storage", null]);
    applyMessage(game, event("game_resumed", 3, { deadlineAtMs: 50 }));
    assert.deepEqual([game.status, game.pause, game.deadlineAtMs], ["playing", null, 50]);
});

test("the end carries the result", () => {
    const game = playing();
    applyMessage(game, event("game_over", 2, { scores: [2, 0], winners: [0], reason: "finished" }));
    assert.deepEqual(game.result, { scores: [2, 0], winners: [0], reason: "finished" });
});

test("after a version gap the state is asked for once and events wait for it", () => {
    const table = new Table();
    table.receive(state());
    assert.equal(table.receive(event("seat_left", 4, { seat: 1 })).ask, "g");
    assert.equal(table.receive(event("seat_left", 5, { seat: 1 })).ask, null);
    table.receive(state({ version: 5 }));
    assert.equal(table.receive(event("turn_changed", 6, { seat: 1, deadlineAtMs: 1 })).game.turn, 1);
});

test("what the server does not name after a doubt is unconfirmed", () => {
    const table = new Table();
    table.receive(state());
    table.receive({ type: "ticket", ticketId: "t", state: "waiting" });
    table.doubt();
    assert.deepEqual(table.unconfirmed(), { gameIds: ["g"], ticketId: "t" });
    table.receive(state());
    table.receive({ type: "ticket", ticketId: "t", state: "waiting" });
    assert.deepEqual(table.unconfirmed(), { gameIds: [], ticketId: null });
});

test("a late answer about an old ticket does not end the present one", () => {
    const table = new Table();
    table.receive({ type: "ticket", ticketId: "new", state: "waiting" });
    table.receive({ type: "ticket", ticketId: "old", state: "cancelled" });
    assert.equal(table.ticket.ticketId, "new");
});
