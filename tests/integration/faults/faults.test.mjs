// SPDX-License-Identifier: Apache-2.0
// What breaks while ten games run, on a footprint of the test's own: a router, a replica, a slot's place, a primary's role, an edge. Players
// may be told to wait; nothing they were told is lost, both sides of every game see the same, and every game ends.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player, sleep } from "../outside/footprint.mjs";
import { Crowd } from "./crowd.mjs";
import { Footprint, lives, until } from "./own.mjs";

const GAMES = 10;
const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300);
let edges;

before(() => {
    print.up();
    edges = print.region.edges.map((edge) => edge.ws);
}, { timeout: 240_000 });
after(() => {
    Client.dropAll();
    print.down();
});

async function crowd(board = { rows: 4, cols: 5 }) {
    const all = new Crowd({ edges, games: GAMES, board, dir: print.state });
    await all.moves(GAMES * 3);
    await until(`all are in ${GAMES} games`, () => all.games.length === GAMES); // these moves may all be of those who were matched first
    return all;
}

// A slot with a game in it, of the primary that has most of them.
function busiest(games) {
    const slots = [...print.slotsOf(games).values()];
    const homes = slots.map((slot) => print.primaryOf(slot).id);
    const most = (id) => homes.filter((home) => home === id).length;
    return slots.reduce((best, slot, i) => (best === undefined || most(homes[i]) > most(homes[slots.indexOf(best)]) ? slot : best), undefined);
}

async function kill(pid) {
    process.kill(pid, "SIGKILL");
    await until("its end", () => !lives(pid));
}

describe("while ten games run", { timeout: 800_000 }, () => {
    test("nothing breaks: nobody is told anything", async (t) => {
        let told;
        for (let tries = 0; tries === 0 || (told.slowStore > 0 && tries < 3); tries++) { // a machine that is busy may stop a store once
            told = await (await crowd()).judge();
            t.diagnostic(JSON.stringify(told));
        }
        assert.deepEqual({ ...told, moves: 0, slowestMs: 0 },
            { games: GAMES, moves: 0, slowestMs: 0, reconnects: 0, tryAgain: 0, refused: [], pauses: 0, slowStore: 0 });
    });

    test("the leading router is killed: the next match is made within 3 s, games do not notice", async (t) => {
        const all = await crowd();
        const leader = await print.leader();
        const standby = print.region.routers.find((router) => router.id !== leader.id);
        const leads = async (router) => (await metrics(router.admin)).meridian_router_leader;
        assert.deepEqual([await leads(leader), await leads(standby)], [1, 0]);
        await kill(leader.pid);
        const began = Date.now();
        const pair = await Promise.all(edges.map((edge) => Client.connect(edge, player(undefined, { dir: print.state }))));
        const views = await Promise.all(pair.map((client) => client.match({ rows: 2, cols: 4 })));
        const took = Date.now() - began;
        assert.equal(views[0].gameId, views[1].gameId);
        assert.ok(took < 7000, `${took} ms until the match`); // a fraction of a second, and 3 s are promised; the lease alone would take 10
        assert.equal(await leads(standby), 1);
        pair[0].send("leave_game", { gameId: views[0].gameId });
        await Promise.all(pair.map((client) => client.next("game_over")));
        await Promise.all(pair.map((client) => client.close()));
        const told = await all.judge();
        t.diagnostic(`match after ${took} ms; ${JSON.stringify(told)}`);
        assert.deepEqual([told.pauses - told.slowStore, told.reconnects, told.refused], [0, 0, []]);
        if (told.slowStore === 0) assert.equal(told.tryAgain, 0);
        print.up();
    });

    test("a replica hangs for three seconds", async (t) => {
        const all = await crowd();
        const slot = busiest(all.games);
        const [replica] = print.replicasOf(print.primaryOf(slot));
        const pid = print.redisPid(replica.port);
        process.kill(pid, "SIGSTOP");
        await sleep(3000);
        process.kill(pid, "SIGCONT");
        t.diagnostic(JSON.stringify(calm(await all.judge())));
        await print.whole();
    });

    test("a replica is killed, and started again", async (t) => {
        const all = await crowd();
        const slot = busiest(all.games);
        const [, replica] = print.replicasOf(print.primaryOf(slot));
        const primary = print.primaryOf(slot);
        await kill(print.redisPid(replica.port));
        await until("the primary notices", () => /connected_slaves:1/.test(print.redis(primary.port, "info", "replication")));
        await all.moves(4); // the other shards' games go on
        await sleep(1500);
        print.startRedis(replica.port);
        t.diagnostic(JSON.stringify(calm(await all.judge())));
        await print.whole();
    });

    test("slots that hold games move to another primary", async (t) => {
        const all = await crowd();
        let keys = 0;
        const slots = [...new Set(print.slotsOf(all.games).values())].slice(0, 4);
        for (const slot of slots) {
            const here = print.primaryOf(slot);
            const there = print.nodes().find((node) => node.role === "primary" && node.id !== here.id);
            keys += print.moveSlot(slot, there);
            await all.moves(4);
        }
        const told = calm(await all.judge());
        t.diagnostic(`${slots.length} slots, ${keys} keys; ${JSON.stringify(told)}`);
        assert.ok(keys >= slots.length);
        assert.equal(told.reconnects, 0);
        await print.whole();
    });

    test("a replica takes over from its primary when told to", async (t) => {
        const all = await crowd();
        const slot = busiest(all.games);
        const before_ = print.primaryOf(slot);
        const [replica] = print.replicasOf(before_);
        assert.equal(print.redis(replica.port, "cluster", "failover"), "OK");
        await until("the new primary", () => print.primaryOf(slot)?.id === replica.id);
        t.diagnostic(JSON.stringify(calm(await all.judge())));
        await print.whole();
    });

    test("an edge is killed: its players go to the other one, its games go on there", async (t) => {
        const all = await crowd({ rows: 4, cols: 4 });
        await kill(print.region.edges[1].pid);
        const told = await all.judge();
        t.diagnostic(JSON.stringify(told));
        assert.ok(told.reconnects >= GAMES / 2);
        assert.deepEqual(told.refused, []);
        print.up();
        const client = await Client.connect(print.region.edges[1].ws, player(undefined, { dir: print.state }));
        await client.settle();
        await client.close();
    });
});

// No connection needs to break for a fault of Redis, and nobody is refused a move that was his.
function calm(told) {
    assert.equal(told.reconnects, 0);
    assert.deepEqual(told.refused, []);
    return told;
}
