// SPDX-License-Identifier: Apache-2.0
// table.js - the game view: board, players, status line, announcements, result.

import { announce, toastError } from "./notices.js";
import { Board } from "./board.js";
import { drawMark, seatName } from "./seats.js";
import { Players } from "./players.js";

const PAUSES = {
    player: "Paused: waiting for a player to come back.",
    storage: "Paused: saving moves takes longer than usual. Nothing is lost.",
    link: "Paused: two parts of the network cannot see each other.",
};

const ENDINGS = {
    finished: "All pairs are found.",
    resigned: "The others left the table.",
    abandoned: "Nobody was left at the table.",
    expired: "The game took too long.",
};

const RESULT_DELAY_MS = 900; /* the last pair deserves a look */
const CONFETTI = 36;

const byId = (id) => document.getElementById(id);

export class TableView {
    #client;
    #board;
    #players;
    #game = null;
    #inFlight = new Set();
    #resultTimer = null;

    /** @param {import("../meridian.js").MeridianClient} client */
    constructor(client) {
        this.#client = client;
        this.#board = new Board(byId("board"), (card) => this.#flip(card));
        this.#players = new Players(byId("players"), () => client.serverNow(), () => announce("Five seconds left."));
    }

    get game() {
        return this.#game;
    }

    /** Shows a game after `message` changed it. */
    update(game, message) {
        const other = this.#game?.id !== game.id;
        if (other) this.#begin(game);
        if (game.status === "unknown") return;
        this.#draw();
        this.#say(message);
        if (game.status === "over") this.#end(message.type === "game_over" && !other);
    }

    /** Puts the game away. */
    clear() {
        clearTimeout(this.#resultTimer);
        this.#game = null;
        byId("result").close();
        byId("confirm").close();
    }

    /** Puts the keyboard on the board. */
    focus() {
        this.#board.focus();
    }

    #begin(game) {
        this.clear();
        this.#game = game;
        this.#inFlight.clear();
    }

    #draw() {
        const game = this.#game;
        const mine = game.status === "playing" && game.turn === game.seat;
        const open = game.cards.filter((card) => card.state === "up").length + this.#inFlight.size;
        this.#board.show(game, mine && open < 2);
        this.#players.show(game);
        byId("status").textContent = this.#status(mine);
        byId("status").classList.toggle("mine", mine);
        byId("leave").hidden = game.status === "over";
        const paused = game.status === "paused";
        byId("pause").hidden = !paused;
        byId("board").classList.toggle("paused", paused);
        if (paused) byId("pause").textContent = PAUSES[game.pause?.reason] ?? "Paused.";
    }

    #status(mine) {
        const game = this.#game;
        if (game.status === "over") return ENDINGS[game.result?.reason] ?? "The game is over.";
        if (game.status === "paused") return "The clock stands still.";
        if (game.missed) return "No pair.";
        const up = game.cards.some((card) => card.state === "up");
        if (mine) return up ? "Now find its twin." : "Your turn: turn a card.";
        return `${seatName(game, game.turn)} is thinking…`;
    }

    #flip(card) {
        const game = this.#game;
        if (this.#inFlight.has(card)) return;
        this.#inFlight.add(card);
        this.#board.pressed(card, true);
        const settle = () => {
            this.#inFlight.delete(card);
            this.#board.pressed(card, false);
            if (this.#game === game) this.#draw();
        };
        this.#client.move(game.id, card).then(settle, (error) => {
            settle();
            toastError(error);
        });
        this.#draw();
    }

    #say(message) {
        const words = WORDS[message.type]?.(message, this.#game, this.#board);
        if (words) announce(words);
    }

    #end(live) {
        if (byId("result").open || this.#resultTimer) return;
        this.#resultTimer = setTimeout(
            () => {
                this.#resultTimer = null;
                this.#showResult();
            },
            live ? RESULT_DELAY_MS : 0,
        );
    }

    #showResult() {
        const game = this.#game;
        if (game?.status !== "over") return;
        const { scores, winners, reason } = game.result;
        const won = winners.includes(game.seat);
        byId("confirm").close();
        byId("result-title").textContent = title(game, won);
        byId("result-reason").textContent = ENDINGS[reason] ?? "";
        const order = scores.map((score, seat) => ({ score, seat })).sort((a, b) => b.score - a.score);
        byId("ranking").replaceChildren(...order.map(({ score, seat }) => rankingLine(game, seat, score, winners)));
        byId("confetti").replaceChildren(...(won ? Array.from({ length: CONFETTI }, scrap) : []));
        byId("result").dataset.gameId = game.id;
        byId("result").showModal();
        byId("again").focus();
        announce(`${byId("result-title").textContent} ${byId("result-reason").textContent}`);
    }
}

const WORDS = {
    game_state(_, game) {
        if (game.status !== "playing") return null;
        return game.turn === game.seat ? "The game goes on. Your turn." : `The game goes on. ${seatName(game, game.turn)}'s turn.`;
    },
    card_flipped: ({ seat, card, face }, game, board) =>
        `${seat === game.seat ? "You" : seatName(game, seat)}: ${board.wordsFor(card, face)}.`,
    pair_found: ({ seat, scores }, game) =>
        `A pair. ${seat === game.seat ? "You have" : `${seatName(game, seat)} has`} ${scores[seat]}.`,
    pair_missed: () => "No pair.",
    turn_changed: ({ seat }, game) => (seat === game.seat ? "Your turn." : `${seatName(game, seat)}'s turn.`),
    player_dropped: ({ seat }, game) => `${seatName(game, seat)} lost the connection.`,
    player_reconnected: ({ seat }, game) => `${seatName(game, seat)} is back.`,
    seat_taken_over: ({ seat }, game) => `A bot plays for ${seatName(game, seat)}.`,
    seat_handed_back: ({ seat }, game) => `${seatName(game, seat)} plays again.`,
    seat_left: ({ seat }, game) => `${seatName(game, seat)} left.`,
    game_paused: ({ reason }) => PAUSES[reason] ?? "Paused.",
    game_resumed: () => "The game goes on.",
};

function title(game, won) {
    const { winners } = game.result;
    if (winners.length === 0) return "Nobody won.";
    if (won) return winners.length === 1 ? "You won!" : "A draw, and you are in it!";
    if (winners.length === 1) return `${seatName(game, winners[0])} won.`;
    return `${winners.map((seat) => seatName(game, seat)).join(" and ")} share it.`;
}

function rankingLine(game, seat, score, winners) {
    const item = document.createElement("li");
    item.dataset.seat = seat % 4;
    item.classList.toggle("winner", winners.includes(seat));
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = seatName(game, seat) + (seat === game.seat ? " (you)" : "");
    const points = document.createElement("b");
    points.textContent = score;
    const unit = document.createElement("small");
    unit.textContent = score === 1 ? "pair" : "pairs";
    item.append(drawMark(seat), name, points, unit);
    return item;
}

/* Purely for the eye: where each scrap falls does not matter, so chance may decide. */
function scrap() {
    const item = document.createElement("i");
    item.dataset.seat = Math.floor(Math.random() * 4);
    item.style.setProperty("--x", `${Math.round(Math.random() * 100)}%`);
    item.style.setProperty("--late", `${(Math.random() * 1.2).toFixed(2)}s`);
    item.style.setProperty("--turn", `${Math.round(Math.random() * 720)}deg`);
    return item;
}
