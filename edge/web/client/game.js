// SPDX-License-Identifier: Apache-2.0
// game.js - a game as the server has told it so far. Pure.
//
// The model holds nothing that was not said: a face is known only while its card is up or taken. Versions
// make a missed change visible: each stored change adds one, and one change may bring several messages.
// After a gap every message of the game is ignored until a game_state replaces the whole.

/**
 * @typedef {object} Game
 * @property {string} id
 * @property {number|null} seat mine; null before `matched` was seen
 * @property {string} region
 * @property {{seat: number, user: string, name: string, kind: "human"|"bot"}[]} players
 * @property {number} version
 * @property {"unknown"|"playing"|"paused"|"over"} status
 * @property {number} rows
 * @property {number} cols
 * @property {{state: "down"|"up"|"taken", face?: number, by?: number}[]} cards `by`: the seat that took it, if seen
 * @property {number[]} scores
 * @property {{seat: number, state: string}[]} seats
 * @property {number|null} turn
 * @property {number|null} deadlineAtMs
 * @property {{reason: string|null, untilMs: number|null}|null} pause
 * @property {number[]|null} missed the two cards that did not match, while they are still shown
 * @property {{scores: number[], winners: number[], reason: string}|null} result
 */

/** @returns {Game} a game of which only the id is known */
export function newGame(id) {
    return {
        id,
        seat: null,
        region: "",
        players: [],
        version: 0,
        status: "unknown",
        rows: 0,
        cols: 0,
        cards: [],
        scores: [],
        seats: [],
        turn: null,
        deadlineAtMs: null,
        pause: null,
        missed: null,
        result: null,
    };
}

/** True while the game may still change. */
export function isOpen(game) {
    return game.status !== "over";
}

/** True while it is this player's game: who has left a table of three hears nothing more of it. */
export function isPlayed(game) {
    return isOpen(game) && !game.seats.some(({ seat, state }) => seat === game.seat && state === "left");
}

/**
 * Applies one message of this game.
 * @param {Game} game changed in place
 * @param {object} message
 * @returns {"applied"|"stale"|"gap"} gap: ask for get_game; nothing was changed
 */
export function applyMessage(game, message) {
    if (message.type === "matched") return applyMatched(game, message);
    if (message.type === "game_state") return applyState(game, message);
    const change = CHANGES[message.type];
    if (!change) return "stale";
    if (game.status === "unknown" || message.version > game.version + 1) return "gap";
    if (message.version < game.version) return "stale";
    game.version = message.version;
    change(game, message);
    return "applied";
}

function applyMatched(game, { seat, players, region }) {
    game.seat = seat;
    game.players = players;
    game.region = region ?? "";
    return "applied";
}

function applyState(game, state) {
    const takers = game.cards.map((card) => card.by);
    game.version = state.version;
    game.status = state.status;
    game.rows = state.rows;
    game.cols = state.cols;
    game.cards = state.cards.map((card, index) => ({
        state: card.state,
        ...(card.state === "down" ? {} : { face: card.face }),
        ...(card.state === "taken" && takers[index] !== undefined ? { by: takers[index] } : {}),
    }));
    game.scores = state.scores;
    game.seats = state.seats;
    game.turn = state.turn ?? null;
    game.deadlineAtMs = state.deadlineAtMs ?? null;
    game.pause = state.status === "paused" ? (game.pause ?? { reason: null, untilMs: null }) : null;
    game.missed = null;
    game.result = state.result ?? null;
    return "applied";
}

function setSeat(game, seat, state) {
    const found = game.seats.find((one) => one.seat === seat);
    if (found) found.state = state;
}

const CHANGES = {
    card_flipped(game, { card, face }) {
        if (game.cards[card]?.state === "down") game.cards[card] = { state: "up", face };
    },
    pair_found(game, { seat, cards, scores }) {
        for (const card of cards) game.cards[card] = { ...game.cards[card], state: "taken", by: seat };
        game.scores = scores;
    },
    pair_missed(game, { cards, scores }) {
        game.missed = cards;
        game.scores = scores;
    },
    turn_changed(game, { seat, deadlineAtMs }) {
        game.cards = game.cards.map((card) => (card.state === "up" ? { state: "down" } : card));
        game.missed = null;
        game.turn = seat;
        game.deadlineAtMs = deadlineAtMs;
    },
    player_dropped: (game, { seat }) => setSeat(game, seat, "grace"),
    player_reconnected: (game, { seat }) => setSeat(game, seat, "seated"),
    seat_taken_over: (game, { seat }) => setSeat(game, seat, "bot"),
    seat_handed_back: (game, { seat }) => setSeat(game, seat, "seated"),
    seat_left: (game, { seat }) => setSeat(game, seat, "left"),
    game_paused(game, { reason, untilMs }) {
        game.status = "paused";
        game.pause = { reason, untilMs: untilMs ?? null };
        game.deadlineAtMs = null;
    },
    game_resumed(game, { deadlineAtMs }) {
        game.status = "playing";
        game.pause = null;
        game.deadlineAtMs = deadlineAtMs;
    },
    game_over(game, { scores, winners, reason }) {
        game.status = "over";
        game.pause = null;
        game.missed = null;
        game.turn = null;
        game.deadlineAtMs = null;
        game.scores = scores;
        game.result = { scores, winners, reason };
    },
};
