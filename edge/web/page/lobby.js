// SPDX-License-Identifier: Apache-2.0
// lobby.js - the first view (name, wish) and the waiting view.

import { drawFace } from "./faces.js";
import { codeInLink, forgetLink, InvitePanel } from "./invite.js";
import { identity } from "./identity.js";
import { drawMark } from "./seats.js";

const BOARDS = [
    [2, 3, "Quick"],
    [4, 4, "Classic"],
    [6, 5, "Long"],
    [6, 6, "Big"],
    [8, 8, "Huge"],
    [10, 10, "Epic"],
];

const WISH = "meridian.wish";

const byId = (id) => document.getElementById(id);

export class Lobby {
    #form = byId("wish");
    #startedAt = 0;
    #timer = null;
    #busyUntil = null;
    #panel;

    /**
     * @param {{find: (wish: object) => void, cancel: () => void, explain: () => void, serverNow: () => number}} calls find: the
     *        wish is what MeridianClient.findMatch takes
     */
    constructor(calls) {
        this.calls = calls;
        this.#panel = new InvitePanel(calls.serverNow);
        drawBoards(byId("board-choice"));
        byId("fan").replaceChildren(...[0, 1, 24, 16, 6].map(fanCard));
        byId("name").value = identity.name;
        this.#restore();
        this.#form.addEventListener("submit", (event) => this.#submit(event));
        byId("cancel").addEventListener("click", () => calls.cancel());
        byId("decline").addEventListener("click", () => this.invited(""));
        byId("code").addEventListener("keydown", (event) => {
            if (event.key !== "Enter") return; /* else it would press the form's first button */
            event.preventDefault();
            byId("join").click();
        });
        this.invited(codeInLink());
    }

    /** A friend's code is offered to be taken ("": none): only the name is still asked for. */
    invited(code) {
        document.body.toggleAttribute("data-invited", code !== "");
        byId("invited").hidden = code === "";
        byId("invited-code").textContent = code;
        byId("code").value = code;
        if (code === "") forgetLink();
    }

    /** He who is known need not be asked: straight to his friend. */
    acceptIfKnown() {
        if (codeInLink() !== "" && identity.name) this.#join();
    }

    /** Shows that a ticket waits and why. */
    waiting(ticket) {
        if (this.#timer === null) {
            this.#startedAt = Date.now();
            this.#timer = setInterval(() => this.#tick(), 1000);
            this.#tick();
        }
        this.#adopt(ticket);
        const hosts = this.wish.invite === true || this.wish.rematch !== undefined;
        const joins = !hosts && this.wish.code !== undefined;
        byId("waiting").classList.toggle("hosts", hosts);
        byId("waiting-title").textContent = hosts ? "Waiting for your friends" : joins ? "Joining your friend" : "Looking for players";
        byId("waiting-wish").textContent = describe(this.wish);
        drawSeats(byId("waiting-seats"), this.wish.players ?? 2);
        this.#panel.show(this.wish.invite === true ? ticket : null);
        if (!ticket) return;
        this.#busyUntil = null;
        tell(byId("waiting-reason"), reasonText(ticket));
        byId("waiting-more").textContent = "";
    }

    /** The server is too busy to take the wish; it is asked again after so long. */
    busy(retryAfterMs) {
        this.#busyUntil = Date.now() + retryAfterMs;
        this.#tellBusy();
    }

    /** No ticket waits any more. */
    doneWaiting() {
        clearInterval(this.#timer);
        this.#timer = null;
        this.#busyUntil = null;
        this.#panel.show(null);
        byId("waiting-reason").textContent = "";
        byId("waiting-more").textContent = "";
    }

    /* The code belongs to the wish: should the ticket be lost, the same table is asked for again. A page that was loaded anew only has
     * the ticket. */
    #adopt(ticket) {
        if (!ticket?.code || this.lastWish?.code === ticket.code || this.lastWish?.rematch) return;
        const known = this.lastWish?.invite || this.lastWish?.code ? this.lastWish : ticket.hosts ? this.#read("friends") : {};
        this.lastWish = { ...known, code: ticket.code };
    }

