// SPDX-License-Identifier: Apache-2.0
// The client library when a region goes, and when it is back: real sockets, regions that only pretend.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { MeridianClient, RegionList } from "../../../../edge/web/meridian.js";
import { fakeRegions } from "./fake_regions.mjs";
import { inState, nextEvent, until, WebSocket } from "./scripted_server.mjs";

const FAST = { listFirst: 0, failover: 20, home: 40, homeward: 60, watch: 5, settled: 10000, confirm: 50, replay: 50 };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let world = [];
let clients = [];
afterEach(async () => {
    for (const client of clients) client.close();
    for (const region of world) await region.die();
    world = clients = [];
});

/* A player who starts at the first region, or at `urls`, and knows all of them. */
async function player({ urls = [world[0].url], learnt = true, store, times = {}, ...options } = {}) {
    const regions = new RegionList({ store, times: { pause: 0, probe: 600 } });
    const client = new MeridianClient({
        urls, regions, tokens: async () => "t", device: "d", WebSocket, steps: [0, 20, 40, 60, 80], random: () => 0.5,
        ...options, times: { ...FAST, ...times },
    });
    clients.push(client);
    client.heard = [];
    client.on("*", (name, value) => client.heard.push({ name, ...value }));
    client.connect();
    if (learnt) {
        await inState(client, "ready");
        await until(() => Object.keys(regions.latencyMs).length > 1);
    }
    return client;
}

const heard = (client, name) => client.heard.filter((event) => event.name === name);

test("its region dies: it is in the other one at once, says so, and what it had is told to be gone", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    const diedAt = performance.now();
    await world[0].die();
    const { from, to, why } = await nextEvent(client, "region");
    assert.ok(performance.now() - diedAt < 1000, `${performance.now() - diedAt} ms`);
    assert.deepEqual([from, to, why], ["us", "eu", "failover"]);
    await inState(client, "ready");
    assert.deepEqual(heard(client, "game_lost").map(({ game }) => game.id), ["us-g1"]);
    assert.deepEqual(heard(client, "resumed").map(({ outcome }) => outcome), ["gone"]);
    assert.equal(client.games.size, 0);
    assert.equal(client.home, "us");
    assert.deepEqual(world[1].players[0].said.map(({ type }) => type).slice(0, 1), ["auth"], "a session is not offered to another region");
    assert.ok(!world[1].players[0].said.some(({ type }) => type === "resume"));
    await client.findMatch();
    await until(() => client.games.has("eu-g1"));
});

test("a wish made while nobody answers is granted by the next region, and a place in a dead queue is told to be lost", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    world[0].players[0].say({ type: "ticket", ticketId: "t1", state: "waiting", offset: 1 });
    await until(() => client.ticket);
    await world[0].die();
    await inState(client, "waiting");
    const matched = client.findMatch();
    assert.equal((await matched).region, "eu");
    assert.deepEqual(heard(client, "ticket").map(({ state, reason }) => [state, reason]), [["waiting", undefined], ["expired", "no_such_ticket"]]);
});

test("of several regions it takes the nearest that answers", async () => {
    world = await fakeRegions("us", "far", "near", "dead");
    const kept = { text: JSON.stringify({ regions: world.map((one) => one.listed), expiresAtMs: Date.now() + 1e6 }), signature: null, at: Date.now(), trips: { us: 1, dead: 5, near: 20, far: 90 } };
    const client = await player({ store: { load: () => kept, save() {} }, learnt: false });
    await inState(client, "ready");
    await world[3].die();
    await world[0].die();
    assert.equal((await nextEvent(client, "region")).to, "near");
});

test("when the region is back it goes home, but not out of a game, and its next wish is granted there", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    await world[0].die();
    await nextEvent(client, "region");
    await client.findMatch();
    await until(() => client.games.get("eu-g1")?.status === "playing");
    await world[0].start();
    await sleep(400);
    assert.equal(client.connected.region, "eu", "a game goes on where it is");
    let next;
    client.on("game_over", () => (next = client.findMatch()));
    const back = nextEvent(client, "region");
    world[1].players[0].say({ type: "game_over", offset: 3, gameId: "eu-g1", version: 2, scores: [1, 1], winners: [0, 1], reason: "finished" });
    assert.deepEqual({ ...(await back) }, { from: "eu", to: "us", why: "home" });
    assert.equal((await next).region, "us");
    assert.equal(heard(client, "game_lost").length, 0);
    assert.equal(world[1].players[0].said.filter(({ type }) => type === "find_match").length, 1);
    await until(() => world[1].players[0].readyState === 3);
});

