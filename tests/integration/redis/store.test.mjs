// SPDX-License-Identifier: Apache-2.0
// The edge's store against a real cluster of three primaries with two replicas each, whole and broken. What must hold everywhere: what was
// answered OK is there afterwards, and a call is answered once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Cluster, Store, root, sleep, until } from "./cluster.mjs";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300;
let cluster;
let one;
let two;

before(async () => {
    cluster = new Cluster(base);
    one = new Store(cluster, "edge-1.a");
    two = new Store(cluster, "edge-2.b");
    await Promise.all([one.ready, two.ready]);
});
after(async () => {
    await Promise.all([one?.end(), two?.end()]);
    cluster?.stop();
});

// Ids that are not used twice, in the slot of a given primary.
let serial = 0;
function gid(primary) {
    for (;;) {
        const id = `game-${++serial}`;
        if (!primary || cluster.primaryOf(slotOf(id)).id === primary.id) return id;
    }
}
// The bucket is the edge's business: ask Redis where the key went.
function keyOf(id) {
    let h = 0xcbf29ce484222325n;
    for (const byte of Buffer.from(id)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    h ^= h >> 32n;
    h ^= h >> 16n;
    return `game:{b${h % 1024n}}:${id}`;
}
const slotOf = (id) => cluster.slotOf(keyOf(id));

// Writes versions 2, 3, ... of a game until told to stop, asking again what was not executed and reading back what is unknown.
function writer(store, id) {
    let stop = false;
    const seen = { acked: 1, unknown: 0, again: 0, longestMs: 0 };
    const done = (async () => {
        for (let next = 2; !stop; ) {
            const from = Date.now();
            let said = await store.ask("put", id, 1, 1, 7, next - 1, next, `v${next}`);
            while (said.result === "AGAIN" || said.result === "UNKNOWN") {
                seen[said.result === "AGAIN" ? "again" : "unknown"]++;
                await sleep(10);
                said = await store.ask("put", id, 1, 1, 7, next - 1, next, `v${next}`);
            }
            assert.ok(["OK", "DUP"].includes(said.result), `${said.result} for version ${next} of ${id}, stored ${said.version}`);
            seen.longestMs = Math.max(seen.longestMs, Date.now() - from);
            seen.acked = next++;
        }
        return seen;
    })();
    return { seen, finish: () => ((stop = true), done) };
}

async function create(store, id) {
    const said = await store.ask("create", id, 1, 1, 7, 0, 1, "v1");
    assert.equal(said.result, "OK");
}

describe("a whole cluster", () => {
    test("a game is created once, and its creation may be repeated", async () => {
        const id = gid();
        await create(one, id);
        assert.equal((await one.ask("create", id, 1, 1, 7, 0, 1, "v1")).result, "OK");
        const other = await two.ask("create", id, 1, 1, 8, 0, 1, "x");
        assert.equal(other.result, "EXISTS");
        assert.equal(other.owner, "edge-1.a");
    });

    test("a put is stored, repeated as DUP, refused as GAP, FENCED or ABSENT", async () => {
        const id = gid();
        await create(one, id);
        assert.equal((await one.ask("put", id, 1, 1, 7, 1, 2, "v2")).result, "OK");
        assert.equal((await one.ask("put", id, 1, 1, 7, 1, 2, "v2")).result, "DUP");
        const gap = await one.ask("put", id, 1, 1, 7, 3, 4, "v4");
        assert.deepEqual([gap.result, gap.version], ["GAP", 2]);
        for (const fence of [[2, 1, 7], [1, 2, 7], [1, 1, 8]]) {
            const fenced = await one.ask("put", id, ...fence, 2, 3, "v3");
            assert.deepEqual([fenced.result, fenced.epoch, fenced.nonce, fenced.owner], ["FENCED", 1, 7, "edge-1.a"]);
        }
        assert.equal((await one.ask("put", gid(), 1, 1, 7, 1, 2, "v2")).result, "ABSENT");
        const read = await two.ask("get", id);
        assert.deepEqual([read.result, read.version, read.record], ["OK", 2, "v2"]);
    });

    test("of many claims at once exactly one wins, and the old owner is fenced", async () => {
        for (let round = 0; round < 20; round++) {
            const id = gid();
            await create(one, id);
            const claims = await Promise.all([
                two.ask("claim", id, 1, 1, "edge-1.a", 1000 + round), one.ask("claim", id, 1, 1, "edge-1.a", 2000 + round),
                two.ask("claim", id, 1, 1, "edge-1.a", 3000 + round)]);
            assert.equal(claims.filter((said) => said.result === "OK").length, 1);
            const won = claims.find((said) => said.result === "OK");
            for (const lost of claims.filter((said) => said !== won))
                assert.deepEqual([lost.result, lost.epoch, lost.nonce], ["LOST", 2, won.nonce]);
            assert.deepEqual([won.epoch, won.record], [2, "v1"]);
            const late = await one.ask("put", id, 1, 1, 7, 1, 2, "late");
            assert.deepEqual([late.result, late.owner], ["FENCED", won.owner]);
            const owned = await one.ask("owned", id, won.owner);
            assert.ok(owned.gids.includes(id));
        }
    });

    test("a claim may be repeated with its nonce", async () => {
        const id = gid();
        await create(one, id);
        const first = await two.ask("claim", id, 1, 1, "edge-1.a", 55);
        const again = await two.ask("claim", id, 1, 1, "edge-1.a", 55);
        assert.deepEqual([again.result, again.epoch, again.owner], ["OK", first.epoch, "edge-2.b"]);
        assert.ok(!(await one.ask("owned", id, "edge-1.a")).gids.includes(id));
    });

    test("an ended game belongs to nobody and cannot be claimed or moved", async () => {
        const id = gid();
        await create(one, id);
        assert.equal((await one.ask("end", id, 1, 1, 7, 1, 2, "over")).result, "OK");
        assert.equal((await one.ask("end", id, 1, 1, 7, 1, 2, "over")).result, "DUP");
        assert.equal((await one.ask("put", id, 1, 1, 7, 2, 3, "v3")).result, "GAP");
        assert.equal((await two.ask("claim", id, 1, 1, "edge-1.a", 5)).result, "LOST");
        const read = await two.ask("get", id);
        assert.deepEqual([read.result, read.owner, read.record], ["OK", "", "over"]);
        assert.ok(!(await one.ask("owned", id, "edge-1.a")).gids.includes(id));
    });

    test("a tombstone stops a late create; a game stops a tombstone", async () => {
        const [dead, live] = [gid(), gid()];
        assert.equal((await two.ask("void", dead)).result, "OK");
        assert.equal((await two.ask("void", dead)).result, "OK");
        assert.equal((await one.ask("create", dead, 1, 1, 7, 0, 1, "v1")).result, "VOIDED");
        await create(one, live);
        assert.equal((await two.ask("void", live)).result, "EXISTS");
    });

    test("the sweep renews what is whole and tells what is not", async () => {
        const id = gid();
        await create(one, id);
        assert.equal((await one.ask("touch", id, 1, 1, 7, 1)).result, "OK");
        assert.equal((await one.ask("touch", id, 1, 1, 7, 2)).result, "GAP");
        assert.equal((await one.ask("touch", id, 1, 2, 7, 1)).result, "FENCED");
        assert.equal((await one.ask("touch", gid(), 1, 1, 7, 1)).result, "ABSENT");
    });

    test("every lifetime is set", async () => {
        const [id, over] = [gid(), gid()];
        await create(one, id);
        await create(one, over);
        await one.ask("end", over, 1, 1, 7, 1, 2, "over");
        const ttl = (key) => Number(cluster.cli(cluster.primaryOf(cluster.slotOf(key)).port, "pttl", key));
        assert.ok(ttl(keyOf(id)) > 23 * 3600e3);
        assert.ok(ttl(keyOf(over)) > 3590e3 && ttl(keyOf(over)) <= 3600e3);
        assert.ok(ttl(keyOf(id).replace("game:", "owned:").replace(`:${id}`, ":edge-1.a")) > 23 * 3600e3);
    });

    test("one waiting ticket a user, whichever edge asks", async () => {
        const user = "user-tickets";
        const [a, b] = await Promise.all([one.ask("ticket", user, "t1", 30000), two.ask("ticket", user, "t2", 30000)]);
        const [won, lost] = a.result === "OK" ? [a, b] : [b, a];
        assert.deepEqual([won.result, lost.result, lost.ticket], ["OK", "HAS_TICKET", won.ticket]);
        assert.ok(won.expiresAtMs - won.timeMs === 30000);
        assert.equal((await one.ask("close", user, "other")).result, "LOST");
        assert.equal((await one.ask("close", user, won.ticket)).result, "OK");
        assert.equal((await one.ask("ticket", user, "t3", 1)).result, "OK");
        await sleep(10);
        assert.equal((await two.ask("ticket", user, "t4", 30000)).result, "OK", "an expired ticket counts as none");
    });

    test("a ticket becomes a game once, and the game keeps out tickets", async () => {
        const user = "user-seat";
        await one.ask("ticket", user, "t1", 30000);
        assert.equal((await two.ask("seat", user, "t0", "g0", "edge-2.b")).result, "LOST");
        assert.equal((await two.ask("seat", user, "t1", "g1", "edge-2.b")).result, "OK");
        assert.equal((await two.ask("seat", user, "t1", "g1", "edge-2.b")).result, "OK");
        assert.equal((await two.ask("seat", user, "t1", "g2", "edge-2.b")).result, "LOST");
        const refused = await one.ask("ticket", user, "t2", 30000);
        assert.deepEqual([refused.result, refused.game, refused.gameOwner], ["HAS_GAME", "g1", "edge-2.b"]);
        assert.equal((await one.ask("unseat", user, "g2")).result, "LOST");
        assert.equal((await one.ask("unseat", user, "g1")).result, "OK");
        assert.equal((await one.ask("ticket", user, "t2", 30000)).result, "OK");
    });

    test("connect tells what the device's entry was; a late disconnect removes nothing newer", async () => {
        const user = "user-devices";
        assert.deepEqual((await one.ask("connect", user, "phone", "s1")).devices, []);
        const second = await two.ask("connect", user, "phone", "s2");
        assert.deepEqual([second.previousEdge, second.previousSession], ["edge-1.a", "s1"]);
        assert.equal((await one.ask("disconnect", user, "phone", "s1")).result, "LOST");
        assert.deepEqual((await one.ask("connect", user, "desk", "s3")).devices, ["phone edge-2.b s2"]);
        assert.deepEqual((await one.ask("player", user)).devices.sort(), ["desk edge-1.a s3", "phone edge-2.b s2"]);
        assert.equal((await two.ask("disconnect", user, "phone", "s2")).result, "OK");
    });

    test("a user's entries are bounded: the oldest go", async () => {
        const user = "user-many";
        for (let i = 0; i < 40; i++) await one.ask("connect", user, `d${i}`, `s${i}`);
        const { devices } = await one.ask("player", user);
        assert.equal(devices.length, 32);
        assert.ok(devices.some((entry) => entry.startsWith("d39 ")));
    });

    test("an edge is alive while it says so, and at once no more when it stops", async () => {
        /* certain only when the shard has been there for a lifetime of the key */
        await until("its absence is certain", async () => (await two.ask("alive", "edge-1.a")).result === "ABSENT", 60_000);
        await one.ask("live", "unix:/tmp/bus");
        const said = await until("the key is there", async () => {
            const answer = await two.ask("alive", "edge-1.a");
            return answer.result === "OK" && answer;
        });
        assert.equal(said.value, "unix:/tmp/bus");
        await one.ask("unlive");
        await until("the key is gone", async () => (await two.ask("alive", "edge-1.a")).result === "ABSENT", 8000); // it would last for ten seconds
    });

    test("odd ids are refused before they reach Redis", async () => {
        assert.equal((await one.ask("get", "-")).result, "INVALID");
        assert.equal((await one.ask("get", "x".repeat(257))).result, "INVALID");
        assert.equal((await one.ask("connect", "user", "-", "s")).result, "INVALID");
    });

    test("Redis' clock is followed within 50 ms", async () => {
        let off;
        await until("it is", async () => { // an answer that was late on a busy machine counts for an eighth
            await one.insist("get", gid());
            const before = Date.now();
            const { nowMs } = await one.ask("now");
            off = nowMs - before;
            return nowMs > before - 50 && nowMs < Date.now() + 50;
        }).catch((error) => assert.fail(`${error.message}: ${off} ms off`));
    });

    test("calls of a turn share a WAIT", async () => {
        const [calls, batches] = [await one.metric("meridian_redis_calls_total"), await one.metric("meridian_redis_batches_total")];
        const ids = Array.from({ length: 500 }, () => gid());
        const said = await Promise.all(ids.map((id) => one.ask("create", id, 1, 1, 7, 0, 1, "v1")));
        assert.ok(said.every((answer) => answer.result === "OK"));
        const per = ((await one.metric("meridian_redis_calls_total")) - calls) / ((await one.metric("meridian_redis_batches_total")) - batches);
        assert.ok(per > 5, `${per} calls a batch`);
    });
});

describe("a cluster that changes", () => {
    test("calls follow a slot that moves, keys and all", async () => {
        const id = gid();
        const slot = slotOf(id);
        const from = cluster.primaryOf(slot);
        const to = cluster.nodes().find((node) => !node.primary && node.id !== from.id);
        await create(one, id);
        const writing = writer(one, id);
        cluster.cli(to.port, "cluster", "setslot", String(slot), "importing", from.id);
        cluster.cli(from.port, "cluster", "setslot", String(slot), "migrating", to.id);
        await sleep(50);
        for (;;) {
            const keys = cluster.cli(from.port, "cluster", "getkeysinslot", String(slot), "100").split("\n").filter(Boolean);
            if (keys.length === 0) break;
            cluster.cli(from.port, "migrate", "127.0.0.1", String(to.port), "", "0", "5000", "auth", cluster.env.REDISCLI_AUTH, "keys",
                        ...keys);
        }
        await sleep(50);
        for (const port of [to.port, from.port]) cluster.cli(port, "cluster", "setslot", String(slot), "node", to.id);
        const moved = writing.seen.acked;
        await until("it goes on", () => writing.seen.acked > moved + 20);
        const seen = await writing.finish();
        assert.equal(seen.unknown, 0, JSON.stringify(seen));
        assert.ok((await one.metric("meridian_redis_redirects_total")) > 0);
        assert.equal((await two.insist("get", id)).version, seen.acked);
        assert.ok(one.changes.some((change) => change.first <= slot && slot <= change.last), "the owner was told");
        // back, so that the other tests find three whole ranges
        for (const [port, word, node] of [[from.port, "importing", to], [to.port, "migrating", from]])
            cluster.cli(port, "cluster", "setslot", String(slot), word, node.id);
        const keys = cluster.cli(to.port, "cluster", "getkeysinslot", String(slot), "100").split("\n").filter(Boolean);
        cluster.cli(to.port, "migrate", "127.0.0.1", String(from.port), "", "0", "5000", "auth", cluster.env.REDISCLI_AUTH, "keys", ...keys);
        for (const port of [from.port, to.port]) cluster.cli(port, "cluster", "setslot", String(slot), "node", from.id);
        assert.equal((await one.insist("get", id)).version, seen.acked);
    });

    test("a planned failover is a pause of at most a second or so, and nothing is lost", async () => {
        await cluster.whole();
        const id = gid();
        await create(one, id);
        const slot = slotOf(id);
        const old = cluster.primaryOf(slot);
        one.changes.length = 0;
        const writing = writer(one, id);
        await sleep(100);
        cluster.cli(cluster.replicasOf(old)[0].port, "cluster", "failover");
        await until("another primary", () => cluster.primaryOf(slot)?.id !== old.id);
        await until("the owner is told", () => one.changes.some((change) => change.first <= slot && slot <= change.last));
        await cluster.whole();
        const moved = writing.seen.acked;
        await until("it goes on", () => writing.seen.acked > moved + 20);
        const seen = await writing.finish();
        assert.ok(seen.longestMs < 4000, JSON.stringify(seen));
        assert.equal((await two.insist("get", id)).version, seen.acked);
    });

    test("with a replica hung nothing is acknowledged; afterwards everything goes on", async () => {
        await cluster.whole();
        const id = gid();
        await create(one, id);
        const primary = cluster.primaryOf(slotOf(id));
        const replica = cluster.replicasOf(primary)[0];
        cluster.signal(replica.port, "SIGSTOP");
        try {
            const said = await one.ask("put", id, 1, 1, 7, 1, 2, "v2");
            assert.equal(said.result, "UNKNOWN");
            assert.ok(said.ms >= 450 && said.ms < 10_000, `${said.ms} ms`);
            assert.equal((await two.ask("get", id)).result, "UNKNOWN", "a read is no better than a write");
            assert.ok((await one.metric("meridian_redis_wait_short_total")) >= 1);
        } finally {
            cluster.signal(replica.port, "SIGCONT");
        }
        const again = await one.insist("put", id, 1, 1, 7, 1, 2, "v2");
        assert.ok(["OK", "DUP"].includes(again.result));
    });

    test("a killed primary: calls go on when its replica is elected and the count is full; what was acknowledged is there", async () => {
        await cluster.whole();
        const primary = cluster.primaryOf(slotOf(gid()));
        const games = [gid(primary), gid(primary), gid(primary)];
        for (const id of games) await create(one, id);
        one.changes.length = 0;
        const writing = games.map((id) => writer(one, id));
        await sleep(500);
        cluster.signal(primary.port, "SIGKILL");
        const slot = slotOf(games[0]);
        await until("a replica is elected", () => {
            const now = cluster.primaryOf(slot);
            return now && now.id !== primary.id;
        });
        await until("the owner is told", () => one.changes.some((change) => change.first <= slot && slot <= change.last));
        const short = await one.ask("get", games[0]);
        assert.ok(["UNKNOWN", "AGAIN"].includes(short.result), `one replica of two is not enough: ${short.result}`);
        cluster.restart(primary.port);
        await cluster.whole();
        const before = writing.map((w) => w.seen.acked);
        await until("every game goes on", () => writing.every((w, i) => w.seen.acked > before[i] + 5));
        for (const [i, w] of writing.entries()) {
            const seen = await w.finish();
            assert.equal((await two.insist("get", games[i])).version, seen.acked);
        }
    });

    test("a hung primary that comes back as a replica has acknowledged nothing", async () => {
        await cluster.whole();
        const id = gid();
        await create(one, id);
        const slot = slotOf(id);
        const primary = cluster.primaryOf(slot);
        const writing = writer(one, id);
        await sleep(300);
        cluster.signal(primary.port, "SIGSTOP");
        try {
            await until("a replica is elected", () => {
                const now = cluster.nodes(cluster.ports.find((port) => port !== primary.port && cluster.cli(port, "ping") === "PONG"))
                    .find((node) => !node.primary && !node.failed && node.slots.join() === primary.slots.join());
                return now && now.id !== primary.id;
            });
        } finally {
            cluster.signal(primary.port, "SIGCONT");
        }
        await cluster.whole();
        const before = writing.seen.acked;
        await until("the game goes on", () => writing.seen.acked > before + 5);
        const seen = await writing.finish();
        assert.equal((await two.insist("get", id)).version, seen.acked);
    });

    test("a primary that is started again at the same address counts as changed: its owners verify", async () => {
        const primary = cluster.primaryOf(slotOf(gid()));
        const id = gid(primary);
        await create(one, id);
        const slot = slotOf(id);
        const told = one.changes.length;
        cluster.signal(primary.port, "SIGKILL");
        await sleep(100);
        cluster.restart(primary.port);
        await until("told", () => one.changes.slice(told).some(({ first, last }) => first <= slot && slot <= last));
        await cluster.whole();
        assert.equal((await one.insist("get", id)).result, "OK");
    });

    test("without the library nothing durable is sent; loaded again, it goes on", async () => {
        await cluster.whole();
        const id = gid();
        await create(one, id);
        const primaries = cluster.nodes().filter((node) => !node.primary);
        for (const node of primaries) cluster.cli(node.port, "function", "flush");
        assert.equal((await one.ask("get", id)).result, "AGAIN");
        assert.equal((await one.ask("put", id, 1, 1, 7, 1, 2, "v2")).result, "AGAIN");
        assert.equal(await one.metric("meridian_redis_ready"), 0);
        cluster.load();
        assert.equal((await one.insist("put", id, 1, 1, 7, 1, 2, "v2")).result, "OK");
        await until("ready again", async () => (await one.metric("meridian_redis_ready")) === 1);
    });
});

describe("redis-cluster", () => {
    test("refuses a port that is taken and a folder that runs", () => {
        const script = path.join(root, "infra/local/redis-cluster");
        const busy = spawnSync(script, ["start", path.join(cluster.dir, "other"), String(base + 4), "1", "0"], { encoding: "utf8" });
        assert.equal(busy.status, 1);
        assert.match(busy.stderr, new RegExp(`port ${base + 4} is taken`));
        const running = spawnSync(script, ["start", cluster.dir, String(base), "3", "2"], { encoding: "utf8" });
        assert.equal(running.status, 1);
        assert.match(running.stderr, /is running already/);
    });

    test("starts again what was stopped, with its data", async () => {
        const id = gid();
        await create(one, id);
        cluster.script("stop", cluster.dir);
        assert.notEqual(spawnSync(path.join(root, "infra/local/redis-cluster"), ["status", cluster.dir]).status, 0);
        cluster.script("start", cluster.dir, String(base), "3", "2");
        const read = await one.insist("get", id);
        assert.deepEqual([read.result, read.record], ["OK", "v1"]);
        assert.equal(readFileSync(cluster.passwordFile, "utf8").trim(), cluster.env.REDISCLI_AUTH);
    });
});
