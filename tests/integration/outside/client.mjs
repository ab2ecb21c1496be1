// SPDX-License-Identifier: Apache-2.0
// A client of the player's protocol for tests, written from its page alone and sharing no code with the page's client. It checks every
// message it gets (shape, numbering, the game's rules) and keeps what is wrong in `problems`; `view(gameId)` is the game as it sees it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import WebSocket from "ws";
import { isNumbered, problemOf } from "./messages.mjs";
import { View } from "./view.mjs";

const open = new Set();

export class Client {
    // For the end of a test file: after a failure nothing must keep it from ending.
    static dropAll() {
        for (const client of open) client.socket.terminate();
    }

    // where: address of /v1/ws. token in the query, or with `first: true` in `auth`. views may be handed on from an earlier connection.
    constructor(where, { token, device, first = false, views = new Map(), resume }) {
        this.where = where;
        this.views = views;
        this.problems = [];
        this.unread = [];
        this.waiting = new Set();
        this.listeners = new Set();
        this.received = 0;
        this.resumed = resume;
        this.resuming = resume !== undefined; // until the second `connected`: what comes before it belongs to a session that is given up
        open.add(this);
        const query = new URLSearchParams(first ? {} : { token, ...(device ? { device } : {}) });
        this.socket = new WebSocket(`${where}?${query}`, ["meridian.v1.json"]);
        this.closed = new Promise((resolve) => this.socket.on("close", (code, reason) => {
            this.end = { code, reason: `${reason}` };
            open.delete(this);
            resolve(this.end);
            for (const waiter of this.waiting) waiter.lost();
            this.changed();
        }));
        this.socket.on("error", (error) => { this.failure = error; });
        this.socket.on("message", (data, isBinary) => this.message(`${data}`, isBinary));
        if (first) this.socket.on("open", () => this.send("auth", { token, ...(device ? { device } : {}) }));
    }

    static async connect(where, options) {
        const client = new Client(where, options);
        await client.begin();
        return client;
    }

    // Connected and told so; with `resume` (another client's state) continuing that session.
    async begin() {
        this.connected = await this.next("connected");
        if (!this.resumed) return;
        this.send("resume", this.resumed);
        this.connected = await this.next("connected");
    }

    get state() {
        const { session, epoch } = this.connected;
        return { session, epoch, offset: this.offset };
    }

    message(raw, isBinary) {
        this.received++;
        if (isBinary) return void this.problems.push("a binary message in json mode");
        const message = JSON.parse(raw);
        const problem = problemOf(message);
        if (problem !== null) this.problems.push(`${message.type}: ${problem}: ${raw}`);
        for (const one of message.type === "batch" ? message.messages : [message]) this.take(one);
        this.changed();
    }

    take(message) {
        if (message.type === "connected") this.resuming &&= this.offset === undefined;
        if (message.type === "connected") this.offset = message.resume === "replayed" ? this.resumed.offset : message.offset;
        if (isNumbered(message.type)) {
            if (message.offset !== this.offset + 1) this.problems.push(`${message.type}: offset ${message.offset} after ${this.offset}`);
            this.offset = message.offset;
        }
        if (this.resuming && message.type !== "connected") return;
        if (message.gameId !== undefined && isNumbered(message.type) && message.type !== "game_result") this.view(message.gameId).apply(message);
        for (const waiter of this.waiting) if (waiter.take(message)) return;
        this.unread.push(message);
    }

    view(gameId) {
        if (!this.views.has(gameId)) this.views.set(gameId, new View(gameId));
        return this.views.get(gameId);
    }

    send(type, fields = {}) {
        this.socket.send(JSON.stringify({ type, ...fields }));
    }
    flip(gameId, card, moveId = randomUUID()) {
        this.send("move", { gameId, moveId, flip: { card } });
        return moveId;
    }

    // The next message of these types (one or a list) that fits; older unread ones count. Each message is given out once.
    next(types, fits = () => true, ms = 30_000) {
        const wanted = [types].flat();
        const good = (message) => wanted.includes(message.type) && fits(message);
        const at = this.unread.findIndex(good);
        if (at >= 0) return Promise.resolve(this.unread.splice(at, 1)[0]);
        if (this.end) return Promise.reject(new Error(`no ${wanted}: ${this.describe()}`));
        return new Promise((resolve, reject) => {
            const done = (finish, value) => {
                clearTimeout(timer);
                this.waiting.delete(waiter);
                finish(value);
            };
            const waiter = {
                take: (message) => good(message) && (done(resolve, message), true),
                lost: () => done(reject, new Error(`no ${wanted}: ${this.describe()}`)),
            };
            const timer = setTimeout(() => done(reject, new Error(`no ${wanted} within ${ms} ms; ${this.describe()}`)), ms);
            this.waiting.add(waiter);
        });
    }
    error(code, ms) {
        return this.next("error", (message) => message.code === code, ms);
    }
    // The answer to a move: move_ok or error.
    answer(moveId, ms) {
        return this.next(["move_ok", "error"], (message) => (message.moveId ?? message.re) === moveId, ms);
    }

    describe() {
        const last = this.unread.slice(-6).map((message) => JSON.stringify(message).slice(0, 160)).join("\n  ");
        const end = this.end ? `closed ${this.end.code} ${this.end.reason} ${this.failure ?? ""}` : "open";
        return `${this.where} is ${end}; unread:\n  ${last}`;
    }

    // Comes back when `condition()` holds; it is looked at after every message and at the end.
    until(condition, what = condition, ms = 30_000) {
        if (condition()) return Promise.resolve();
        return new Promise((resolve, reject) => {
            const stop = (finish, value) => {
                clearTimeout(timer);
                this.listeners.delete(look);
                finish(value);
            };
            const look = () => {
                if (condition()) stop(resolve);
                else if (this.end) stop(reject, new Error(`closed while waiting for ${what}: ${this.describe()}`));
            };
            const timer = setTimeout(() => stop(reject, new Error(`not within ${ms} ms: ${what}; ${this.describe()}`)), ms);
            this.listeners.add(look);
        });
    }
    changed() {
        for (const look of [...this.listeners]) look();
    }

    // An answered ping: everything sent before it was read, and everything it caused at once has come.
    async settle() {
        this.send("ping");
        await this.next("pong");
    }

    // Into a game: the view of it, with game_state there.
    async match(options) {
        this.send("find_match", { game: "memory", ...options });
        return this.matched();
    }
    async matched() {
        const matched = await this.next("matched", undefined, 40_000);
        const view = this.view(matched.gameId);
        await this.until(() => view.version !== null, "game_state");
        return view;
    }

    drop() {
        this.socket.terminate();
        return this.closed;
    }
    async close() {
        this.socket.close(1000);
        await this.closed;
        this.assertFine();
    }
    assertFine() {
        assert.deepEqual([...this.problems, ...[...this.views.values()].flatMap((view) => view.problems)], []);
    }
}
