// SPDX-License-Identifier: Apache-2.0
// What takes minutes, with fake time: resting (R16), announced restarts, refused connections, requests told to wait.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { MeridianClient } from "../../../../edge/web/meridian.js";
import { fakeSockets, fakeTime } from "./fake_time.mjs";
import { connected } from "./scripted_server.mjs";

const IDLE_MS = 5 * 60 * 1000; /* R16 */

let time;
beforeEach(() => {
    time = fakeTime();
});
afterEach(() => time.restore());

/* A server that welcomes, answers pings, and leaves the rest to `more`. */
function server(more = () => {}) {
    const answer = (socket, message) => {
        if (message.type === "auth") socket.say(connected({ session: `s${world.sockets.length}` }));
        else if (message.type === "ping") socket.say({ type: "pong", atMs: Date.now() });
        else if (message.type === "resume") socket.say(connected({ session: `s${world.sockets.length}`, resume: "gone", reason: "expired" }));
        else more(socket, message);
    };
    const world = fakeSockets(answer);
    world.answer = answer;
    return world;
}

function clientOf(world, options = {}) {
    const client = new MeridianClient({
        urls: ["http://edge"], tokens: async () => "t", device: "d", WebSocket: world.WebSocket, random: () => 0, ...options,
    });
    client.heard = [];
    client.on("*", (name, value) => client.heard.push({ name, ...value }));
    client.connect();
    return client;
}

const waiting = (ticketId = "t1", offset = 1) => ({ type: "ticket", ticketId, state: "waiting", offset });

test("after five minutes without a word the client disconnects, and not before", async () => {
    const world = server();
    const client = clientOf(world);
    await time.pass(IDLE_MS - 1000);
    assert.equal(client.state, "ready");
    await time.pass(2000);
    assert.equal(client.state, "idle");
    assert.notEqual(world.sockets[0].closedAt, null, "the socket is closed, not forgotten");
    await time.pass(60 * 60 * 1000);
    assert.equal(world.sockets.length, 1, "nobody knocks while resting");
    client.close();
});

test("a resting client comes back with its next request, which is answered", async () => {
    const world = server((socket, message) => message.type === "find_match" && socket.say(waiting()));
    const client = clientOf(world);
    await time.pass(IDLE_MS + 1);
    assert.equal(client.state, "idle");
    const ticket = client.findMatch();
    await time.pass(100);
    assert.equal((await ticket).ticketId, "t1");
    assert.equal(world.sockets.length, 2);
    await time.pass(3 * IDLE_MS);
    assert.equal(client.state, "ready", "who waits for a match does not rest");
    client.close();
});

test("every request and every message starts the five minutes anew; pings do not", async () => {
    const world = server();
    const client = clientOf(world);
    await time.pass(IDLE_MS - 1000);
    world.sockets[0].say({ type: "ticket", ticketId: "old", state: "cancelled", offset: 1 });
    await time.pass(IDLE_MS - 1000);
    assert.equal(client.state, "ready");
    await time.pass(2000);
    assert.equal(client.state, "idle", "silence was kept alive by pings and pongs for all that time");
    client.close();
});

test("a player in a game never rests, however long the others think", async () => {
    const state = {
        type: "game_state", gameId: "g", game: "memory", version: 1, status: "playing", rows: 2, cols: 2, cards: [],
        scores: [0, 0], seats: [], turn: 1, deadlineAtMs: 0, offset: 1,
    };
    const world = server();
    const client = clientOf(world);
    await time.pass(100);
    world.sockets[0].say(state);
    await time.pass(3 * IDLE_MS);
    assert.equal(client.state, "ready");
    world.sockets[0].say({ type: "game_over", gameId: "g", version: 2, scores: [0, 0], winners: [0, 1], reason: "expired", offset: 2 });
    await time.pass(IDLE_MS + 1);
    assert.equal(client.state, "idle");
    client.close();
});

test("server_maintenance is told, the old connection serves until it is closed, the next address takes over at once", async () => {
    const world = server();
    const client = clientOf(world, { urls: ["http://edge1", "http://edge2"] });
    await time.pass(100);
    world.sockets[0].say({ type: "server_maintenance", reconnectDelayMs: 8000, edge: "e1" });
    await time.pass(7900);
    assert.equal(client.heard.find(({ name }) => name === "server_maintenance").reconnectDelayMs, 8000);
    assert.equal(client.state, "ready");
    world.sockets[0].hangUp(1012, "restart;retry=0");
    await time.pass(10);
    assert.equal(client.state, "ready");
    assert.deepEqual(world.sockets.map(({ url }) => url), ["ws://edge1/v1/ws", "ws://edge2/v1/ws?session=s1"]);
    assert.ok(client.heard.find(({ name }) => name === "resumed").afterMs < 10);
    client.close();
});

test("refused upgrades are answered by ever longer waits with jitter, never by knocking at once", async () => {
    const world = server();
    world.answer.refuse = () => true;
    let count = 0;
    const client = clientOf(world, { random: () => (count++ % 2 ? 0.9 : 0.1) });
    await time.pass(60_000);
    const waits = world.sockets.slice(1).map(({ madeAt }, i) => madeAt - world.sockets[i].madeAt);
    assert.deepEqual(waits, [550, 1900, 2750, 9500, 16500, 28500]);
    world.answer.refuse = () => false;
    await time.pass(30_000);
    assert.equal(client.state, "ready");
    client.close();
});

