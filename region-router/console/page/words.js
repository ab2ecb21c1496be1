// SPDX-License-Identifier: Apache-2.0
// words.js - figures and states as people read them.

/** Each state has a word and a sign, so that none is told by its colour alone. */
export const MODES = {
    active: { word: "open", sign: "●" },
    full: { word: "full", sign: "■" },
    draining: { word: "draining", sign: "◐" },
    unreachable: { word: "lost", sign: "✕" },
    unseen: { word: "out of sight", sign: "◌" }, /* from here; somebody reaches it */
    unknown: { word: "silent", sign: "?" },
};
export const LINKS = {
    up: { word: "up", sign: "●" },
    behind: { word: "behind", sign: "▲" },
    down: { word: "cut", sign: "✕" },
    unknown: { word: "not known", sign: "?" },
};

/** A mode that a newer router has and this page does not know is told by its own name. */
export const modeOf = (region) => MODES[region.mode] ?? { word: region.mode, sign: "◆" };

const whole = new Intl.NumberFormat("en-US");

/** 12345 -> "12,345", 3750000 -> "3.75 M"; undefined -> "–". */
export function count(n) {
    if (n === undefined) return "–";
    return n < 1e6 ? whole.format(n) : `${Number((n / 1e6).toPrecision(3))} M`;
}

export const percent = (part, all) => (all > 0 ? `${Math.round((100 * part) / all)} %` : "–");

export function bytes(n) {
    if (n < 1024) return `${n} B`;
    return n < 1024 * 1024 ? `${Math.round(n / 1024)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

/** Microseconds as "80 ms", or "0.4 ms" when near. */
export function delay(us) {
    if (us === undefined) return "–";
    return us < 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${Math.round(us / 1000)} ms`;
}

/** Milliseconds as "12 s", "3 min", "2 h", "4 d". */
export function span(ms) {
    const s = Math.round(ms / 1000);
    if (s < 120) return `${s} s`;
    if (s < 7200) return `${Math.round(s / 60)} min`;
    return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`;
}

/** "3 players", "1 player". */
export const several = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

export const clock = (date) => date.toTimeString().slice(0, 8);
