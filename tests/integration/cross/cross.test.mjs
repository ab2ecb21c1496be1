// SPDX-License-Identifier: Apache-2.0
// Matches across regions: two people, each in a region of his own, are found for each other, play to the result, and go on when the line
// between the regions is cut, when a player's edge dies, and when another router leads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player, sleep } from "../outside/footprint.mjs";
import { assertMovesStored, play } from "../outside/play.mjs";
import { sameOrder } from "../outside/view.mjs";
import { lives, until } from "../faults/own.mjs";
import { traces } from "../traces/far.mjs";
import { Receiver } from "../traces/receiver.mjs";
import { friends } from "./friends.mjs";
import { Pair } from "./pair.mjs";
import { results } from "./results.mjs";

const pair = new Pair(Number(process.env.MERIDIAN_SPARE_PORT ?? 15000), { routers: 2, edges: 2 });
const PATIENCE_MS = 6000;

const receiver = new Receiver(); // of traces: whatever is broken here, servers that trace go through it

before(async () => {
    await receiver.listen();
    await pair.up();
}, { timeout: 240_000 });
after(async () => {
    Client.dropAll();
    pair.down();
    await receiver.close();
});

const connect = (at, who = player(undefined, { dir: pair.prints[at].state }), { edge = 0, ...more } = {}) =>
    Client.connect(pair.regions[at].edges[edge].ws, { ...who, ...more });

// Two people who were matched across the regions: [{who, client, view}] by region. Each test has a board of its own, so that nobody meets
// whom another test left behind.
async function meet(board, { startMs = 0, ...options } = {}, whose = [0, 1].map((at) => player(undefined, { dir: pair.prints[at].state }))) {
    const people = await Promise.all([0, 1].map(async (at) => {
        const who = whose[at];
        return { at, who, client: await connect(at, who) };
    }));
    const views = await Promise.all(people.map(async ({ at, client }) => {
        if (at === 1) await sleep(startMs); // how much later than the first
        return client.match({ ...board, ...options });
    }));
    people.forEach((one, at) => { one.view = views[at]; });
    assert.equal(views[0].gameId, views[1].gameId);
    return people;
}
// Whose region has the game.
const hostOf = (people) => (people[0].view.gameId.startsWith("eu.") ? 0 : 1);
async function kill(pid) {
    process.kill(pid, "SIGKILL");
    await until("its end", () => !lives(pid));
}
async function toTheEnd(people) {
    const known = new Map();
    const acked = await Promise.all(people.map(({ client, view }) => play(client, view, { known })));
    people.forEach(({ view }, at) => assertMovesStored(view, acked[at]));
    sameOrder(people[0].view, people[1].view, assert);
    assert.deepEqual(people[0].view.over, people[1].view.over);
    for (const { client } of people) await client.close();
}
// A few moves of whoever's turn it is.
async function moves(people, count) {
    const end = people[0].view.version + count;
    const known = new Map();
    await Promise.all(people.map(({ client, view }) => play(client, view, { known, stop: (one) => one.version >= end })));
}

