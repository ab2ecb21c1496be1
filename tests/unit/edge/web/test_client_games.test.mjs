// SPDX-License-Identifier: Apache-2.0
// Games that the server gives up, and states that are asked for in vain: with fake time.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { MeridianClient } from "../../../../edge/web/meridian.js";
import { fakeSockets, fakeTime } from "./fake_time.mjs";
import { connected } from "./scripted_server.mjs";

let time;
beforeEach(() => {
    time = fakeTime();
});
afterEach(() => time.restore());

const state = (version, fields = {}) => ({
    type: "game_state", gameId: "g", game: "memory", version, status: "playing", rows: 2, cols: 2,
    cards: Array.from({ length: 4 }, () => ({ state: "down" })), scores: [0, 0], seats: [], turn: 0, deadlineAtMs: 0, ...fields,
});
const turn = (version, offset) => ({ type: "turn_changed", gameId: "g", version, seat: 1, deadlineAtMs: 9, offset });
const refused = (code, re) => ({ type: "error", code, message: "no", re });

/* A client in the game g at version 1; what it asks for goes to `more`. */
async function inGame(more = () => {}) {
    const world = fakeSockets((socket, message) => {
        if (message.type === "auth") socket.say(connected());
        else if (message.type === "ping") socket.say({ type: "pong", atMs: Date.now() });
        else if (message.type === "resume") socket.say(connected({ offset: message.offset, resume: "replayed" }));
        else more(socket, message);
    });
    const client = new MeridianClient({ urls: ["http://edge"], tokens: async () => "t", device: "d", WebSocket: world.WebSocket, random: () => 0.5 });
    client.heard = [];
    client.on("*", (name, value) => client.heard.push({ name, ...value }));
    client.connect();
    await time.pass(100);
    world.sockets[0].say({ ...state(1), offset: 1 });
    return { client, world, say: (...messages) => world.sockets.at(-1).say(...messages) };
}

const lost = (client) => client.heard.filter(({ name }) => name === "game_lost").map(({ game }) => game.id);

test("the server gives a game up, unasked: it is told to be lost, and the client may rest", async () => {
    const { client, say } = await inGame();
    say(refused("no_such_game", "g"));
    assert.deepEqual(lost(client), ["g"]);
    assert.equal(client.games.size, 0);
    assert.equal(client.heard.some(({ name }) => name === "error"), false, "told once");
    await time.pass(6 * 60 * 1000);
    assert.equal(client.state, "idle");
    client.close();
});

test("a move in a game that is no more loses the game, too, and no other", async () => {
    const { client, say } = await inGame((socket, { moveId }) => socket.say(refused("no_such_game", moveId)));
    say({ ...state(1), gameId: "h", offset: 2 });
    await assert.rejects(Promise.race([client.move("g", 0), time.pass(1000)]), { code: "no_such_game" });
    assert.deepEqual(lost(client), ["g"]);
    assert.deepEqual([...client.games.keys()], ["h"]);
    client.close();
});

test("a game that is over and asked for once more stays as it was shown", async () => {
    const { client, say } = await inGame((socket, { gameId }) => socket.say(refused("no_such_game", gameId)));
    say({ type: "game_over", gameId: "g", version: 2, scores: [1, 1], winners: [0, 1], reason: "finished", offset: 2 });
    await assert.rejects(Promise.race([client.getGame("g"), time.pass(1000)]), { code: "no_such_game" });
    assert.deepEqual(lost(client), []);
    assert.equal(client.games.get("g").status, "over");
    client.close();
});

test("a state that could not be had is asked for again with the next message, and the game goes on", async () => {
    let asked = 0;
    const { client, say } = await inGame((socket) => socket.say(++asked === 1 ? refused("internal", "g") : { ...state(9), offset: 4 }));
    say(turn(4, 2));
    await time.pass(100);
    say(turn(5, 3));
    await time.pass(100);
    assert.deepEqual([asked, client.games.get("g").version], [2, 9]);
    client.close();
});

test("closed while a state is asked for, and connected again: the game is not deaf", async () => {
    const { client, say } = await inGame((socket) => client.heard.some(({ state: now }) => now === "closed") && socket.say({ ...state(9), offset: 4 }));
    say(turn(4, 2));
    await time.pass(100);
    client.close();
    client.connect();
    await time.pass(1000);
    say(turn(5, 3));
    await time.pass(100);
    assert.equal(client.games.get("g").version, 9);
    client.close();
});

test("who has left a table of three is in no game any more: the client may rest, and the next match clears the table", async () => {
    const { client, say } = await inGame();
    const seats = [0, 1, 2].map((seat) => ({ seat, state: "seated" }));
    const matched = (gameId, offset) => ({ type: "matched", gameId, seat: 2, region: "us-east", players: [], offset });
    say({ type: "game_over", gameId: "g", version: 2, scores: [1, 1], winners: [0, 1], reason: "finished", offset: 2 });
    say(matched("h", 3), { ...state(1), gameId: "h", seats, offset: 4 });
    say({ type: "seat_left", gameId: "h", version: 2, seat: 1, offset: 5 });
    await time.pass(6 * 60 * 1000);
    assert.equal(client.state, "ready", "another one left");
    say({ type: "seat_left", gameId: "h", version: 3, seat: 2, offset: 6 });
    await time.pass(6 * 60 * 1000);
    assert.equal(client.state, "idle");
    client.connect();
    await time.pass(100);
    say(matched("i", 7));
    assert.deepEqual([...client.games.keys()], ["i"]);
    client.close();
});

test("a game that was set aside has no state to be had: it is told to be lost", async () => {
    const { client, say } = await inGame((socket, { gameId }) => socket.say(refused("game_over", gameId)));
    say(turn(4, 2));
    await time.pass(100);
    assert.deepEqual(lost(client), ["g"]);
    client.close();
});