test("who does nothing goes home by himself, and a home that only blinks is not gone to", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { homeward: 200 } });
    await world[0].die();
    await nextEvent(client, "region");
    await inState(client, "ready");
    await world[0].start();
    await sleep(30);
    await world[0].die();
    await sleep(200);
    assert.equal(client.connected.region, "eu");
    await world[0].start();
    assert.equal((await nextEvent(client, "region")).to, "us");
    await inState(client, "ready");
    assert.equal(heard(client, "region").length, 2);
});

test("home dies again on the way there: it stays where it can play", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    await world[0].die();
    await nextEvent(client, "region");
    await world[0].start();
    world[0].refusing = true; /* it answers, and lets nobody in */
    await until(() => world[0].pings > 2);
    await sleep(300);
    await inState(client, "ready");
    assert.equal(client.connected.region, "eu");
});

test("an edge that dies in a region that lives is no reason to leave", async () => {
    world = await fakeRegions("us", "eu");
    const other = await new world[0].constructor("us", world).start();
    const client = await player({ urls: [world[0].url, other.url] });
    await world[0].die();
    const { outcome } = await nextEvent(client, "resumed");
    assert.equal(outcome, "gone");
    assert.equal(other.players[0].said.some(({ type }) => type === "resume"), true);
    assert.equal(heard(client, "region").length, 0);
    await other.die();
});

test("when nobody answers it is the player's own line: it stays, and resumes where it was", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    await Promise.all(world.map((region) => region.die()));
    await sleep(250);
    assert.equal(client.state === "waiting" || client.state === "connecting", true);
    await Promise.all(world.map((region) => region.start()));
    await inState(client, "ready");
    assert.equal(client.connected.region, "us");
    assert.equal(world[0].players[1].said.some(({ type }) => type === "resume"), true);
});

test("a region that falls silent is left before its pong is given up, once another answers", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { quiet: 100, suspect: 100, pong: 5000 } });
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    const at = performance.now();
    world[0].silent = true;
    assert.equal((await nextEvent(client, "region")).to, "eu");
    assert.ok(performance.now() - at < 2000, `${performance.now() - at} ms`);
});

test("who has just asked for something finds out without waiting for a silence, and with the library's own times", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { watch: 250, quiet: 60000, unanswered: 60000, pong: 60000 } });
    await until(() => world[0].players[0].said.filter(({ type }) => type === "ping").length >= 3); /* for the clock */
    world[0].silent = true;
    const at = performance.now();
    const matched = client.findMatch();
    assert.equal((await nextEvent(client, "region")).to, "eu");
    assert.ok(performance.now() - at < 3000, `${performance.now() - at} ms`);
    assert.equal((await matched).region, "eu");
});

test("a request that takes long is asked about once, and an edge that answers is not left", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { asked: 40 } });
    await until(() => world[0].players[0].said.filter(({ type }) => type === "ping").length >= 3);
    client.getPresence("somebody").catch(() => {}); /* which this region has no answer to */
    await sleep(400);
    assert.equal(world[0].players[0].said.filter(({ type }) => type === "ping").length, 4);
    assert.equal(client.connected.region, "us");
});

test("an edge that hangs in a region that lives: the region is not asked again and again", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { quiet: 50, suspect: 50, pong: 2000 } });
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    const pings = [world[0].pings, world[1].pings];
    world[0].mute = true;
    await sleep(1000);
    assert.deepEqual([world[0].pings - pings[0], world[1].pings - pings[1]], [1, 0]);
    assert.equal(client.state, "ready");
});

test("a line that was cut and is whole again: the region that is asked last answers first, and yet it is not left", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { quiet: 50, suspect: 50, pong: 5000 } });
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    world[0].silent = true;
    world[1].onPing = () => (world[0].silent = false); /* what was asked before is lost */
    await until(() => !world[0].silent);
    await sleep(1000);
    assert.equal(client.connected.region, "us");
    assert.equal(heard(client, "region").length, 0);
});

