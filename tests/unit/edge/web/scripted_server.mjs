// SPDX-License-Identifier: Apache-2.0
// scripted_server.mjs - a server that says exactly what a test tells it to.
//
// It knows nothing of games: each test hands in what happens on the first connection, on the second, and so on.
// A peer keeps what it received; `next(type)` waits for the next message of that type.

import { createRequire } from "node:module";

const require = createRequire(new URL("../../../browser/package.json", import.meta.url));
const { WebSocketServer } = require("ws");

/** The client's side for Node, which got a WebSocket of its own only in version 22. */
export const { WebSocket } = require("ws");

const WAIT_MS = 5000;

/** @param {((peer: Peer) => Promise<void>|void)[]} scripts one per connection; the last one repeats */
export async function startServer(scripts) {
    const wss = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    const peers = [];
    const failures = [];
    wss.on("connection", (socket, request) => {
        const peer = new Peer(socket, request);
        const script = scripts[Math.min(peers.length, scripts.length - 1)];
        peers.push(peer);
        Promise.resolve(script(peer)).catch((error) => failures.push(error));
    });
    await new Promise((resolve) => wss.once("listening", resolve));
    return {
        url: `http://127.0.0.1:${wss.address().port}`,
        peers,
        failures,
        async stop() {
            for (const socket of wss.clients) socket.terminate();
            await new Promise((resolve) => wss.close(resolve));
        },
    };
}

class Peer {
    received = [];
    #waiting = [];

    constructor(socket, request) {
        this.socket = socket;
        this.path = request.url;
        this.at = Date.now();
        this.pings = true;
        socket.on("message", (data) => this.#arrived(JSON.parse(data)));
    }

    send(...messages) {
        for (const message of messages) this.socket.send(JSON.stringify(message));
    }

    close(code, reason) {
        this.socket.close(code, reason);
    }

    /** The next message of that type, received from now on or not yet taken. */
    next(type) {
        const at = this.received.findIndex((message) => message.type === type && !message.taken);
        if (at >= 0) {
            this.received[at].taken = true;
            return Promise.resolve(this.received[at]);
        }
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no ${type} came`)), WAIT_MS).unref();
            this.#waiting.push({ type, resolve: (message) => (clearTimeout(timer), resolve(message)) });
        });
    }

    /** Takes the `auth` and answers it. */
    async welcome(fields = {}) {
        const auth = await this.next("auth");
        this.send(connected(fields));
        return auth;
    }

    #arrived(message) {
        if (message.type === "ping" && this.pings) this.send({ type: "pong", atMs: Date.now() });
        this.received.push(message);
        const at = this.#waiting.findIndex((one) => one.type === message.type);
        if (at < 0) return;
        message.taken = true;
        this.#waiting.splice(at, 1)[0].resolve(message);
    }
}

/** A `connected` message. */
export function connected(fields = {}) {
    return {
        type: "connected",
        session: "s1",
        epoch: 1,
        offset: 0,
        user: "ann",
        device: "d1",
        region: "us-east",
        edge: "e1",
        heartbeatMs: 30000,
        ...fields,
    };
}

/** A promise for the next event of that name. */
export function nextEvent(client, name, matches = () => true) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no event ${name}`)), WAIT_MS);
        const off = client.on(name, (value) => {
            if (!matches(value)) return;
            clearTimeout(timer);
            off();
            resolve(value);
        });
    });
}

/** A promise for the client to be in that state. */
export function inState(client, state) {
    return client.state === state ? Promise.resolve() : nextEvent(client, "state", (now) => now.state === state);
}

/** Waits until `condition` holds. */
export async function until(condition) {
    const deadline = Date.now() + WAIT_MS;
    while (!condition()) {
        if (Date.now() > deadline) throw new Error(`never true: ${condition}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}
