// SPDX-License-Identifier: Apache-2.0
// notices.js - what the page says beside the game: toasts, the bar on top, and words for screen readers.
//
// What is seen and what is heard are apart: toasts are hidden from screen readers, which get the same words once, in
// one of two live regions: `announcer` waits for its turn, `alarm` interrupts.

const TOAST_MS = 5000;
const TOASTS_MAX = 3;
const SPOKEN_MAX = 6;

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
    bad_code: "This code is not right. Look at each of its letters again.",
    internal: "Something went wrong on the server.",
};

const byId = (id) => document.getElementById(id);

/**
 * Shows a short text for a few seconds, without a sound for screen readers.
 * @param {string} text
 * @param {{key?: string}} [options] a text of the same key takes the place of the one before
 */
export function note(text, { key } = {}) {
    const holder = byId("toasts");
    const item = document.createElement("p");
    item.className = "toast";
    item.textContent = text;
    if (key) {
        holder.querySelector(`[data-key="${key}"]`)?.remove();
        item.dataset.key = key;
    }
    holder.append(item);
    while (holder.children.length > TOASTS_MAX) holder.firstElementChild.remove();
    setTimeout(() => item.remove(), TOAST_MS);
}

/** Something went wrong: seen for a few seconds, heard at once. */
export function toast(text) {
    note(text);
    say(byId("alarm"), text);
}

/** Shows an error of the library in words for players. */
export function toastError(error) {
    if (error.code === "closed" || error.code === "gave_up") return; /* the bar says it */
    toast(TEXTS[error.code] ?? error.message ?? "Something went wrong.");
}

/** Tells screen readers; several texts at once become one sentence after the other. */
export function announce(text) {
    say(byId("announcer"), text);
}

function say(region, text) {
    const item = document.createElement("p");
    item.textContent = text;
    region.append(item);
    while (region.children.length > SPOKEN_MAX) region.firstElementChild.remove();
}

/**
 * Shows or hides the bar on top.
 * @param {string|null} text null hides it
 * @param {{more?: string, kind?: "busy"|"good", action?: {label: string, run: () => void}|null}} [options] more: seen
 *        and not heard, it may change every second
 */
export function banner(text, { more = "", kind = "busy", action = null } = {}) {
    const bar = byId("banner");
    bar.hidden = text === null;
    bar.dataset.kind = kind;
    bar.classList.toggle("still", kind === "good" || (action !== null && more === ""));
    if (text && byId("banner-text").textContent !== text) announce(text);
    byId("banner-text").textContent = text ?? "";
    byId("banner-more").textContent = more;
    const button = byId("banner-action");
    button.hidden = action === null;
    button.textContent = action?.label ?? "";
    button.onclick = action?.run ?? null;
}