describe("two regions", { timeout: 400_000 }, () => {
    test("two people meet after their patience, play to the result, and may play again", async () => {
        const started = Date.now();
        const people = await meet({ rows: 4, cols: 4 });
        assert.ok(Date.now() - started >= PATIENCE_MS - 100, "own region first");
        assert.ok(Date.now() - started < PATIENCE_MS + 5500, `matched after ${Date.now() - started} ms`);
        assert.match(people[0].view.gameId, /^(eu|us-east)\.g-/);
        await toTheEnd(people);
        const again = await Promise.all(people.map(({ at, who }) => connect(at, who)));
        for (const client of again) {
            client.send("find_match", { game: "memory", bots: "now" });
            await client.next("matched");
            await client.close();
        }
    });

    test("a player is told where else he is looked for", async () => {
        const client = await connect(0);
        client.send("find_match", { game: "memory", rows: 3, cols: 4 });
        const { ticketId } = await client.next("ticket");
        await client.next("ticket", (ticket) => /also looking in us-east/.test(ticket.reason));
        client.send("explain_match", { ticketId });
        await client.settle();
        const told = client.unread.findLast((message) => message.type === "ticket");
        assert.match(told.reason, /also looking in us-east/);
        client.send("cancel_match", { ticketId });
        await client.next("ticket", (ticket) => ticket.state === "cancelled");
        await until("nothing of him is left", async () => (await pair.leader(1)).tickets.waiting === 0);
        await client.close();
    });

    test("the player's own measurements choose the host", async () => {
        // Who is in eu has waited long enough for us-east when the other one's patience ends; else eu is the best that both accept.
        const people = await meet({ rows: 2, cols: 4 }, { startMs: 500, latencyMs: { eu: 90, "us-east": 20 } });
        assert.match(people[0].view.gameId, /^us-east\.g-/);
        await toTheEnd(people);
    });

    test("a game is found again by who comes back, and answered to who only asks", async () => {
        const people = await meet({ rows: 4, cols: 5 });
        await moves(people, 4);
        for (const one of people) {
            await one.client.drop();
            one.client = await connect(one.at, one.who, { views: one.client.views });
            await one.client.next("matched");
            one.client.send("get_game", { gameId: one.view.gameId });
            const state = await one.client.next("game_state");
            assert.equal(state.gameId, one.view.gameId);
        }
        await toTheEnd(people);
    });

    test("a game of a region that is none is no game", async () => {
        const client = await connect(0);
        for (const gameId of ["nowhere.g-aaaaaaaaaaaaaaaa", "us-east.g-aaaaaaaaaaaaaaaa", ".", "us-east."]) {
            client.send("get_game", { gameId });
            await client.error("no_such_game");
        }
        await client.close();
    });

    test("a cut line pauses the far player's game, and heals by version", async () => {
        const people = await meet({ rows: 4, cols: 6 });
        await moves(people, 4);
        const host = hostOf(people);
        const [near, far] = [people[host], people[1 - host]];
        pair.isCut = true;
        const told = await far.client.next("game_paused", (message) => message.reason === "link");
        assert.equal(told.gameId, far.view.gameId);
        await sleep(2000);
        pair.isCut = false;
        await pair.seen();
        await until("the game goes on", () => far.view.version === near.view.version && !far.view.paused);
        await toTheEnd(people);
    });

    test("the far player's edge dies: he comes back to another one, in the same game", async () => {
        const people = await meet({ rows: 5, cols: 4 });
        await moves(people, 4);
        const far = people[1 - hostOf(people)];
        await kill(pair.regions[far.at].edges[0].pid);
        far.client = await connect(far.at, far.who, { edge: 1, views: far.client.views });
        await far.client.next("matched", undefined, 30_000);
        await toTheEnd(people);
        pair.start(far.at);
    });

    test("the owner's edge dies: his region takes the game over, and both go on", async () => {
        const people = await meet({ rows: 6, cols: 4 });
        await moves(people, 4);
        const near = people[hostOf(people)];
        await kill(pair.regions[near.at].edges[0].pid);
        near.client = await connect(near.at, near.who, { edge: 1, views: near.client.views });
        await near.client.next("matched", undefined, 30_000);
        await toTheEnd(people);
        pair.start(near.at);
    });

    test("another router leads, here and there: the game goes on, and new people meet", async () => {
        const people = await meet({ rows: 3, cols: 6 });
        for (const at of [0, 1]) {
            await moves(people, 2);
            const { id } = await pair.leader(at);
            await kill(pair.regions[at].routers.find((router) => router.id === id).pid);
            await until("another one leads", async () => (await pair.leader(at))?.id !== id, 30_000);
            await pair.seen();
            const [a, b] = people.map(({ view }) => view);
            await until("both see the same", () => a.version === b.version && !a.paused && !b.paused);
        }
        await toTheEnd(people);
        await toTheEnd(await meet({ rows: 2, cols: 5 }));
        for (const at of [0, 1]) pair.start(at);
    });

    test("a player's other device, at another edge of his region, sees the game from its beginning", async () => {
        const who = [0, 1].map((at) => player(undefined, { dir: pair.prints[at].state }));
        const second = await Promise.all([0, 1].map((at) => connect(at, who[at], { edge: 1, device: "second" })));
        const people = await meet({ rows: 4, cols: 3 }, {}, who);
        for (const client of second) await client.next("matched");
        await toTheEnd(people);
        for (const [at, client] of second.entries()) {
            await client.next("game_over");
            assert.deepEqual(client.view(people[at].view.gameId).over, people[at].view.over);
            await client.close();
        }
    });

    test("the way through both routers costs little", async () => {
        const people = await meet({ rows: 2, cols: 6 });
        const host = hostOf(people);
        const took = [];
        for (const { client, view } of [people[host], people[1 - host]]) {
            const times = [];
            for (let i = 0; i < 60; i++) {
                client.unread = client.unread.filter((message) => message.type !== "game_state");
                const began = performance.now();
                client.send("get_game", { gameId: view.gameId });
                await client.next("game_state");
                times.push(performance.now() - began);
                await sleep(60); // within the session's rate
            }
            took.push(times.sort((a, b) => a - b));
        }
        const [near, far] = took.map((times) => ({ p10: times[6], p50: times[30], most: times[59] }));
        console.log(`get_game, there and back: at home p50 ${near.p50.toFixed(2)}, most ${near.most.toFixed(2)} ms; from the other region p50 ` +
            `${far.p50.toFixed(2)}, most ${far.most.toFixed(2)} ms`);
        assert.ok(far.p10 - near.p10 < 20, `${far.p10 - near.p10} ms`); // the fastest tenth: the way, not the queue for a processor
        await toTheEnd(people);
    });

    test("while the line comes and goes everybody gets into one game, and plays it to its end", async () => {
        const boards = [3, 5, 6, 7, 8, 9].map((rows) => ({ rows, cols: 2 }));
        const games = Promise.all(boards.map((board) => meet(board)));
        let over = false;
        games.then(() => { over = true; }, () => { over = true; });
        for (let round = 0; !over; round++) {
            await sleep(1500 + 700 * (round % 4));
            if (round % 2) {
                pair.breakAll();
            } else if (round < 6) {
                pair.isCut = true;
                await sleep(round % 4 ? 400 : 4500);
                pair.isCut = false;
            }
        }
        await pair.seen();
        await Promise.all((await games).map(toTheEnd));
        for (const people of await games) {
            for (const { client } of people) assert.equal(client.unread.filter((message) => message.type === "matched").length, 0, "in a second game");
        }
    });

    friends(pair, { connect, toTheEnd });
    results(pair, { connect });
    traces(pair, receiver, { connect });

    test("what the routers forward is counted", async () => {
        const total = {};
        for (const { admin } of pair.regions.flatMap((region) => region.routers))
            for (const [name, value] of Object.entries(await metrics(admin))) total[name] = (total[name] ?? 0) + value;
        assert.ok(total.meridian_router_far_sent_total > 10 && total.meridian_router_far_delivered_total > 10);
        assert.equal(total.meridian_router_cross_bad_total, 0);
    });
});
