// SPDX-License-Identifier: Apache-2.0
// faces.js - fifty drawn things for the fronts of cards.
//
// A face on the wire is a number that means nothing but equality, so any picture will do as long as each face of a
// game has its own. Fifty pairs are the most a board has. The pictures differ in shape, not only in colour, and each
// has a name for people who listen to the board.

const R = "#e5484d", O = "#f08a24", Y = "#f6c644", G = "#35a368", T = "#1fa7a8", B = "#3b82d6";
const N = "#2c3968", P = "#8657cf", K = "#e866a4", W = "#ffffff", C = "#8f5a38", S = "#8fa0b8", L = "#cfe6fb";

const line = (color, width, d) =>
    `<path d="${d}" fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`;
const path = (color, d) => `<path d="${d}" fill="${color}"/>`;
const disc = (color, x, y, r) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${color}"/>`;
const oval = (color, x, y, rx, ry) => `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}" fill="${color}"/>`;
const box = (color, x, y, w, h, r = 0) => `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${r}" fill="${color}"/>`;

const FACES = [
    ["sun", line(O, 3.5, "M24 3v5M24 40v5M3 24h5M40 24h5M9 9l3.5 3.5M35.5 35.5l3.5 3.5M39 9l-3.5 3.5M12.5 35.5L9 39") + disc(Y, 24, 24, 11)],
    ["rocket", path(R, "M15 28l-7 10 9-3zM33 28l7 10-9-3z") + path(O, "M20 36h8l-4 9z") + path(S, "M24 3c8 7 10 16 8 33H16C14 19 16 10 24 3z") + disc(B, 24, 20, 5) + disc(L, 24, 20, 2.5)],
    ["apple", path(R, "M24 15c5-4 17-3 17 10 0 11-8 19-13 19-2 0-2-1-4-1s-2 1-4 1C15 44 7 36 7 25c0-13 12-14 17-10z") + line(C, 3, "M24 15c0-5 1-8 4-11") + path(G, "M27 9c4-5 9-5 12-4-2 5-7 7-12 4z")],
    ["fish", path(O, "M33 24l12-10v20z") + oval(T, 21, 24, 17, 12) + line(W, 2.5, "M20 14c5 6 5 14 0 20") + disc(W, 12, 21, 3.5) + disc(N, 11.5, 21, 1.8)],
    ["key", `<circle cx="14" cy="24" r="8" fill="none" stroke="${Y}" stroke-width="6"/>` + line(Y, 6, "M22 24h20M34 24v8M41 24v7")],
    ["tree", box(C, 21, 34, 6, 11, 1) + path(G, "M24 3l13 16h-6l10 13H7l10-13h-6z")],
    ["heart", path(K, "M24 43C8 31 4 24 4 17 4 5 19 3 24 13 29 3 44 5 44 17c0 7-4 14-20 26z") + line(W, 3, "M11 17c0-4 2-6 5-6")],
    ["sailing boat", path(N, "M5 34h38l-6 9H11z") + path(B, "M23 4v26H8z") + path(L, "M26 10l14 20H26z") + box(C, 23, 4, 3, 31)],
    ["moon", path(Y, "M32 5A20 20 0 1 0 43 31 17 17 0 0 1 32 5z") + disc(O, 18, 26, 3) + disc(O, 26, 36, 2)],
    ["umbrella", path(P, "M4 25a20 20 0 0 1 40 0c-3-4-10-4-13 0-3-4-11-4-14 0-3-4-10-4-13 0z") + line(N, 3.5, "M24 5V3M24 24v15c0 6-8 6-8 0")],
    ["mushroom", path(R, "M4 26C4 12 13 5 24 5s20 7 20 21z") + path(L, "M17 26h14l2 14c0 5-18 5-18 0z") + disc(W, 15, 17, 4) + disc(W, 28, 12, 3) + disc(W, 36, 20, 3)],
    ["house", path(R, "M3 24L24 5l21 19z") + box(Y, 9, 23, 30, 20) + box(C, 20, 29, 8, 14) + box(B, 12, 27, 5, 6) + box(B, 31, 27, 5, 6)],
    ["cat", path(S, "M8 4l11 8h10L40 4v20c0 12-8 19-16 19S8 36 8 24z") + disc(G, 17, 23, 3.5) + disc(G, 31, 23, 3.5) + path(K, "M21 30h6l-3 4z") + line(N, 1.8, "M24 34v3M4 29l9 2M4 36l9-1M44 29l-9 2M44 36l-9-1")],
    ["flower", [0, 72, 144, 216, 288].map((turn) => `<ellipse cx="24" cy="12" rx="7.5" ry="9" fill="${K}" transform="rotate(${turn} 24 24)"/>`).join("") + disc(Y, 24, 24, 7)],
    ["lightning", path(Y, "M28 2L8 27h12l-4 19 23-28H26z")],
    ["anchor", `<circle cx="24" cy="9" r="5" fill="none" stroke="${N}" stroke-width="4"/>` + line(N, 4.5, "M24 14v28M15 21h18M6 28c1 9 9 14 18 14s17-5 18-14") ],
    ["crown", path(Y, "M5 14l10 10 9-17 9 17 10-10-4 24H9z") + box(O, 9, 38, 30, 5, 1) + disc(R, 24, 30, 3.5) + disc(B, 14, 31, 2.5) + disc(B, 34, 31, 2.5)],
    ["ice cream", path(O, "M13 24h22L24 46z") + disc(K, 17, 17, 9) + disc(L, 31, 17, 9) + disc(Y, 24, 10, 8) + line(C, 1.5, "M18 26l10 10M30 26L20 36")],
    ["snail", path(G, "M4 40c10 3 28 3 38 0 3-8-2-9-2-18l-5 2c0 8-3 11-8 11z") + disc(O, 20, 25, 14) + line(C, 3, "M20 25c3-4 7 1 4 5-5 6-14 0-11-7 3-8 15-8 19 0") + line(G, 2.5, "M38 22l-2-8M41 22l3-8")],
    ["drop", path(B, "M24 3c9 13 14 19 14 27a14 14 0 0 1-28 0C10 22 15 16 24 3z") + line(L, 3, "M16 30c0 5 3 8 7 8")],
    ["bell", path(Y, "M24 5c9 0 13 7 13 16 0 8 2 11 5 15H6c3-4 5-7 5-15 0-9 4-16 13-16z") + disc(O, 24, 40, 5) + disc(O, 24, 5, 3)],
    ["book", path(B, "M4 9c8-2 15-1 20 4v30c-5-5-12-6-20-4z") + path(T, "M44 9c-8-2-15-1-20 4v30c5-5 12-6 20-4z") + line(W, 2, "M9 17c4-1 8 0 11 2M9 25c4-1 8 0 11 2M39 17c-4-1-8 0-11 2M39 25c-4-1-8 0-11 2")],
    ["cactus", path(G, "M19 44V10a5 5 0 0 1 10 0v34z") + line(G, 7, "M21 31h-5c-4 0-5-2-5-6v-4M27 26h5c4 0 5-2 5-6v-4") + path(O, "M12 42h24v4H12z") + disc(K, 24, 5, 4)],
    ["hourglass", box(C, 9, 3, 30, 5, 2) + box(C, 9, 40, 30, 5, 2) + path(L, "M13 8h22c0 9-6 12-8 16 2 4 8 7 8 16H13c0-9 6-12 8-16-2-4-8-7-8-16z") + path(O, "M17 14h14c-2 4-5 6-7 9-2-3-5-5-7-9zM24 29c4 3 7 6 8 11H16c1-5 4-8 8-11z")],
    ["planet", disc(P, 24, 24, 13) + line("#c3a6f2", 3, "M15 18h12M18 30h14") + `<ellipse cx="24" cy="24" rx="22" ry="7" fill="none" stroke="${O}" stroke-width="3.5" transform="rotate(-22 24 24)"/>` + path(P, "M12.5 21A13 13 0 0 1 35 17z")],
    ["cherries", line(G, 3, "M15 31C17 18 24 9 36 5M33 31c-1-10 0-18 3-26") + path(G, "M35 5c-9-3-14 0-16 5 6 2 12 1 16-5z") + disc(R, 14, 35, 9) + disc(R, 34, 36, 9) + disc(W, 11, 32, 2) + disc(W, 31, 33, 2)],
    ["lock", `<path d="M14 22v-7a10 10 0 0 1 20 0v7" fill="none" stroke="${S}" stroke-width="5"/>` + box(O, 8, 21, 32, 23, 4) + disc(N, 24, 30, 4) + box(N, 22.5, 31, 3, 8)],
    ["butterfly", path(B, "M23 24C18 6 5 4 4 12c0 9 9 13 19 12zM25 24C30 6 43 4 44 12c0 9-9 13-19 12z") + path(T, "M23 25C12 26 8 33 11 38c4 5 11 0 12-13zM25 25c11 1 15 8 12 13-4 5-11 0-12-13z") + box(N, 22, 16, 4, 22, 2) + line(N, 2, "M24 17l-5-8M24 17l5-8")],
    ["snowflake", [0, 60, 120].map((turn) => `<g transform="rotate(${turn} 24 24)">${line(B, 3.2, "M24 3v42M18 8l6 5 6-5M18 40l6-5 6 5")}</g>`).join("")],
    ["cup", path(R, "M8 16h27v17c0 7-5 10-9 10h-9c-4 0-9-3-9-10z") + `<path d="M35 20h4a5 6 0 0 1 0 13h-4" fill="none" stroke="${R}" stroke-width="4"/>` + line(S, 2.8, "M16 12c-2-3 2-4 0-8M27 12c-2-3 2-4 0-8")],
    ["mountain", path(N, "M2 42L18 12l16 30z") + path(S, "M19 42l14-22 13 22z") + path(W, "M18 12l6 11-4-2-3 3-3-3-3 2zM33 20l5 9-3-2-3 3-3-3z")],
    ["die", box(R, 6, 6, 36, 36, 8) + [[15, 15], [33, 15], [24, 24], [15, 33], [33, 33]].map(([x, y]) => disc(W, x, y, 3.6)).join("")],
    ["balloon", path(K, "M24 3c11 0 17 8 17 16 0 9-9 15-12 19H19C16 34 7 28 7 19 7 11 13 3 24 3z") + path(Y, "M24 3c5 0 7 8 7 16 0 8-3 15-4 19h-6c-1-4-4-11-4-19 0-8 2-16 7-16z") + box(C, 19, 40, 10, 6, 1)],
    ["carrot", path(G, "M29 17C27 9 30 4 34 3c0 4 0 6-1 9 3-3 6-5 10-5-1 5-5 9-12 11z") + path(O, "M31 17c5 5 0 12-9 19C15 41 8 45 4 44c-1-4 3-11 8-18 6-9 14-14 19-9z") + line(C, 2, "M19 22l4 3M13 30l4 3M24 30l-3-2")],
    ["music note", line(P, 5, "M18 37V11l22-5v26") + path(P, "M18 9l22-5v8l-22 5z") + oval(P, 13, 37, 7.5, 6) + oval(P, 35, 32, 7.5, 6)],
    ["ladybird", line(N, 2.5, "M18 8l-4-5M30 8l4-5") + disc(N, 24, 13, 8) + oval(R, 24, 27, 17, 17) + box(N, 22.8, 10, 2.6, 34) + disc(N, 15, 22, 3.4) + disc(N, 33, 22, 3.4) + disc(N, 16, 34, 3) + disc(N, 32, 34, 3)],
    ["pencil", path(Y, "M33 5l10 10-24 24L9 29z") + path(K, "M33 5c3-3 5-3 8 0l2 2c3 3 3 5 0 8z") + path("#f3d9b1", "M9 29l10 10-14 5z") + path(N, "M7 36l5 5-7 3z")],
    ["castle", path(S, "M5 10h6v5h5v-5h6v5h4v-5h6v5h5v-5h6v34H5z") + path(N, "M18 44V33a6 6 0 0 1 12 0v11z") + box(N, 11, 22, 4, 7) + box(N, 33, 22, 4, 7) + path(R, "M24 10V1l9 3-8 3v3z")],
    ["leaf", path(G, "M42 5C18 5 6 17 8 38c22 3 34-10 34-33z") + line("#a9dfc1", 2.6, "M4 44C12 32 20 22 32 15M18 28v-9M25 21h8M14 33h10")],
    ["kite", path(R, "M25 2l15 18H10z") + path(B, "M10 20h30L25 40z") + line(N, 1.8, "M25 2v38M10 20h30M25 40c-3 2-8 0-10 3s-5 2-9 2") + path(Y, "M12 39l5 7 1-8z")],
    ["gem", path(T, "M12 7h24l9 12-21 24L3 19z") + path("#7fdcdc", "M12 7l5 12h14l5-12zM17 19h14l-7 24z") + path("#c9f3f3", "M17 19L24 7l7 12z")],
    ["bird", path(B, "M10 22a12 12 0 0 1 23-4l8 24c-16 4-31-3-31-20z") + path(O, "M11 16L2 20l9 4z") + path(N, "M20 26c9 0 14 4 16 12-9 2-15-2-16-12z") + disc(W, 18, 17, 3.5) + disc(N, 17.5, 17, 1.7) + line(O, 2.5, "M26 42v5M31 43v4")],
    ["compass", disc(N, 24, 24, 21) + disc(L, 24, 24, 16) + path(R, "M33 12l-6 15-6-6z") + path(W, "M15 36l6-15 6 6z") + disc(N, 24, 24, 2.4)],
    ["cake", box(K, 6, 24, 36, 19, 3) + path(W, "M6 27c0-6 4-7 8-7h20c4 0 8 1 8 7-3 6-6 6-9 0-3 6-6 6-9 0-3 6-6 6-9 0-3 6-6 6-9 0z") + box(B, 22, 9, 4, 12, 1) + path(O, "M24 1c4 4 3 7 0 8-3-1-4-4 0-8z")],
    ["scissors", line(S, 5, "M14 33L35 4M34 33L13 4") + `<circle cx="11" cy="37" r="6" fill="none" stroke="${R}" stroke-width="4.5"/><circle cx="37" cy="37" r="6" fill="none" stroke="${R}" stroke-width="4.5"/>` + disc(N, 24, 19, 2)],
    ["turtle", oval(C, 41, 25, 6, 5) + oval(C, 12, 38, 5, 4) + oval(C, 32, 38, 5, 4) + path(G, "M3 36C4 20 13 12 22 12s18 8 18 24z") + line("#a9dfc1", 2.4, "M14 35l3-10h10l3 10M17 25l-5-6M27 25l5-6M22 13v-1") + disc(N, 43, 24, 1.4)],
    ["magnet", path(R, "M6 6h11v19a7 7 0 0 0 14 0V6h11v19a18 18 0 0 1-36 0z") + box(S, 6, 4, 11, 9) + box(S, 31, 4, 11, 9)],
    ["lighthouse", path(W, "M18 17h12l5 27H13z") + path(R, "M17 23h14l1.5 7H15.5zM14.5 36h19l1 7h-21z") + box(N, 16, 9, 16, 8, 1) + box(Y, 20, 10, 8, 7) + path(R, "M15 9l9-7 9 7z") + line(Y, 2.6, "M11 12L3 9M11 15l-8 3M37 12l8-3M37 15l8 3") + line(S, 1, "M18 17l-5 27h22l-5-27")],
    ["flame", path(O, "M25 2c2 9 15 14 15 27 0 10-7 16-16 16S8 39 8 30c0-8 5-11 7-17 3 3 4 5 4 8 4-5 6-11 6-19z") + path(Y, "M25 22c1 5 7 8 7 14 0 5-4 8-8 8s-8-3-8-8c0-4 2-6 3-8l3 3c2-2 3-5 3-9z")],
    ["telescope", line(N, 3.5, "M24 28L14 45M24 28l10 17M24 28v15") + `<g transform="rotate(-25 24 22)">${box(B, 3, 17, 17, 11, 1)}${box(T, 18, 15.5, 15, 14, 1)}${box(Y, 32, 13, 14, 19, 2)}</g>`],
];

/** How many different pictures there are. */
export const FACE_COUNT = FACES.length;

/** @returns {string} the name of picture `index` */
export function faceName(index) {
    return FACES[index][0];
}

/** @returns {SVGElement} picture `index`, a new element each time */
export function drawFace(index) {
    const holder = document.createElement("template");
    holder.innerHTML = `<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false">${FACES[index][1]}</svg>`;
    return holder.content.firstElementChild;
}

/** Gives each face of one game a picture of its own, the same one for as long as the game lasts. */
export class FaceBook {
    #pictures = new Map();
    #used = new Set();

    /** @returns {number} the picture index for a face as it came over the wire */
    pictureOf(face) {
        if (!this.#pictures.has(face)) {
            let index = ((face % FACE_COUNT) + FACE_COUNT) % FACE_COUNT;
            while (this.#used.has(index)) index = (index + 1) % FACE_COUNT;
            this.#used.add(index);
            this.#pictures.set(face, index);
        }
        return this.#pictures.get(face);
    }
}
