// SPDX-License-Identifier: Apache-2.0
// R31: people of us-east and asia play each other over the distance between them, and the line is cut under them. What a message takes beyond the
// distance is measured; a ticket is matched once, whatever the line does; games inside the regions notice nothing.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { player } from "../outside/footprint.mjs";
import { assertMovesStored, play } from "../outside/play.mjs";
import { sameOrder } from "../outside/view.mjs";
import { World, cannot, sleep, until } from "./world.mjs";

const why = cannot();
const ROUND_TRIP_MS = 155;
const boards = [[2, 6], [2, 8], [3, 4], [3, 6], [4, 3], [4, 4], [6, 2], [6, 3]].map(([rows, cols]) => ({ rows, cols }));

// Notes when its moves leave, and when each event and answer comes.
class Timed extends Client {
    sent = new Map();
    came = new Map();
    games = []; // it was matched into
    flip(gameId, card) {
        const now = performance.now();
        const moveId = super.flip(gameId, card);
        this.sent.set(moveId, now);
        return moveId;
    }
    take(message) {
        if (message.type === "move_ok") this.came.set(message.moveId, performance.now());
        if (message.type === "matched" && !this.games.includes(message.gameId)) this.games.push(message.gameId);
        if (message.type === "card_flipped") this.came.set(`${message.gameId} ${message.version}`, performance.now());
        super.take(message);
    }
}

const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
const figures = (values) => `p50 ${quantile(values, 0.5).toFixed(2)}, p99 ${quantile(values, 0.99).toFixed(2)}, max ${Math.max(...values).toFixed(2)} ms of ${values.length}`;

