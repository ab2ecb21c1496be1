// SPDX-License-Identifier: Apache-2.0
// players.js - the strip of players: who, how many pairs, whose turn, and the clock as a ring around the mark.

import { drawMark, seatName, stateOf } from "./seats.js";

const RADIUS = 21;
const AROUND = 2 * Math.PI * RADIUS;
const HURRY_MS = 5000;
const DEFAULT_TURN_MS = 20000; /* a full ring, until a longer turn was seen */
const TICK_MS = 100;

const NOTES = { grace: "offline", paused: "away", bot: "bot plays", left: "left" };

export class Players {
    #root;
    #clock;
    #hurry;
    #chips = [];
    #deadlineAtMs = null;
    #totalMs = DEFAULT_TURN_MS;
    #turn = null;
    #warned = false;
    #shape = "";

    /**
     * @param {HTMLElement} root
     * @param {() => number} serverNow
     * @param {() => void} hurry called once a turn when little time is left
     */
    constructor(root, serverNow, hurry) {
        this.#root = root;
        this.#clock = serverNow;
        this.#hurry = hurry;
        setInterval(() => this.#tick(), TICK_MS);
    }

    /** Shows the seats of a game. */
    show(game) {
        this.#layOut(game);
        for (const chip of this.#chips) this.#draw(chip, game);
        this.#wind(game);
        this.#tick();
    }

    #layOut(game) {
        const shape = JSON.stringify([game.id, game.players, game.seat, game.scores.length]);
        if (shape === this.#shape) return;
        this.#shape = shape;
        const count = game.players.length || game.scores.length;
        this.#chips = Array.from({ length: count }, (_, seat) => newChip(seat, seatName(game, seat), seat === game.seat));
        this.#root.dataset.count = count;
        this.#root.replaceChildren(...this.#chips.map((chip) => chip.item));
    }

    #draw(chip, game) {
        const { seat } = chip;
        const state = shownState(game, seat);
        const kind = game.players.find((one) => one.seat === seat)?.kind;
        const turn = game.status !== "over" && game.turn === seat;
        chip.item.classList.toggle("turn", turn);
        chip.item.dataset.state = state;
        const gone = state === "grace" || state === "paused";
        if (!gone) chip.awaySince = null;
        else chip.awaySince ??= performance.now();
        if (turn) chip.item.setAttribute("aria-current", "true");
        else chip.item.removeAttribute("aria-current");
        const score = String(game.scores[seat] ?? 0);
        if (chip.score.textContent !== score) {
            chip.score.textContent = score;
            chip.score.classList.remove("bump");
            void chip.score.offsetWidth;
            if (score !== "0") chip.score.classList.add("bump");
        }
        const plain = kind === "bot" ? "bot" : chip.mine ? "you" : "";
        chip.note.textContent = kind === "bot" ? plain : (NOTES[state] ?? plain);
    }

    #wind(game) {
        const fresh = game.deadlineAtMs !== this.#deadlineAtMs || game.turn !== this.#turn;
        if (!fresh) return;
        this.#deadlineAtMs = game.deadlineAtMs;
        this.#turn = game.turn;
        this.#warned = false;
        this.#totalMs = Math.max(this.#totalMs, (game.deadlineAtMs ?? 0) - this.#clock());
    }

    #tick() {
        for (const chip of this.#chips) {
            const running = chip.seat === this.#turn && this.#deadlineAtMs !== null;
            const leftMs = running ? Math.max(0, this.#deadlineAtMs - this.#clock()) : 0;
            const share = running ? Math.min(1, leftMs / this.#totalMs) : 0;
            chip.ring.setAttribute("stroke-dashoffset", (AROUND * (1 - share)).toFixed(1));
            chip.item.classList.toggle("hurry", running && leftMs < HURRY_MS);
            const awayMs = chip.awaySince === null ? null : performance.now() - chip.awaySince;
            chip.away.textContent = awayMs === null ? "" : `${Math.floor(awayMs / 1000)} s`;
            chip.seconds.textContent = running ? `${Math.ceil(leftMs / 1000)} s` : "";
            if (running && leftMs < HURRY_MS && leftMs > 0 && !this.#warned) {
                this.#warned = true;
                if (chip.mine) this.#hurry();
            }
        }
    }
}

/* Who keeps a paused game waiting is not said, but it is somebody who was away already; at the end he has left. */
function shownState(game, seat) {
    const state = stateOf(game, seat);
    const gone = state === "grace" || state === "paused";
    if (gone && game.status === "over") return "left";
    return gone && game.status === "paused" ? "paused" : state;
}

function newChip(seat, name, mine) {
    const holder = document.createElement("template");
    holder.innerHTML = `<li class="player" data-seat="${seat % 4}">
        <span class="medal"><svg class="ring" viewBox="0 0 48 48" aria-hidden="true">
            <circle class="track" cx="24" cy="24" r="${RADIUS}"/>
            <circle class="hand" cx="24" cy="24" r="${RADIUS}" stroke-dasharray="${AROUND.toFixed(1)}"/></svg></span>
        <span class="who"><b class="name"></b><small><span class="note"></span><span class="since" aria-hidden="true"></span><span class="seconds" aria-hidden="true"></span></small></span>
        <span class="score"><b>0</b><span class="sr"> pairs</span></span></li>`;
    const item = holder.content.firstElementChild;
    item.classList.toggle("me", mine);
    item.querySelector(".medal").append(drawMark(seat));
    item.querySelector(".name").textContent = name;
    return {
        seat,
        mine,
        item,
        ring: item.querySelector(".hand"),
        score: item.querySelector(".score b"),
        note: item.querySelector(".note"),
        away: item.querySelector(".since"),
        awaySince: null,
        seconds: item.querySelector(".seconds"),
    };
}
