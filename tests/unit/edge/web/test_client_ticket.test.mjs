// SPDX-License-Identifier: Apache-2.0
// A place in the queue that is lost without a word, because the edge that held it died: with fake time.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { MeridianClient } from "../../../../edge/web/meridian.js";
import { fakeSockets, fakeTime } from "./fake_time.mjs";
import { connected } from "./scripted_server.mjs";

const MINUTE_MS = 60 * 1000;

let time;
beforeEach(() => {
    time = fakeTime();
});
afterEach(() => time.restore());

const waiting = (ticketId, offset) => ({ type: "ticket", ticketId, state: "waiting", offset });
const unknown = (re) => ({ type: "error", code: "no_such_ticket", message: "no waiting ticket of yours has this id", re });

/* A client with the ticket t1, at a server that resumes and leaves what is asked about tickets to `more`. */
async function inQueue(more, options = {}) {
    const asked = [];
    const world = fakeSockets((socket, message) => {
        if (message.type === "auth") socket.say(connected());
        else if (message.type === "ping") socket.say({ type: "pong", atMs: Date.now() });
        else if (message.type === "resume") socket.say(connected({ offset: message.offset, resume: "replayed" }));
        else if (message.type === "find_match") socket.say(waiting("t1", 1));
        else more(socket, message, asked.push({ type: message.type, atMs: Date.now() }));
    });
    const client = new MeridianClient({
        urls: ["http://edge"], tokens: async () => "t", device: "d", WebSocket: world.WebSocket, random: () => 0.5, ...options,
    });
    client.heard = [];
    client.on("*", (name, value) => client.heard.push({ name, ...value }));
    client.connect();
    await time.pass(100);
    client.findMatch();
    await time.pass(10);
    assert.equal(client.ticket.ticketId, "t1");
    return { client, world, asked };
}

const tickets = (client) => client.heard.filter(({ name }) => name === "ticket").map(({ state, reason }) => [state, reason]).slice(1);
const errors = (client) => client.heard.filter(({ name }) => name === "error");
const LOST = ["expired", "no_such_ticket"];

test("nothing is heard of the ticket: the client asks after half a minute, and is told that it is gone", async () => {
    const { client, asked } = await inQueue((socket, { ticketId }) => socket.say(unknown(ticketId)));
    await time.pass(29_000);
    assert.equal(asked.length, 0);
    await time.pass(MINUTE_MS);
    assert.deepEqual(tickets(client), [LOST]);
    assert.equal(client.ticket, null);
    assert.equal(asked.length, 1);
    assert.deepEqual(errors(client), []);
    client.close();
    assert.equal(time.timers, 0);
});

test("a ticket that waits is asked about at most every half minute, each client at times of its own", async () => {
    for (const [random, apartMs] of [[0, 30_000], [0.5, 45_000], [0.999, 59_970]]) {
        let offset = 1;
        const { client, asked } = await inQueue((socket, { ticketId }) => socket.say(waiting(ticketId, ++offset)), { random: () => random });
        await time.pass(5 * MINUTE_MS);
        const gaps = asked.slice(1).map(({ atMs }, i) => atMs - asked[i].atMs);
        assert.ok(gaps.length > 3 && gaps.every((ms) => ms === apartMs), String(gaps));
        client.close();
    }
});

test("the edge that held it does not answer at all: it is asked again until somebody knows", async () => {
    const { client, asked } = await inQueue((socket, { ticketId }, n) => n > 1 && socket.say(unknown(ticketId)));
    await time.pass(1.5 * MINUTE_MS);
    assert.deepEqual(tickets(client), [LOST]);
    assert.equal(asked.length, 2);
    assert.equal(client.unanswered, 0);
    client.close();
});

test("after a replay the ticket is watched as before", async () => {
    const { client, world } = await inQueue((socket, { ticketId }) => socket.say(unknown(ticketId)));
    world.sockets[0].hangUp(1012, "restart;retry=0");
    await time.pass(100);
    assert.equal(client.state, "ready");
    assert.equal(client.ticket.ticketId, "t1");
    await time.pass(MINUTE_MS);
    assert.deepEqual(tickets(client), [LOST]);
    client.close();
});

test("who gives up a ticket that is gone has none any more, and does not wait for ever", async () => {
    const { client } = await inQueue((socket, { ticketId }) => socket.say(unknown(ticketId)));
    await assert.rejects(Promise.race([client.cancelMatch("t1"), time.pass(5000)]), { code: "no_such_ticket" });
    await time.pass(3000);
    assert.equal(client.ticket, null);
    assert.deepEqual(tickets(client), [LOST]);
    await time.pass(6 * MINUTE_MS);
    assert.equal(client.state, "idle", "nothing is left to be awake for");
    client.close();
});

test("a page that asks itself hears of the loss, whatever it does with the error", async () => {
    const { client } = await inQueue((socket, { ticketId }) => socket.say(unknown(ticketId)));
    client.explainMatch("t1").catch(() => {});
    client.explainMatch("t1").catch(() => {});
    await time.pass(3000);
    assert.deepEqual(tickets(client), [LOST]);
    assert.equal(client.unanswered, 0);
    client.close();
});

test("a ticket that is becoming a game is known to nobody for a moment: it is not told to be lost", async () => {
    const { client } = await inQueue((socket, { ticketId }) => {
        socket.say(unknown(ticketId));
        setTimeout(() => socket.say({ type: "matched", gameId: "g", seat: 0, region: "us-east", players: [], offset: 2 }), 1000);
    });
    client.explainMatch("t1").catch(() => {});
    await time.pass(1200);
    assert.deepEqual(tickets(client), []);
    assert.equal(client.games.has("g"), true);
    await time.pass(1000);
    assert.deepEqual(tickets(client), []);
    client.close();
});

test("what nobody knows of an older ticket does not end the one that waits", async () => {
    const { client } = await inQueue((socket, { ticketId }) => socket.say(unknown(ticketId)));
    client.cancelMatch("t0").catch(() => {});
    await time.pass(5000);
    assert.equal(client.ticket.ticketId, "t1");
    client.close();
});
