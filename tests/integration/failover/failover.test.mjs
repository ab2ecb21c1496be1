// SPDX-License-Identifier: Apache-2.0
// R32 for those who play: their region is killed as a whole, or falls silent; they are in new games in the next one within seconds, without
// DNS, and go home without a herd when it is back. Times are the library's own, but for the way home, which takes minutes in life.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { after, before, describe, test } from "node:test";
import { RegionList } from "../../../edge/web/meridian.js";
import { Player, quantiles } from "./players.mjs";
import { endRegions, sleep, twoRegions, until } from "./two_regions.mjs";

const PLAYERS = Number(process.env.MERIDIAN_FAILOVER_PLAYERS ?? 200);
const HOMEWARD_MS = 10_000;
const LIMIT_MS = 10_000;

let us, eu;
let players = [];
before(async () => {
    [us, eu] = await twoRegions();
});
after(async () => {
    for (const { client } of players) client.close();
    await endRegions();
});

/* All of them, in a game of their own region, knowing of the other one. */
async function crowd(times) {
    for (const { client } of players) client.close();
    players = [];
    /* A list is kept for minutes, so it has to be whole when it is asked for the first time; each edge makes its own. */
    for (const { url } of us.endpoints.regions[0].edges)
        await until(`${url} tells of eu`, async () => (await listAt(url)).urlsOf("eu").length === 3);
    for (let i = 0; i < PLAYERS; i++) {
        players.push(new Player(us, { times }));
        if (i % 20 === 19) await sleep(50);
    }
    await until("all know the regions", () => players.every(({ regions }) => Object.keys(regions.latencyMs).length === 2), 60_000);
    for (const player of players) player.play();
    await until("all play", () => players.every(({ game }) => game?.region === "us-east"), 60_000);
}

async function inNewGames(sinceMs) {
    await until("all play in eu", () => players.every(({ games }) => games.some(({ region, atMs }) => region === "eu" && atMs > sinceMs)), 60_000);
    const took = players.map(({ games }) => games.find(({ region, atMs }) => region === "eu" && atMs > sinceMs).atMs - sinceMs);
    const moved = players.map(({ arrivals }) => arrivals.find(({ region, atMs }) => region === "eu" && atMs > sinceMs).atMs - sinceMs);
    assert.ok(players.every(({ lost }) => lost === 1), "each lost one game");
    return { moved: quantiles(moved), took: quantiles(took) };
}

async function listAt(url) {
    const list = new RegionList({ urls: [url], keys: us.keys() });
    await list.refresh();
    return list;
}
const listOf = (region) => listAt(region.url);

describe("the list", () => {
    for (const name of ["us-east", "eu"]) {
        test(`${name} tells of both regions, its own first, under a signature that holds`, async () => {
            const region = name === "eu" ? eu : us;
            const list = await listOf(region);
            assert.deepEqual(list.names, [name, name === "eu" ? "us-east" : "eu"]);
            for (const one of [us, eu]) assert.equal(list.urlsOf(one.name).at(-1), one.endpoints.regions[0].play.ws);
            assert.equal(list.urlsOf(name).length, 3, "its edges, and the address they share");
            const other = name === "eu" ? "us-east" : "eu";
            await until("the other leader told of its edges", async () => (await listOf(region)).urlsOf(other).length === 3);
            const otherKeys = region.keys().filter(({ kid }) => kid !== (name === "eu" ? "guest" : "local"));
            const stranger = new RegionList({ urls: [region.url], keys: otherKeys });
            await stranger.refresh();
            assert.deepEqual([otherKeys.length, stranger.names], [1, []], "without its key nothing is believed");
        });
    }
});

describe("a region that takes nobody", () => {
    test("is listed without edges, while it is so", { timeout: 60_000 }, async () => {
        const { edges } = eu.endpoints.regions[0];
        for (const { admin } of edges) await fetch(`${admin}/drain`, { method: "POST" });
        await until("nobody is sent to eu", async () => (await listOf(us)).names.join() === "us-east");
        assert.deepEqual((await (await fetch(`${us.url}/v1/regions`)).json()).regions.at(-1), { name: "eu", edges: [] });
        await until("they have left", () => edges.every(({ pid }) => !existsSync(`/proc/${pid}`)));
        await eu.up();
        await until("eu is back on the list", async () => (await listOf(us)).urlsOf("eu").length === 3);
    });
});

describe(`${PLAYERS} players in games`, () => {
    test("kill -9 of everything in their region: new games in the other one", { timeout: 180_000 }, async (t) => {
        await crowd({ homeward: HOMEWARD_MS, home: 2000 });
        const killedAt = performance.now();
        us.signal("SIGKILL");
        const { moved, took } = await inNewGames(killedAt);
        t.diagnostic(`connected elsewhere after ${JSON.stringify(moved)} ms, in a new game after ${JSON.stringify(took)} ms`);
        assert.ok(took.p99 < LIMIT_MS);
    });

    test("it is back: they go home one by one, and none out of a game", { timeout: 180_000 }, async (t) => {
        const staying = players.slice(0, PLAYERS / 4), leaving = players.slice(PLAYERS / 4);
        for (const { client, game } of leaving) await client.leaveGame(game.id);
        await us.down();
        await us.up();
        const backAt = performance.now();
        await until("home", () => leaving.every(({ client }) => client.connected.region === "us-east"), 60_000);
        assert.ok(staying.every(({ client, lost }) => client.connected.region === "eu" && lost === 1));
        const home = leaving.map(({ arrivals }) => arrivals.at(-1)).filter(({ why }) => why === "home").map(({ atMs }) => atMs - backAt);
        assert.equal(home.length, leaving.length);
        const seconds = new Map();
        for (const ms of home) seconds.set(Math.floor(ms / 1000), (seconds.get(Math.floor(ms / 1000)) ?? 0) + 1);
        const most = Math.max(...seconds.values()), even = (leaving.length * 1000) / HOMEWARD_MS;
        t.diagnostic(`home after ${JSON.stringify(quantiles(home))} ms, at most ${most} a second where ${even} are even`);
        assert.ok(most <= 3 * even, [...seconds].sort((a, b) => a[0] - b[0]).join(" "));
        for (const { client, game } of staying) await client.leaveGame(game.id);
        await until("the others too", () => staying.every(({ client }) => client.connected.region === "us-east"), 30_000);
        assert.ok(players.every(({ lost }) => lost === 1), "nobody lost a game on the way");
    });

    test("their region falls silent without a word: new games in the other one", { timeout: 180_000 }, async (t) => {
        await crowd({});
        const stoppedAt = performance.now();
        us.signal("SIGSTOP");
        const { moved, took } = await inNewGames(stoppedAt);
        us.signal("SIGCONT");
        t.diagnostic(`connected elsewhere after ${JSON.stringify(moved)} ms, in a new game after ${JSON.stringify(took)} ms`);
        assert.ok(took.p99 < LIMIT_MS);
    });
});
