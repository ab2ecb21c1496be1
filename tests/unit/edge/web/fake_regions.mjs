// SPDX-License-Identifier: Apache-2.0
// fake_regions.mjs - whole regions on real sockets, one server each: they take players in, answer pings, tell the list of regions, and can
// die, fall silent, refuse, or come back at the same address.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connected } from "./scripted_server.mjs";

const require = createRequire(new URL("../../../browser/package.json", import.meta.url));
const { WebSocketServer } = require("ws");

export class FakeRegion {
    players = []; /* sockets, in the order in which they were taken in; each with what it sent in `said` */
    pings = 0;
    silent = false;
    refusing = false;
    mute = false; /* over HTTP it answers, to players it says nothing */
    #http = null;
    #world;
    #sockets = new Set();

    constructor(name, world) {
        this.name = name;
        this.#world = world;
        this.port = 0;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    get listed() {
        return { name: this.name, edges: this.closed ? [] : [{ id: `${this.name}-1`, ws: `ws://127.0.0.1:${this.port}/v1/ws` }] };
    }

    async start() {
        this.#http = createServer((request, response) => this.#answer(request, response));
        const wss = new WebSocketServer({ noServer: true });
        this.#http.on("connection", (socket) => this.#sockets.add(socket.on("close", () => this.#sockets.delete(socket))));
        this.#http.on("upgrade", (request, socket, head) => {
            if (this.silent) return;
            if (this.refusing) return void socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
            wss.handleUpgrade(request, socket, head, (player) => this.#take(player));
        });
        await new Promise((resolve) => this.#http.listen(this.port, "127.0.0.1", resolve));
        this.port = this.#http.address().port;
        return this;
    }

    /** Everything is gone at once, as after kill -9. */
    async die() {
        if (!this.#http) return;
        const closed = new Promise((resolve) => this.#http.close(resolve));
        for (const socket of this.#sockets) socket.resetAndDestroy();
        this.#http = null;
        await closed;
    }

    #answer(request, response) {
        if (this.silent) return;
        if (request.url === "/v1/ping") {
            this.pings += 1;
            this.onPing?.();
        }
        const list = request.url === "/v1/regions" && JSON.stringify({ regions: this.#world.map((one) => one.listed), expiresAtMs: Date.now() + 60000 });
        response.writeHead(list ? 200 : 204).end(list || undefined);
    }

    #take(player) {
        const session = `${this.name}-${this.players.length}`;
        player.said = [];
        this.players.push(player);
        const say = (message) => player.readyState === 1 && !this.silent && !this.mute && player.send(JSON.stringify(message));
        player.say = say;
        player.on("message", (data) => {
            const message = JSON.parse(data);
            player.said.push(message);
            if (this.silent) return;
            if (message.type === "auth") say(connected({ session, region: this.name, edge: `${this.name}-1` }));
            if (message.type === "resume") say(connected({ session, region: this.name, edge: `${this.name}-1`, resume: "gone", reason: "unknown" }));
            if (message.type === "ping") say({ type: "pong", atMs: Date.now() });
            if (message.type === "find_match") this.#game(say, player.said.filter(({ type }) => type === "find_match").length);
        });
    }

    #game(say, n) {
        const gameId = `${this.name}-g${n}`;
        say({ type: "matched", offset: 2 * n - 1, gameId, seat: 0, region: this.name, players: [] });
        say({ type: "game_state", offset: 2 * n, gameId, game: "memory", version: 1, status: "playing", rows: 2, cols: 2, cards: [], scores: [0, 0], seats: [], turn: 0, deadlineAtMs: 0 });
    }
}

/** As many regions as names, running; each lists all of them. */
export async function fakeRegions(...names) {
    const world = [];
    for (const name of names) world.push(await new FakeRegion(name, world).start());
    return world;
}
