// SPDX-License-Identifier: Apache-2.0
// table.js - the game view: board, players, status line, what happens to the seats, result.

import { announce, note, toastError } from "./notices.js";
import { Board } from "./board.js";
import { drawMark, seatName, stateOf } from "./seats.js";
import { ending, Pause, pauseWords } from "./pause.js";
import { Players } from "./players.js";

const RESULT_DELAY_MS = 900; /* the last pair deserves a look */
const CONFETTI = 36;
const BLINK_MS = 1500; /* a player who is back so soon, as in every restart of a server, was never away for the others */
const TITLE = document.title;

const byId = (id) => document.getElementById(id);

export class TableView {
    #client;
    #board;
    #players;
    #game = null;
    #pause = new Pause();
    #inFlight = new Set();
    #online = true;
    #kept = false; /* a move waits at the server's wish */
    #drops = new Map(); /* seat -> timer until its drop is told */
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
        this.#pause.hear(message);
        this.#draw();
        this.#say(message);
        if (game.status === "over") this.#end(message.type === "game_over" && !other);
    }

    /** The connection is there, or not. */
    online(yes) {
        this.#online = yes;
        if (this.#game && this.#game.status !== "unknown") this.#draw();
    }

    /** The server wants a move again a little later; the library sees to it. */
    kept() {
        this.#kept = true;
        if (this.#game) this.#draw();
    }

    /** Puts the game away. */
    clear() {
        clearTimeout(this.#resultTimer);
        this.#resultTimer = null;
        this.#game = null;
        this.#kept = false;
        for (const seat of [...this.#drops.keys()]) this.#hushed(seat);
        this.#pause.hide();
        document.title = TITLE;
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
        byId("board").classList.toggle("paused", game.status === "paused");
        this.#pause.show(game);
        document.title = mine ? `Your turn - ${TITLE}` : TITLE;
    }

    #status(mine) {
        const game = this.#game;
        if (game.status === "over") return ending(game);
        if (game.status === "paused") return "The clock stands still.";
        if (!this.#online) return this.#inFlight.size ? "Your card is kept until the connection is back." : "Your seat is kept.";
        if (this.#kept && this.#inFlight.size) return "Saving takes a moment; your card is kept.";
        if (game.missed) return "No pair.";
        const up = game.cards.some((card) => card.state === "up");
        if (mine) return up ? "Now find its twin." : "Your turn: turn a card.";
        const human = game.players.find((player) => player.seat === game.turn)?.kind !== "bot";
        return `${seatName(game, game.turn)} ${(human && DOING[stateOf(game, game.turn)]) || "is thinking…"}`;
    }

    #flip(card) {
        const game = this.#game;
        if (this.#inFlight.has(card)) return;
        this.#inFlight.add(card);
        this.#board.pressed(card, true);
        const settle = () => {
            this.#inFlight.delete(card);
            this.#kept = false;
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
        const { type, seat } = message;
        if (type === "player_dropped") {
            this.#hushed(seat);
            this.#drops.set(seat, setTimeout(() => this.#hushed(seat) && this.#tell(message), BLINK_MS));
        } else if (type !== "player_reconnected" || !this.#hushed(seat)) {
            this.#tell(message);
        }
    }

    /* Forgets a drop that was not told yet. @returns true when there was one */
    #hushed(seat) {
        clearTimeout(this.#drops.get(seat));
        return this.#drops.delete(seat);
    }

    #tell(message) {
        const words = this.#game && WORDS[message.type]?.(message, this.#game, this.#board);
        if (!words) return;
        announce(words);
        if (SEEN.has(message.type)) note(words, { key: `seat ${message.seat}` });
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
        const { scores, winners } = game.result;
        const won = winners.includes(game.seat);
        byId("confirm").close();
        byId("result-title").textContent = title(game, won);
        byId("result-reason").textContent = ending(game);
        const rank = ({ score, seat }) => (winners.includes(seat) ? 1000 : 0) + score; /* who left does not win */
        const order = scores.map((score, seat) => ({ score, seat })).sort((a, b) => rank(b) - rank(a));
        byId("ranking").replaceChildren(...order.map(({ score, seat }) => rankingLine(game, seat, score, winners)));
        byId("confetti").replaceChildren(...(won ? Array.from({ length: CONFETTI }, scrap) : []));
        byId("result").dataset.gameId = game.id;
        const friends = game.players.filter(({ kind }) => kind === "human").length > 1;
        byId("rematch").hidden = !friends;
        byId("again").classList.toggle("primary", !friends);
        byId("result").showModal();
        byId(friends ? "rematch" : "again").focus();
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
    player_dropped: ({ seat }, game) => seat !== game.seat && `${seatName(game, seat)} lost the connection. The seat is kept.`,
    player_reconnected: ({ seat }, game) => seat !== game.seat && `${seatName(game, seat)} is back.`,
    seat_taken_over: ({ seat }, game) =>
        seat === game.seat ? "A bot played for you while you were away." : `A bot plays for ${seatName(game, seat)} now.`,
    seat_handed_back: ({ seat }, game) =>
        seat === game.seat ? "You have your seat back from the bot." : `${seatName(game, seat)} is back and plays again.`,
    seat_left: ({ seat }, game) => seat !== game.seat && `${seatName(game, seat)} left the game.`,
    game_paused: (message, game) => pauseWords(game),
    game_resumed: () => "The game goes on.",
};

/* What happens to a seat is seen, too; the rest of the words the board shows by itself. */
const SEEN = new Set(["player_dropped", "player_reconnected", "seat_taken_over", "seat_handed_back", "seat_left"]);

const DOING = { grace: "lost the connection…", bot: "is away, a bot plays…" };

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
