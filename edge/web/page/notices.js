// SPDX-License-Identifier: Apache-2.0
// notices.js - what the page says beside the game: toasts, the banner, and words for screen readers.

const TOAST_MS = 5000;
const TOASTS_MAX = 3;

const TEXTS = {
    not_your_turn: "It is not your turn.",
    illegal_move: "That card cannot be turned right now.",
    game_over: "This game is over.",
    no_such_game: "This game is over.",
    already_in_game: "You are still in a game; here it is.",
    rate_limited: "Too fast. Take a breath.",
    try_again: "The move could not be saved yet. Please try again.",
    overloaded: "The server is very busy. Please try again in a moment.",
    outbox_full: "Too many moves are waiting for the connection.",
    internal: "Something went wrong on the server.",
};

const byId = (id) => document.getElementById(id);

/** Shows a short text for a few seconds. */
export function toast(text) {
    const holder = byId("toasts");
    const item = document.createElement("p");
    item.className = "toast";
    item.textContent = text;
    holder.append(item);
    while (holder.children.length > TOASTS_MAX) holder.firstElementChild.remove();
    setTimeout(() => item.remove(), TOAST_MS);
}

/** Shows an error of the library in words for players. */
export function toastError(error) {
    if (error.code === "closed" || error.code === "gave_up") return; /* the banner says it */
    toast(TEXTS[error.code] ?? error.message ?? "Something went wrong.");
}

/** Tells screen readers; several texts at once become one sentence after the other. */
export function announce(text) {
    const holder = byId("announcer");
    const item = document.createElement("p");
    item.textContent = text;
    holder.append(item);
    while (holder.children.length > 6) holder.firstElementChild.remove();
}

/**
 * Shows or hides the bar on top.
 * @param {string|null} text null hides it
 * @param {{label: string, run: () => void}|null} [action]
 */
export function banner(text, action = null) {
    byId("banner").hidden = text === null;
    byId("banner").classList.toggle("still", action !== null);
    byId("banner-text").textContent = text ?? "";
    const button = byId("banner-action");
    button.hidden = action === null;
    button.textContent = action?.label ?? "";
    button.onclick = action?.run ?? null;
}