test("a token office that is overloaded names the least wait, and everybody adds some of his own", async () => {
    for (const [random, atMs] of [[0, 2000], [0.5, 2500]]) {
        const world = server();
        let asked = 0;
        const tokens = async () => {
            if (asked++ > 0) return "t";
            throw Object.assign(new Error("busy"), { code: "overloaded", retryAfterMs: 2000 });
        };
        const client = clientOf(world, { tokens, random: () => random });
        await time.pass(atMs - 10);
        assert.equal(asked, 1);
        client.retryNow(); /* a wake-up of the page does not shorten what the server asked for */
        await time.pass(20);
        assert.ok(asked >= 2);
        client.close();
    }
});

test("a provider that never answers is asked again, and its late answer changes nothing", async () => {
    const answers = [];
    const world = server();
    const client = clientOf(world, { tokens: () => new Promise((resolve) => answers.push(resolve)) });
    await time.pass(59_000);
    assert.deepEqual([client.state, answers.length], ["connecting", 1]);
    await time.pass(3000);
    assert.equal(answers.length, 2);
    answers[0]("t1");
    await time.pass(100);
    assert.equal(world.sockets.length, 0);
    answers[1]("t2");
    await time.pass(100);
    assert.equal(client.state, "ready");
    client.close();
    assert.equal(time.timers, 0);
});

test("a renewal that never comes back does not keep the next connection from its own", async () => {
    const asked = [];
    const world = server();
    const tokens = ({ reason }) => (asked.push(reason) === 2 ? new Promise(() => {}) : Promise.resolve(`t${asked.length}`));
    const client = clientOf(world, { tokens });
    const warn = () => world.sockets.at(-1).say({ type: "error", code: "token_expiring", message: "soon" });
    await time.pass(100);
    warn();
    warn();
    await time.pass(100);
    assert.deepEqual(asked, ["start", "expiring"], "one at a time");
    world.sockets[0].hangUp(3001, "token_expired");
    await time.pass(1000);
    warn();
    await time.pass(100);
    assert.deepEqual(asked, ["start", "expiring", "expired", "expiring"]);
    client.close();
});

test("a provider that gives the same token to its end is asked every ten seconds, not without a pause", async () => {
    let asked = 0;
    const expiresAtMs = Date.now() + 60_000;
    const world = server();
    const client = clientOf(world, { tokens: async () => ({ token: `t${++asked}`, expiresAtMs }) });
    await time.pass(90_000);
    assert.ok(asked > 2 && asked < 10, `asked ${asked} times`);
    client.close();
});

test("the wall clock is set back by an hour: a server that falls silent is found out as soon as ever", async () => {
    for (const pinged of [false, true]) {
        let silent = false;
        const world = server();
        const { WebSocket, sockets } = fakeSockets((socket, message) => silent || world.answer(socket, message));
        const client = clientOf({ WebSocket });
        await time.pass(10_000);
        silent = true;
        if (pinged) await time.pass(61_000);
        time.step(-60 * 60 * 1000);
        await time.pass(70_000);
        assert.ok(client.heard.some(({ name, code }) => name === "state" && code === 4002), `pinged before: ${pinged}`);
        assert.ok(sockets.length > 1);
        client.close();
    }
});

test("an answer that was lost behind the edge is asked for again on the same connection", async () => {
    let asked = 0;
    const world = server((socket, message) => {
        if (message.type === "explain_match" && ++asked === 2) socket.say(waiting());
    });
    const client = clientOf(world);
    await time.pass(100);
    const answer = client.explainMatch("t1");
    await time.pass(9000);
    assert.equal(asked, 1);
    await time.pass(12_000);
    assert.equal(asked, 2);
    assert.equal((await answer).state, "waiting");
    assert.equal(world.sockets.length, 1);
    client.close();
});

test("more requests than the server takes at once are answered all the same", async () => {
    let allowed = 40;
    const world = server((socket, { moveId }) => {
        if (allowed-- > 0) socket.say({ type: "move_ok", gameId: "g", moveId, version: 1 });
        else socket.say({ type: "error", code: "rate_limited", message: "too many messages", retryAfterMs: 1000 });
    });
    const client = clientOf(world);
    const answers = Array.from({ length: 64 }, (_, card) => client.move("g", card));
    await time.pass(900);
    assert.equal(client.unanswered, 24);
    allowed = 40;
    await time.pass(4000);
    assert.equal((await Promise.all(answers)).length, 64);
    assert.equal(client.heard.some(({ name }) => name === "error"), false);
    client.close();
});

test("find_match refused as overloaded is told as a wait and sent again after the time named", async () => {
    let asked = 0;
    const world = server((socket, message) => {
        if (message.type !== "find_match") return;
        if (++asked < 3) socket.say({ type: "error", code: "overloaded", message: "busy", re: "find_match", retryAfterMs: 4000 });
        else socket.say(waiting());
    });
    const client = clientOf(world);
    await time.pass(100);
    const answer = client.findMatch();
    await time.pass(3900);
    assert.equal(asked, 1);
    await time.pass(4200);
    assert.equal((await answer).state, "waiting");
    const retries = client.heard.filter(({ name }) => name === "retry");
    assert.deepEqual(retries.map(({ code, re, retryAfterMs }) => [code, re, retryAfterMs]), [
        ["overloaded", "find_match", 4000], ["overloaded", "find_match", 4000],
    ]);
    assert.equal(client.heard.some(({ name }) => name === "error"), false);
    client.close();
});
