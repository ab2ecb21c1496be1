// SPDX-License-Identifier: Apache-2.0
// The bus over Redis' sharded pub/sub against a real cluster, whole and broken: two buses send each other numbers all the time, and either
// all of them arrive in order, once, or both are told that a life has ended (R9).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Cluster, sleep, until } from "../redis/cluster.mjs";
import { Bus, judge } from "./buses.mjs";

const RATE = 200;
// Times below are limits for a machine that runs ten times what it can; one that has time needs a fraction.
let cluster, one, two;
const both = () => [[one, two], [two, one]];
const channelOf = (bus) => cluster.slotOf(`bus:${bus.incarnation}`);
const homeOf = (bus) => cluster.primaryOf(channelOf(bus));

before(async () => {
    cluster = new Cluster(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300);
    // Their channels at different primaries, so that each way can fail alone.
    one = new Bus(cluster, "one.a");
    const other = ["two.a", "two.b", "two.c", "two.d", "two.e", "two.f"].find((name) =>
        cluster.primaryOf(cluster.slotOf(`bus:${name}`)).id !== homeOf(one).id);
    two = new Bus(cluster, other);
    await Promise.all([one.ready(), two.ready()]);
}, { timeout: 120_000 });
after(() => {
    for (const bus of [one, two]) bus?.child.kill("SIGKILL");
    cluster?.stop();
});

function stream(rate = RATE) {
    for (const [a, b] of both()) a.say(`stream ${b.incarnation} ${rate}`);
}
const count = () => [one.downs(two.incarnation).length, two.downs(one.incarnation).length];
// Both hear each other, and go on doing so: how long it took.
async function hearAgain(since, ms = 30_000) {
    for (let calm = false; !calm;) {
        const downs = count();
        await Promise.all(both().map(([a, b]) => a.hears(b.incarnation, ms)));
        await sleep(300);
        calm = String(count()) === String(downs);
        assert.ok(Date.now() - since < ms, "not calm in time");
    }
    return Date.now() - since - 300;
}
// What was done about a life, and what it cost.
function tell(t, began, took) {
    const judged = both().map(([a, b]) => judge(a, b));
    t.diagnostic(`back after ${took} ms; lost ${judged.map((each) => each.lost).join(" and ")} so far, downs ${count().join(" and ")}`);
    for (const [a, b] of both()) assert.deepEqual(a.downs(b.incarnation).filter((down) => down.dead), []);
}