describe("us-east and asia", { skip: why && `not here: ${why}`, timeout: 300_000 }, () => {
    const world = new World(Number(process.env.MERIDIAN_SPARE_PORT ?? 25300) + 600);
    async function connect(region) {
        const client = new Timed(world.region(region).edges[0].ws, player(undefined, { dir: world.state }));
        await client.begin();
        return client;
    }
    const status = async (region) => (await fetch(`${world.region(region).routers[0].admin}/status`)).json();

    before(async () => {
        world.up("us-east,asia", "--replicas", "0", "--edges", "1", "--routers", "1");
        await until("links", async () => (await status("asia")).regions[0].up);
    });
    afterEach(() => {
        world.tell("heal");
        world.tell("set", "both", "us-east", "asia", "loss_percent", "0", "duplicate_percent", "0", "reorder_percent", "0", "jitter_ms", "0");
    });
    after(() => {
        Client.dropAll();
        world.clean();
    });

    // A pair of each board, one in each region: {here, there} by where the game is.
    async function meet(board) {
        const clients = { "us-east": await connect("us-east"), asia: await connect("asia") };
        const [mine, other] = await Promise.all(Object.values(clients).map((client) => client.match(board)));
        assert.equal(mine.gameId, other.gameId);
        const host = mine.gameId.split(".")[0];
        const [near, far] = [clients[host], clients[host === "asia" ? "us-east" : "asia"]];
        return { near, far, gameId: mine.gameId };
    }

    test("people play each other to the result, and wait for little but the distance", async (t) => {
        const over = { near: [], seenFar: [], far: [], seenNear: [] };
        await Promise.all(boards.map(async (board) => {
            const { near, far, gameId } = await meet(board);
            const known = new Map();
            const acked = await Promise.all([near, far].map((client) => play(client, client.view(gameId), { known })));
            for (const [i, [mover, watcher]] of [[near, far], [far, near]].entries()) {
                assertMovesStored(mover.view(gameId), acked[i]);
                for (const { moveId, version } of acked[i]) {
                    const [sent, answered] = [mover.sent.get(moveId), mover.came.get(moveId)];
                    const seen = watcher.came.get(`${gameId} ${version}`);
                    over[i ? "far" : "near"].push(answered - sent - (i ? ROUND_TRIP_MS : 0));
                    over[i ? "seenNear" : "seenFar"].push(seen - sent - ROUND_TRIP_MS / 2);
                }
            }
            sameOrder(near.view(gameId), far.view(gameId), assert);
            assert.deepEqual(near.view(gameId).over, far.view(gameId).over);
            await near.close();
            await far.close();
        }));
        t.diagnostic(`near player's move_ok: ${figures(over.near)}`);
        t.diagnostic(`... seen by the far one, above the way: ${figures(over.seenFar)}`);
        t.diagnostic(`far player's move_ok, above there and back: ${figures(over.far)}`);
        t.diagnostic(`... seen by the near one, above the way: ${figures(over.seenNear)}`);
        const added = quantile(over.far, 0.5) - quantile(over.near, 0.5);
        t.diagnostic(`what the way through two routers adds to a move there and back, medians: ${added.toFixed(2)} ms`);
        for (const values of [over.seenFar, over.far, over.seenNear]) {
            assert.ok(Math.min(...values) >= 0, "nothing is faster than the distance");
            assert.ok(quantile(values, 0.5) < 20, "little is added");
        }
    });

    // Three of each region with one board: a pair each plays at once, the third waits for the other region's.
    test("a ticket is matched once, whatever the line does", async () => {
        const board = { rows: 2, cols: 2 };
        const people = await Promise.all(["us-east", "us-east", "us-east", "asia", "asia", "asia"].map(connect));
        world.tell("cut", "us-east", "asia");
        for (const client of people) client.send("find_match", { game: "memory", ...board });
        await until("a game in each region", () => people.filter(({ games }) => games.length > 0).length === 4);
        const players = people.filter(({ games }) => games.length > 0);
        const gamesOf = (three) => new Set(three.flatMap(({ games }) => games)).size;
        assert.deepEqual([gamesOf(people.slice(0, 3)), gamesOf(people.slice(3)), gamesOf(people)], [1, 1, 2]);
        await sleep(10_000); // the patience of those who wait; what one hears, the other does not
        world.tell("cut", "both", "us-east", "asia");
        await Promise.all(players.map((client) => play(client, client.view(client.games[0]))));
        for (const client of players) client.assertFine();
        await sleep(4000);
        assert.equal(people.filter(({ games }) => games.length > 0).length, 4, "nobody is matched over a line that is cut");
        world.tell("heal");
        await until("those who waited meet", () => people.every(({ games }) => games.length > 0), 40_000);
        const waited = people.filter((client) => !players.includes(client));
        assert.equal(waited[0].games[0], waited[1].games[0]);
        await sleep(2000);
        assert.deepEqual(people.map(({ games }) => games.length), Array(6).fill(1));
        for (const client of people) await client.close();
    });
    // To the result, and both have seen the same.
    async function finish({ near, far, gameId }, known = new Map()) {
        const acked = await Promise.all([near, far].map((client) => play(client, client.view(gameId), { known })));
        for (const [i, client] of [near, far].entries()) assertMovesStored(client.view(gameId), acked[i]);
        sameOrder(near.view(gameId), far.view(gameId), assert);
        assert.deepEqual(near.view(gameId).over, far.view(gameId).over);
        await near.close();
        await far.close();
    }

    test("a game whose line is cut pauses for the far player and heals; loss, doubling and disorder change no result", async (t) => {
        const [pair, patient] = await Promise.all([meet({ rows: 4, cols: 6 }), meet({ rows: 3, cols: 8 })]);
        const { near, far, gameId } = pair;
        const known = new Map();
        const until6 = { known, stop: ({ version }) => version >= 6 };
        await Promise.all([near, far].map((client) => play(client, client.view(gameId), until6)));
        world.tell("cut", "both", "us-east", "asia");
        const cut = performance.now();
        await far.next("game_paused", (message) => message.reason === "link");
        t.diagnostic(`told after ${((performance.now() - cut) / 1000).toFixed(1)} s`);
        world.tell("heal");
        const healed = performance.now();
        await until("both see the same", () => far.view(gameId).version === near.view(gameId).version && !far.view(gameId).paused, 20_000);
        t.diagnostic(`goes on ${((performance.now() - healed) / 1000).toFixed(1)} s after the line`);
        await finish(pair, known);
        world.tell("set", "both", "us-east", "asia", "loss_percent", "1", "duplicate_percent", "1", "reorder_percent", "2", "jitter_ms", "10");
        await finish(patient);
    });
});
