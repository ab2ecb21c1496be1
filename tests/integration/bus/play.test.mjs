// SPDX-License-Identifier: Apache-2.0
// A region whose edges talk through Redis only: people on two edges play whole games, and go on when a channel's primary or an edge is
// killed under them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player } from "../outside/footprint.mjs";
import { assertMovesStored, play } from "../outside/play.mjs";
import { sameOrder } from "../outside/view.mjs";
import { Crowd } from "../faults/crowd.mjs";
import { Footprint, lives, until } from "../faults/own.mjs";

const GAMES = 6;
const LIVES = "meridian_edge_bus_channel_lives_total";
const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300);
const carrier = ["--edge-set", "bus_carrier=redis"];
let edges;

before(() => {
    print.up(...carrier);
    edges = print.region.edges.map((edge) => edge.ws);
}, { timeout: 240_000 });
after(() => {
    Client.dropAll();
    print.down();
});

async function kill(pid) {
    process.kill(pid, "SIGKILL");
    await until("its end", () => !lives(pid));
}
async function crowd(board) {
    const all = new Crowd({ edges, games: GAMES, board, dir: print.state });
    await all.moves(GAMES * 3);
    return all;
}
const busOf = async (at) => Object.fromEntries(Object.entries(await metrics(print.region.edges[at].admin)).filter(([name]) => name.includes("_bus_")));

// Who is asked about the cluster may be the node that just died: undefined then.
function perhaps(ask) {
    try {
        return ask();
    } catch {
        return undefined;
    }
}

// The channel of the first edge, by its subscriber.
function channel() {
    for (const node of print.nodes().filter((one) => one.role === "primary" && !one.failed)) {
        const name = print.redis(node.port, "pubsub", "shardchannels").split("\n").find((each) => each.startsWith(`bus:${print.region.edges[0].id}.`));
        if (name) return { name, node, slot: Number(print.redis(node.port, "cluster", "keyslot", name)) };
    }
    return undefined;
}

describe("players of edges that talk through Redis", { timeout: 400_000 }, () => {
    test("two people on two edges play to the end, and no snapshot is needed in the middle", async () => {
        const clients = await Promise.all(edges.map((edge) => Client.connect(edge, player(undefined, { dir: print.state }))));
        const views = await Promise.all(clients.map((client) => client.match({ rows: 4, cols: 4 })));
        assert.equal(views[0].gameId, views[1].gameId);
        const known = new Map();
        const acked = await Promise.all(clients.map((client, i) => play(client, views[i], { known })));
        for (const [i, view] of views.entries()) {
            assert.equal(view.result.reason, "finished");
            assert.deepEqual([view.gaps, view.states], [0, 1]);
            assertMovesStored(view, acked[i]);
        }
        sameOrder(views[0], views[1], assert);
        await Promise.all(clients.map((client) => client.close()));
        const buses = await Promise.all([busOf(0), busOf(1)]);
        assert.deepEqual(buses.map((bus) => bus[LIVES]), [1, 1]);
        assert.deepEqual(buses.map((bus) => bus.meridian_edge_bus_peers_down_total), [0, 0]);
    });

    test("the primary of an edge's channel is killed: no connection breaks, every game ends as both saw it", async (t) => {
        const all = await crowd({ rows: 4, cols: 5 });
        let heard;
        await until("the channel is heard", () => (heard = perhaps(channel)) !== undefined);
        const { name, node, slot } = heard;
        await kill(print.redisPid(node.port));
        await until("the new primary", () => ![undefined, node.id].includes(perhaps(() => print.primaryOf(slot)?.id)), 30_000);
        const told = await all.judge();
        t.diagnostic(JSON.stringify(told));
        assert.equal(told.reconnects, 0);
        assert.deepEqual(told.refused, []);
        await until("the channel is heard elsewhere", () => {
            const now = perhaps(channel);
            return now?.name === name && now.node.id !== node.id;
        });
        print.startRedis(node.port);
        await until("it answers", () => print.redis(node.port, "ping") === "PONG");
        await print.whole();
    });

    test("an edge is killed: its players go to the other one, its games go on there", async (t) => {
        const all = await crowd({ rows: 4, cols: 4 });
        await kill(print.region.edges[1].pid);
        const told = await all.judge();
        t.diagnostic(JSON.stringify(told));
        assert.deepEqual(told.refused, []);
        print.up(...carrier);
        const pair = await Promise.all(edges.map((edge) => Client.connect(edge, player(undefined, { dir: print.state }))));
        const views = await Promise.all(pair.map((client) => client.match({ rows: 2, cols: 3 }))); // with the new incarnation
        await Promise.all(pair.map((client, i) => play(client, views[i])));
        await Promise.all(pair.map((client) => client.close()));
    });
});