    /** What was asked for last, for "play again". */
    get wish() {
        return this.lastWish ?? this.#read("find");
    }

    #submit(event) {
        event.preventDefault();
        identity.name = byId("name").value.trim();
        if (!identity.name) return byId("name").focus();
        const how = event.submitter?.value ?? "find";
        if (how === "join") return this.#join();
        this.lastWish = this.#read(how);
        this.#save();
        this.calls.find(this.lastWish);
    }

    #join() {
        const code = byId("code").value.trim();
        if (!code) return byId("code").focus();
        this.invited("");
        byId("code").value = code; /* to be mended if it is wrong */
        this.lastWish = { code };
        this.calls.find(this.lastWish);
    }

    #read(how) {
        const data = new FormData(this.#form);
        const [rows, cols] = String(data.get("board")).split("x").map(Number);
        const bots = how === "bot" ? "now" : data.get("fill") ? "fill" : "none";
        return { players: Number(data.get("players")), rows, cols, bots, ...(how === "friends" ? { invite: true } : {}) };
    }

    #save() {
        try {
            const { players, rows, cols } = this.lastWish;
            const fill = new FormData(this.#form).get("fill") !== null;
            localStorage.setItem(WISH, JSON.stringify({ players, board: `${rows}x${cols}`, fill }));
        } catch {
            /* without storage the defaults come back, no more */
        }
    }

    #restore() {
        try {
            const { players, board, fill } = JSON.parse(localStorage.getItem(WISH));
            for (const [name, value] of [["players", players], ["board", board]]) {
                const input = this.#form.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
                if (input) input.checked = true;
            }
            this.#form.elements.fill.checked = fill;
        } catch {
            /* nothing kept */
        }
    }

    #tick() {
        const seconds = Math.floor((Date.now() - this.#startedAt) / 1000);
        byId("waiting-time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
        if (seconds > 0 && seconds % 5 === 0) this.calls.explain();
        this.#panel.tick();
        this.#tellBusy();
    }

    #tellBusy() {
        if (this.#busyUntil === null) return;
        const left = Math.ceil((this.#busyUntil - Date.now()) / 1000);
        tell(byId("waiting-reason"), "It is very busy right now. You need not do anything.");
        byId("waiting-more").textContent = left > 0 ? `Asking again in ${left} s…` : "Asking again…";
    }
}

/* The server's reason is a sentence without its capital and full stop. */
function reasonText({ reason }) {
    const text = reason || "waiting for more players";
    return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/* A live region says a text whenever it is set, also when it is the same. */
function tell(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/* One mark for each seat: mine, and those somebody is looked for. */
function drawSeats(holder, count) {
    if (holder.children.length === count) return;
    holder.replaceChildren(
        ...Array.from({ length: count }, (_, seat) => {
            const item = document.createElement("li");
            item.dataset.seat = seat;
            item.append(drawMark(seat));
            return item;
        }),
    );
}

function describe({ players, rows, cols, bots, code, invite, rematch }) {
    if (code !== undefined && rows === undefined) return `Code ${code}`;
    if (rematch) return "The same table once more";
    if (invite) return `A table for ${players}, ${rows} × ${cols} cards`;
    const others = bots === "now" ? "with bots" : `${players} players`;
    return `${others}, ${rows} × ${cols} cards`;
}

function drawBoards(holder) {
    const chips = BOARDS.map(([rows, cols, name]) => {
        const made = document.createElement("template");
        made.innerHTML = `<label class="chip"><input type="radio" name="board" value="${rows}x${cols}">
            <span><b>${rows} × ${cols}</b><small>${name}</small></span></label>`;
        const chip = made.content.firstElementChild;
        chip.querySelector("input").checked = name === "Classic";
        return chip;
    });
    holder.replaceChildren(...chips);
}

function fanCard(picture) {
    const card = document.createElement("span");
    card.append(drawFace(picture));
    return card;
}
