// SPDX-License-Identifier: Apache-2.0
// board.js - the cards on the screen: drawing, flipping, pointer and keyboard.
//
// A press shows only that it was noticed; the picture comes when the server says what it is. One card at a time
// can be tabbed to (roving tabindex), the arrow keys move between cards.

import { drawFace, faceName, FaceBook } from "./faces.js";
import { drawMark } from "./seats.js";

const FORGET_MS = 450; /* a card turned down keeps its picture until the turn is out of sight */

const MOVES = {
    ArrowLeft: (at, cols) => (at % cols > 0 ? at - 1 : at),
    ArrowRight: (at, cols) => (at % cols < cols - 1 ? at + 1 : at),
    ArrowUp: (at, cols) => (at >= cols ? at - cols : at),
    ArrowDown: (at, cols, count) => (at + cols < count ? at + cols : at),
    Home: (at, cols) => at - (at % cols),
    End: (at, cols) => at - (at % cols) + cols - 1,
};

export class Board {
    #root;
    #flip;
    #cards = [];
    #shape = "";
    #cols = 0;
    #book = new FaceBook();
    #focus = 0;

    /**
     * @param {HTMLElement} root
     * @param {(card: number) => void} flip the player wants to turn this card; called only for cards that can be
     */
    constructor(root, flip) {
        this.#root = root;
        this.#flip = flip;
        root.addEventListener("keydown", (event) => this.#key(event));
        root.addEventListener("click", (event) => this.#click(event));
        root.addEventListener("focusin", (event) => this.#rove(this.#indexOf(event.target)));
    }

    /** Shows the cards of a game; `mine` is true when the player may turn one. */
    show(game, mine) {
        this.#layOut(game);
        this.#root.classList.toggle("mine", mine);
        game.cards.forEach((card, index) => this.#draw(index, card, game, mine));
    }

    /** The press was sent, or is settled. */
    pressed(card, on) {
        this.#cards[card]?.button.classList.toggle("pressed", on);
    }

    /** Words for a card, e.g. for announcements. */
    wordsFor(card, face) {
        return `${this.#place(card)}: ${faceName(this.#book.pictureOf(face))}`;
    }

    nameOf(face) {
        return faceName(this.#book.pictureOf(face));
    }

    /** Puts the keyboard on the board. */
    focus() {
        this.#cards[this.#focus]?.button.focus({ preventScroll: true });
    }

    #layOut({ id, rows, cols }) {
        const shape = `${id} ${rows} ${cols}`;
        if (shape === this.#shape) return;
        this.#shape = shape;
        this.#cols = cols;
        this.#focus = 0;
        this.#book = new FaceBook();
        this.#root.style.setProperty("--rows", rows);
        this.#root.style.setProperty("--cols", cols);
        this.#root.dataset.size = rows * cols > 40 ? "large" : rows * cols > 20 ? "middle" : "small";
        this.#root.setAttribute("aria-rowcount", rows);
        this.#root.setAttribute("aria-colcount", cols);
        this.#cards = Array.from({ length: rows * cols }, (_, index) => newCard(index));
        const lines = Array.from({ length: rows }, (_, row) => {
            const line = element("div", "row", { role: "row" });
            line.append(...this.#cards.slice(row * cols, (row + 1) * cols).map((card) => card.cell));
            return line;
        });
        this.#root.replaceChildren(...lines);
        this.#rove(0);
    }

    #draw(index, card, game, mine) {
        const view = this.#cards[index];
        const missed = game.missed?.includes(index) ?? false;
        view.button.classList.toggle("missed", missed);
        if (card.state !== "down") this.#picture(view, card);
        if (card.state === "down" && view.state !== "down") this.#forget(view);
        if (card.state !== view.state) view.button.dataset.state = card.state;
        view.state = card.state;
        view.owner(card.state === "taken" ? card.by : undefined);
        const free = mine && card.state === "down" && game.missed === null;
        view.button.setAttribute("aria-disabled", String(!free));
        view.button.setAttribute("aria-label", this.#label(index, card));
    }

    #picture(view, card) {
        clearTimeout(view.timer);
        const picture = this.#book.pictureOf(card.face);
        if (view.picture === picture) return;
        view.picture = picture;
        view.front.replaceChildren(drawFace(picture));
    }

    #forget(view) {
        view.timer = setTimeout(() => {
            view.front.replaceChildren();
            view.picture = null;
        }, FORGET_MS);
    }

    #place(index) {
        return `row ${Math.floor(index / this.#cols) + 1} column ${(index % this.#cols) + 1}`;
    }

    #label(index, card) {
        const place = this.#place(index);
        if (card.state === "down") return `${place}, face down`;
        return `${place}, ${this.nameOf(card.face)}${card.state === "taken" ? ", taken" : ""}`;
    }

    #indexOf(target) {
        const button = target.closest?.(".card");
        return button ? Number(button.dataset.card) : -1;
    }

    #rove(index) {
        if (index < 0) return;
        this.#cards[this.#focus]?.button.setAttribute("tabindex", "-1");
        this.#focus = index;
        this.#cards[index].button.setAttribute("tabindex", "0");
    }

    #key(event) {
        const step = MOVES[event.key];
        const at = this.#indexOf(event.target);
        if (!step || at < 0 || event.altKey || event.metaKey) return;
        event.preventDefault();
        this.#rove(step(at, this.#cols, this.#cards.length));
        this.focus();
    }

    #click(event) {
        const index = this.#indexOf(event.target);
        if (index < 0) return;
        if (this.#cards[index].button.getAttribute("aria-disabled") === "false") this.#flip(index);
        else refuse(this.#cards[index].button);
    }
}

/* A short shake instead of words: everybody clicks too early now and then. */
function refuse(button) {
    button.classList.remove("refused");
    void button.offsetWidth; /* starts the animation anew */
    button.classList.add("refused");
    button.addEventListener("animationend", () => button.classList.remove("refused"), { once: true });
}

function newCard(index) {
    const cell = element("div", "cell", { role: "gridcell" });
    const button = element("button", "card", { type: "button", tabindex: "-1", "data-card": index, "data-state": "down" });
    const body = element("span", "card-body");
    const front = element("span", "side front");
    const corner = element("span", "owner");
    body.append(element("span", "side back"), front);
    button.append(body, corner);
    cell.append(button);
    let owner;
    return {
        cell,
        button,
        front,
        state: "down",
        picture: null,
        timer: null,
        owner(seat) {
            if (seat === owner) return;
            owner = seat;
            corner.replaceChildren(...(seat === undefined ? [] : [drawMark(seat)]));
            if (seat === undefined) delete button.dataset.seat;
            else button.dataset.seat = seat % 4;
        },
    };
}

function element(tag, className, attributes = {}) {
    const made = document.createElement(tag);
    made.className = className;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
}
