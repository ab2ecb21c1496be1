// SPDX-License-Identifier: Apache-2.0
// seats.js - the mark of a seat: a colour and a shape, so that nobody needs to tell colours apart.

const SHAPES = [
    '<circle cx="12" cy="12" r="10"/>',
    '<rect x="3" y="3" width="18" height="18" rx="3"/>',
    '<path d="M12 1.5l10.5 10.5L12 22.5 1.5 12z"/>',
    '<path d="M12 2l10 18.5H2z" stroke-width="2" stroke="currentColor" stroke-linejoin="round"/>',
];

export const SHAPE_NAMES = ["circle", "square", "diamond", "triangle"];

/** @returns {SVGElement} the mark of a seat in `currentColor` */
export function drawMark(seat) {
    const holder = document.createElement("template");
    const shape = SHAPES[seat % SHAPES.length];
    holder.innerHTML = `<svg class="mark" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">${shape}</svg>`;
    return holder.content.firstElementChild;
}

/** The name to show for a seat: mine is marked, bots say so. */
export function seatName(game, seat) {
    const player = game.players.find((one) => one.seat === seat);
    return player?.name || player?.user || `Player ${seat + 1}`;
}

/** The state of a seat: seated, grace, paused, bot or left. */
export function stateOf(game, seat) {
    return game.seats.find((one) => one.seat === seat)?.state ?? "seated";
}