describe("the bus over Redis", { timeout: 400_000 }, () => {
    test("nothing breaks: everything arrives, nobody is told anything", async () => {
        stream();
        await Promise.all(both().map(([a, b]) => a.event("400", (event) => event.event === "got" && event.n >= 400)));
        assert.deepEqual(both().map(([a, b]) => judge(a, b).lost), [0, 0]);
        assert.deepEqual(count(), [0, 0]);
    });

    test("the way through Redis adds less than 5 ms", async (t) => {
        for (const bus of [one, two]) await bus.sent();
        const links = [new Bus(cluster, "link.a", "links"), new Bus(cluster, "link.b", "links")];
        await Promise.all(links.map((bus) => bus.ready()));
        const took = {};
        for (const [name, [a, b]] of Object.entries({ links, redis: [one, two] })) {
            await a.ping(b.incarnation, 20, 5);
            took[name] = (await a.ping(b.incarnation, 500, 5)).map((us) => us / 2000).sort((x, y) => x - y);
        }
        const added = (share) => took.redis[Math.floor(500 * share)] - took.links[Math.floor(500 * share)];
        for (const name of Object.keys(took)) t.diagnostic(`${name}: one way p50 ${took[name][250].toFixed(3)} ms, p99 ${took[name][495].toFixed(3)} ms`);
        assert.ok(added(0.1) < 5, `${added(0.1)} ms`); // the fastest tenth: the way, not the queue for a processor
        await Promise.all(links.map((bus) => bus.end()));
        stream();
        await hearAgain(Date.now());
    });

    test("a subscriber's connection is cut: both are told, and go on", async (t) => {
        const began = Date.now(), before_ = count();
        assert.equal(cluster.cli(homeOf(one).port, "client", "kill", "type", "pubsub"), "1");
        const took = await hearAgain(began);
        tell(t, began, took);
        assert.ok(took < 4000, `${took} ms`);
        assert.ok(count().every((n, i) => n >= before_[i]));
    });

    test("the slot of a channel moves to another primary", async (t) => {
        const began = Date.now(), slot = channelOf(one), from = homeOf(one);
        const to = cluster.nodes().find((node) => !node.primary && node.slots.length && ![from.id, homeOf(two).id].includes(node.id));
        for (const [port, ...words] of [[to.port, "importing", from.id], [from.port, "migrating", to.id], [to.port, "node", to.id], [from.port, "node", to.id]])
            assert.equal(cluster.cli(port, "cluster", "setslot", String(slot), ...words), "OK");
        const took = await hearAgain(began);
        tell(t, began, took);
        assert.ok(took < 8000, `${took} ms`);
        await until("all nodes agree", () => cluster.ports.every((port) => cluster.nodes(port).find((node) => node.id === to.id)?.slots.length === 2));
    });

    test("a replica takes over from a channel's primary when told to", async (t) => {
        const began = Date.now(), slot = channelOf(two);
        const [replica] = cluster.replicasOf(homeOf(two));
        assert.equal(cluster.cli(replica.port, "cluster", "failover"), "OK");
        await until("the new primary", () => cluster.primaryOf(slot)?.id === replica.id);
        const took = await hearAgain(began);
        tell(t, began, took);
        assert.ok(took < 8000, `${took} ms`);
        await cluster.whole();
    });

    test("a channel's primary is killed", async (t) => {
        const began = Date.now(), slot = channelOf(one), { id, port } = homeOf(one);
        cluster.signal(port, "SIGKILL");
        await until("the new primary", () => ![undefined, id].includes(cluster.primaryOf(slot)?.id));
        const elected = Date.now() - began;
        const took = await hearAgain(began);
        t.diagnostic(`elected after ${elected} ms`);
        tell(t, began, took);
        assert.ok(took < elected + 8000, `${took} ms`);
        cluster.restart(port);
        await cluster.whole();
    });

    test("a channel's primary hangs past its failover, and wakes up", async (t) => {
        const began = Date.now(), slot = channelOf(two), { id, port } = homeOf(two);
        cluster.signal(port, "SIGSTOP");
        await until("the new primary", () => ![undefined, id].includes(cluster.primaryOf(slot)?.id), 30_000);
        const took = await hearAgain(began, 40_000);
        cluster.signal(port, "SIGCONT");
        await sleep(1500);
        await hearAgain(Date.now());
        tell(t, began, took);
        await cluster.whole();
    });

    test("an edge hangs for five seconds", async (t) => {
        two.child.kill("SIGSTOP");
        const from = one.events.length;
        await one.event("down", (event) => event.event === "down", { from });
        await sleep(2000);
        const began = Date.now();
        two.child.kill("SIGCONT");
        const took = await hearAgain(began);
        tell(t, began, took);
        assert.ok(took < 8000, `${took} ms`);
    });

    test("an edge dies: unreachable at once, dead when its key is gone", async (t) => {
        for (const [a, b] of both()) {
            const sent = await a.sent();
            await until("the last one arrived", () => judge(a, b).last === sent);
        }
        const heirs = new Bus(cluster, "three.a");
        await heirs.ready();
        heirs.say(`stream ${two.incarnation} ${RATE}`);
        await two.hears("three.a");
        const began = Date.now(), from = heirs.events.length;
        two.say("die");
        const down = await heirs.event("down", (event) => event.event === "down", { from });
        assert.equal(down.dead, false);
        const dead = await heirs.event("dead", (event) => event.event === "down" && event.dead, { from, ms: 30_000 });
        t.diagnostic(`unreachable after ${down.at - began} ms, dead after ${dead.at - began} ms`);
        assert.ok(down.at - began < 2500, "not by silence: Redis says that nobody heard it");
        assert.ok(dead.at - began < 20_000);
        await heirs.end();
        assert.equal(await two.closed, 9);
    });

    test("who goes in order leaves nothing behind", async () => {
        await one.end();
        assert.ok(one.metric("meridian_edge_bus_channel_lives_total") >= 2);
    });
});
