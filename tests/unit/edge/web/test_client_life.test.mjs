// SPDX-License-Identifier: Apache-2.0
// What a handler may do, at every moment at which it is called, and what is left of a client that was closed: with fake time.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { MeridianClient } from "../../../../edge/web/meridian.js";
import { fakeSockets, fakeTime } from "./fake_time.mjs";
import { connected } from "./scripted_server.mjs";

const HOUR_MS = 60 * 60 * 1000;

let time;
beforeEach(() => {
    time = fakeTime();
});
afterEach(() => time.restore());

/* A server that welcomes, resumes what is asked for, answers pings, and leaves the rest to `more`. */
function server(more = () => {}) {
    return fakeSockets((socket, message) => {
        if (message.type === "auth") socket.say(connected());
        else if (message.type === "ping") socket.say({ type: "pong", atMs: Date.now() });
        else if (message.type === "resume") socket.say(connected({ offset: message.offset, resume: "replayed" }));
        else more(socket, message);
    });
}

function clientOf(world, options = {}) {
    const client = new MeridianClient({
        urls: ["http://edge"], tokens: async () => "t", device: "d", WebSocket: world.WebSocket, random: () => 0.5, ...options,
    });
    client.heard = [];
    client.on("*", (name, value) => client.heard.push({ name, ...value }));
    return client;
}

const note = (offset) => ({ type: "ticket", ticketId: `t${offset}`, state: "cancelled", offset });

/* Each is an event at which the client is closed; the connection is lost once, so that all of them come. */
const MOMENTS = [
    ["state", ({ state }) => state === "connecting"],
    ["state", ({ state }) => state === "ready"],
    ["state", ({ state }) => state === "waiting"],
    ["state", ({ state, attempt }) => state === "connecting" && attempt > 0],
    ["connected", () => true],
    ["resumed", () => true],
    ["ticket", () => true],
    ["gap", () => true],
];

for (const [i, [name, matches]] of MOMENTS.entries()) {
    test(`closed in a handler, it stays closed and leaves no timer: moment ${i}, ${name}`, async () => {
        const world = server();
        const client = clientOf(world);
        const socketsThen = [];
        client.on(name, (value) => {
            if (socketsThen.length || !matches(value)) return;
            client.close();
            socketsThen.push(world.sockets.length);
        });
        client.connect();
        await time.pass(1000);
        world.sockets[0]?.say(note(1), note(3));
        await time.pass(500);
        world.sockets[0]?.hangUp(1006, "");
        await time.pass(5000);
        assert.equal(socketsThen.length, 1, "the moment came");
        assert.equal(client.state, "closed");
        assert.equal(time.timers, 0);
        await time.pass(HOUR_MS);
        assert.equal(world.sockets.length, socketsThen[0]);
        assert.equal(client.state, "closed");
    });
}

test("a handler that does not want to wait makes one connection, not two", async () => {
    const world = server();
    const client = clientOf(world);
    client.on("state", ({ state }) => state === "waiting" && client.retryNow());
    client.connect();
    await time.pass(1000);
    world.sockets[0].hangUp(1006, "");
    await time.pass(HOUR_MS / 60);
    assert.equal(client.state, "ready");
    assert.equal(world.sockets.length, 2);
    client.close();
});

test("closed and connected again in a handler of the first word: the new connection is the one that counts", async () => {
    const world = server();
    const client = clientOf(world);
    client.once("connected", () => {
        client.close();
        client.connect();
    });
    client.connect();
    await time.pass(1000);
    assert.equal(client.state, "ready");
    assert.deepEqual(world.sockets.map(({ closedAt }) => closedAt === null), [false, true]);
    client.close();
    assert.equal(time.timers, 0);
});

test("a request made before the first connection sets no timer", async () => {
    const client = clientOf(server());
    client.getGame("g").catch(() => {});
    assert.equal(time.timers, 0);
    client.close();
});

for (const [how, settle] of [["comes", (answer) => answer.resolve({ token: "t2", expiresAtMs: Date.now() + HOUR_MS })], ["is refused", (answer) => answer.reject(new Error("no"))]]) {
    test(`closed while a newer token is asked for, which ${how}: nothing is left`, async () => {
        const world = server();
        const answer = {};
        const tokens = ({ reason }) => (reason === "start" ? { token: "t1", expiresAtMs: Date.now() + HOUR_MS } : new Promise((resolve, reject) => Object.assign(answer, { resolve, reject })));
        const client = clientOf(world, { tokens: async (ask) => tokens(ask) });
        client.connect();
        await time.pass(1000);
        client.renew();
        await time.pass(10);
        client.close();
        settle(answer);
        await time.pass(100);
        assert.equal(time.timers, 0);
    });
}
