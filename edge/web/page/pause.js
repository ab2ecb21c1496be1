// SPDX-License-Identifier: Apache-2.0
// pause.js - why a game stands still or ended, in words; the sign over the board with the time that is left.
//
// `untilMs` of game_paused counts from the message on, so the end is kept by our own clock. A game_state says only
// that the game is paused: then the sign has no clock.

import { seatName, stateOf } from "./seats.js";

const TICK_MS = 250;

const byId = (id) => document.getElementById(id);

/** Who keeps the game waiting. */
function missing(game) {
    const away = game.players.filter(({ seat }) => ["grace", "paused"].includes(stateOf(game, seat)) && seat !== game.seat);
    return away.map(({ seat }) => seatName(game, seat)).join(" and ") || "a player";
}

const SIGNS = {
    player: (game) => [`Waiting for ${missing(game)}`, "The clock stands still. If nobody comes back in time, the game is settled without them."],
    storage: () => ["One moment", "Saving moves takes longer than usual. Nothing is lost."],
    link: () => ["One moment", "Two parts of the network cannot see each other. Nothing is lost."],
};

function sign(game) {
    return SIGNS[game.pause?.reason]?.(game) ?? ["Paused", "The game goes on in a moment."];
}

/** The pause in one sentence. */
export function pauseWords(game) {
    const [title] = sign(game);
    return game.pause?.reason === "player" ? `Paused. ${title}.` : `Paused. ${sign(game)[1]}`;
}

/** Why a game is over. */
export function ending(game) {
    const me = stateOf(game, game.seat);
    switch (game.result?.reason) {
        case "finished":
            return "All pairs are found.";
        case "resigned":
            return me === "left" ? "You left the table." : "The others left the table.";
        case "abandoned":
            return me === "left" ? "You were away for too long." : "The others did not come back. The points stand as they are.";
        case "expired":
            return "The game took too long.";
        default:
            return "The game is over.";
    }
}

/** The sign over the board. */
export class Pause {
    #endsAt = null;
    #timer = null;

    /** Notes when a pause begins and how long it lasts at most. */
    hear({ type, untilMs }) {
        if (type === "game_paused") this.#endsAt = untilMs === undefined ? null : performance.now() + untilMs;
        else if (type === "game_state") this.#endsAt = null;
    }

    show(game) {
        if (game.status !== "paused") return this.hide();
        const [title, text] = sign(game);
        byId("pause").hidden = false;
        byId("pause").dataset.reason = game.pause?.reason ?? "";
        byId("pause-title").textContent = title;
        byId("pause-text").textContent = text;
        this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
        this.#tick();
    }

    hide() {
        clearInterval(this.#timer);
        this.#timer = null;
        byId("pause").hidden = true;
    }

    #tick() {
        const left = this.#endsAt === null ? 0 : Math.max(0, Math.ceil((this.#endsAt - performance.now()) / 1000));
        byId("pause-time").textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "";
    }
}