test("a region that swallows everything is given up while the dial still hangs", async () => {
    world = await fakeRegions("us", "eu");
    let kept = null;
    const store = { load: () => kept, save: (value) => (kept = value) };
    (await player({ store })).close();
    world[0].silent = true;
    const at = performance.now();
    const client = await player({ store, learnt: false, times: { dial: 100 } });
    await inState(client, "ready");
    assert.equal(client.connected.region, "eu");
    assert.ok(performance.now() - at < 2000, `${performance.now() - at} ms`);
});

test("nobody else was there when the pong was late: when it is given up, it is looked again", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { quiet: 100, suspect: 100, pong: 700, dial: 60000 } });
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    await world[1].die();
    world[0].silent = true;
    await sleep(500);
    await world[1].start();
    assert.equal((await nextEvent(client, "region")).to, "eu");
});

test("silence without a game is borne for two heartbeats", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ times: { quiet: 50, suspect: 50 } });
    await until(() => world[0].players[0].said.filter(({ type }) => type === "ping").length >= 3); /* for the clock */
    await sleep(100);
    const pings = world[0].players[0].said.length;
    await sleep(300);
    assert.equal(world[0].players[0].said.length, pings);
    assert.equal(client.state, "ready");
});

test("a region that answers and lets nobody in is left after a few attempts", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    world[0].refusing = true;
    world[0].players[0].terminate();
    assert.equal((await nextEvent(client, "region")).to, "eu");
    assert.ok(heard(client, "state").filter(({ state }) => state === "connecting").length > 4);
});

test("sent elsewhere by its server: it goes there at once, offers its session, and that is home now", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    world[0].players[0].close(3007, "moved;region=eu;edge=eu-1");
    assert.deepEqual({ ...(await nextEvent(client, "region")) }, { from: "us", to: "eu", why: "sent" });
    await inState(client, "ready");
    assert.equal(client.home, "eu");
    assert.equal(world[1].players[0].said.some(({ type }) => type === "resume"), true);
    assert.equal(heard(client, "state").filter(({ state }) => state === "waiting").length, 1);
});

test("sent to a region that swallows everything: the one that sent it is still there and takes it back", async () => {
    world = await fakeRegions("us", "eu", "asia");
    const client = await player({ times: { dial: 100 } });
    await client.findMatch();
    await until(() => client.games.get("us-g1")?.status === "playing");
    world[1].silent = true;
    await world[2].die();
    const back = nextEvent(client, "connected");
    world[0].players[0].close(3007, "moved;region=eu;edge=eu-1");
    assert.equal((await back).region, "us");
    await inState(client, "ready");
    assert.equal(client.home, "us");
    assert.deepEqual([heard(client, "region").length, client.games.has("us-g1")], [0, true], "its game is still here");
});

test("told to come back in another region for now: home stays home", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    world[0].players[0].close(1013, "overload;retry=10;region=eu");
    assert.equal((await nextEvent(client, "region")).to, "eu");
    assert.equal(client.home, "us");
    assert.equal((await nextEvent(client, "region")).why, "home");
});

test("the address it starts with is dead: what it remembers from last time leads it elsewhere", async () => {
    world = await fakeRegions("us", "eu");
    let kept = null;
    const store = { load: () => kept, save: (value) => (kept = value) };
    const first = await player({ store });
    first.close();
    await world[0].die();
    const client = await player({ store, learnt: false });
    await inState(client, "ready");
    assert.equal(client.connected.region, "eu");
    assert.deepEqual(client.origins, [world[1].url]);
});

test("a full region is not gone to", async () => {
    world = await fakeRegions("us", "eu", "asia");
    world[1].closed = true;
    const client = await player();
    await world[0].die();
    assert.equal((await nextEvent(client, "region")).to, "asia");
});

test("a wish for a match says how far the regions are", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player();
    await client.findMatch({ players: 3 });
    const { latencyMs, players } = world[0].players[0].said.find(({ type }) => type === "find_match");
    assert.deepEqual([Object.keys(latencyMs).sort(), players], [["eu", "us"], 3]);
    for (const ms of Object.values(latencyMs)) assert.ok(Number.isInteger(ms) && ms >= 1);
});

test("without a list of regions nothing of this happens", async () => {
    world = await fakeRegions("us", "eu");
    const client = await player({ regions: undefined, learnt: false });
    await inState(client, "ready");
    await client.findMatch();
    assert.equal(world[0].players[0].said.find(({ type }) => type === "find_match").latencyMs, undefined);
    await world[0].die();
    await sleep(200);
    assert.equal(world[1].pings + world[1].players.length, 0);
});
