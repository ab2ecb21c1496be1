// SPDX-License-Identifier: Apache-2.0
// F15, F16, F19: a replica that is lost is taken out of the electable set and moves go on with the rest; it comes back when it is in step. What
// was acknowledged stays, and nothing is acknowledged on fewer replicas than can be elected.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Store } from "../redis/cluster.mjs";
import { Region, sleep, until } from "./region.mjs";

const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 900;
let region;
let cluster;
let store;

before(async () => {
    region = new Region(base);
    cluster = region.cluster;
    store = new Store(cluster, "edge-1.a");
    await store.ready;
    await region.whole();
});
after(async () => {
    await store?.end();
    await region?.stop();
});

function bucketOf(id) {
    let h = 0xcbf29ce484222325n;
    for (const byte of Buffer.from(id)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    h ^= h >> 32n;
    h ^= h >> 16n;
    return h % 1024n;
}
let serial = 0;
function gidOf(primary) {
    for (;;) {
        const id = `game-${++serial}`;
        if (cluster.primaryOf(cluster.slotOf(`game:{b${bucketOf(id)}}:${id}`)).id === primary.id) return id;
    }
}
// The primary of a slot in the middle of a third of the slots; it has two replicas.
const shard = (i) => cluster.primaryOf(3000 + 5461 * i);

// A game's owner: the next version as soon as one is stored; what was acknowledged, and the longest gap.
function play(id) {
    let stop = false;
    const seen = { acked: 0, gap: 0, last: Date.now() };
    const done = (async () => {
        for (let next = 1; !stop; next++) {
            const words = next === 1 ? ["create", id, 1, 1, 7, 0, 1, "v1"] : ["put", id, 1, 1, 7, next - 1, next, `v${next}`];
            for (;;) {
                const said = await store.ask(...words);
                if (said.result === "OK" || said.result === "DUP") break;
                assert.ok(["AGAIN", "UNKNOWN"].includes(said.result), `${said.result} for version ${next} of ${id}`);
                await sleep(10);
            }
            seen.gap = Math.max(seen.gap, Date.now() - seen.last);
            seen.last = Date.now();
            seen.acked = next;
        }
        const said = await store.insist("get", id);
        assert.ok(Number(said.version) >= seen.acked, `${id}: ${said.version} stored, ${seen.acked} acknowledged`);
        return seen;
    })();
    return { seen, finish: () => ((stop = true), done), fresh: () => ((seen.gap = 0), (seen.last = Date.now())) };
}
// Moves are acknowledged from now on.
const moves = (game, what) => {
    const from = game.seen.acked;
    return until(what, () => game.seen.acked > from + 20, 30_000);
};

describe("the electable set", () => {
    test("a killed replica is out within 4 s, moves go on with the other; it comes back and is counted", async (t) => {
        const primary = shard(0);
        const [lost] = cluster.replicasOf(primary);
        const game = play(gidOf(primary));
        await moves(game, "moves before");
        game.fresh();
        cluster.signal(lost.port, "SIGKILL");
        const from = Date.now();
        await region.state(lost.port, "OUT", 30_000);
        const out = Date.now() - from;
        await moves(game, "moves with one replica");
        t.diagnostic(`out after ${out} ms, longest pause ${game.seen.gap} ms`);
        assert.ok(game.seen.gap < 5_000, `moves waited ${game.seen.gap} ms`);
        for (const node of cluster.nodes(primary.port)) assert.notEqual(node.id, lost.id, "the primary has forgotten it");
        assert.equal((await region.nodes())[primary.port].count, 1);
        game.fresh();
        cluster.restart(lost.port);
        await region.state(lost.port, "IN", 30_000);
        await moves(game, "moves with both");
        t.diagnostic(`coming back: longest pause ${game.seen.gap} ms`);
        assert.equal((await region.nodes())[primary.port].count, 2);
        await region.whole();
        await game.finish();
    });

    test("a killed primary is replaced, and counted out at once; its other replica carries on, and it comes back as a replica", async (t) => {
        const primary = shard(1);
        const game = play(gidOf(primary));
        await moves(game, "moves before");
        game.fresh();
        cluster.signal(primary.port, "SIGKILL");
        await region.state(primary.port, "OUT", 30_000);
        await moves(game, "moves on the new primary");
        t.diagnostic(`longest pause ${game.seen.gap} ms`);
        assert.ok(game.seen.gap < 8_000, `moves waited ${game.seen.gap} ms`);
        const now = shard(1);
        assert.notEqual(now.port, primary.port);
        assert.equal((await region.nodes())[now.port].count, 1);
        game.fresh();
        cluster.restart(primary.port);
        await region.state(primary.port, "IN", 30_000);
        await moves(game, "moves with both");
        t.diagnostic(`coming back: longest pause ${game.seen.gap} ms`);
        await region.whole();
        await game.finish();
    });

    test("a paused replica that wakes up is neither counted nor elected before it was put back", async (t) => {
        const primary = shard(2);
        const [asleep, other] = cluster.replicasOf(primary);
        const game = play(gidOf(primary));
        await moves(game, "moves before");
        game.fresh();
        cluster.signal(asleep.port, "SIGSTOP");
        await region.state(asleep.port, "OUT", 30_000);
        await moves(game, "moves with one replica");
        t.diagnostic(`longest pause ${game.seen.gap} ms`);
        // It wakes up, and the others die before anybody may put it back: it must not lead the shard with what it has.
        for (const router of region.routers) router.child.kill("SIGSTOP");
        cluster.signal(asleep.port, "SIGCONT");
        await until("it answers", () => cluster.cli(asleep.port, "ping") === "PONG");
        await sleep(500);
        assert.doesNotMatch(cluster.cli(primary.port, "info", "replication"), new RegExp(`port=${asleep.port},`), "it may not replicate");
        const acked = game.seen.acked;
        cluster.signal(primary.port, "SIGKILL");
        cluster.signal(other.port, "SIGKILL");
        await sleep(7_000);
        assert.match(cluster.cli(asleep.port, "role"), /^slave/);
        assert.ok(game.seen.acked <= acked + 1, "nothing is acknowledged");
        cluster.restart(other.port);
        cluster.restart(primary.port);
        for (const router of region.routers) router.child.kill("SIGCONT");
        await region.whole();
        await moves(game, "moves again");
        await game.finish();
    });

    test("both replicas gone: moves wait, an alarm is up; the first to come back is enough", async (t) => {
        const primary = shard(0);
        const [one, two] = cluster.replicasOf(primary);
        const game = play(gidOf(primary));
        await moves(game, "moves before");
        cluster.signal(one.port, "SIGKILL");
        await region.state(one.port, "OUT", 30_000);
        cluster.signal(two.port, "SIGKILL");
        const leader = await region.leader();
        await until("the alarm", async () => (await leader.metric("meridian_router_electable_bare")) === 1);
        const acked = game.seen.acked;
        await sleep(4_000);
        assert.ok(game.seen.acked <= acked + 1, "nothing is acknowledged without a replica");
        cluster.restart(one.port); // the one that was taken out first
        await moves(game, "moves with the one that came back");
        cluster.restart(two.port);
        await region.whole();
        await game.finish();
        t.diagnostic(`two replicas in turn: ${game.seen.gap} ms`);
    });

    test("a leader that dies in the middle is followed by one that goes on", async () => {
        const primary = shard(1);
        const [lost] = cluster.replicasOf(primary);
        const game = play(gidOf(primary));
        await moves(game, "moves before");
        const leader = await region.leader();
        cluster.signal(lost.port, "SIGKILL");
        await sleep(2_900);
        await leader.end("SIGKILL");
        await region.state(lost.port, "OUT", 30_000);
        await moves(game, "moves with one replica");
        const at = region.routers.indexOf(leader);
        region.routers[at] = region.router(at);
        cluster.restart(lost.port);
        await region.whole();
        await game.finish();
    });
});
