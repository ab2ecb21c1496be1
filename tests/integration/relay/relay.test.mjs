// SPDX-License-Identifier: Apache-2.0
// R31, T6, F38-F41: durable events among regions while routers are killed and stopped and Redis fails over: each takes effect exactly once, in
// order for each recipient. Then what a region that was away comes back to, and what is refused while it is away.
// 2,000 events among two regions; RELAY_EVENTS=10000 RELAY_REGIONS=4 RELAY_BACKLOG=10000 is the long form, and RELAY_DELAY_MS=110 puts the
// regions as far from each other as Europe and Asia.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { until } from "../faults/own.mjs";
import { Client } from "../outside/client.mjs";
import { metrics, sleep, someUser } from "../outside/footprint.mjs";
import { Mailbox, World, bucketOf, say } from "./regions.mjs";

const events = Number(process.env.RELAY_EVENTS ?? 2000);
const world = new World({ base: Number(process.env.MERIDIAN_SPARE_PORT ?? 21350), count: Number(process.env.RELAY_REGIONS ?? 2), delayMs: Number(process.env.RELAY_DELAY_MS ?? 0) });
const PEOPLE = 8; // senders a region, and recipients

before(() => world.start());
after(() => {
    Client.dropAll();
    world.stop();
});

// Senders and recipients in every region; every second recipient is connected all the time, the others only at the end.
async function people(recipients = PEOPLE) {
    const all = world.regions.map((region) => ({ region, senders: [], recipients: [] }));
    for (const one of all) {
        for (let i = 0; i < PEOPLE; i++) {
            const sender = someUser("from");
            one.senders.push({ user: sender, client: await one.region.connect(sender) });
        }
        for (let i = 0; i < recipients; i++) {
            const box = new Mailbox(someUser("to"));
            const recipient = { box, sent: new Map() };
            if (i % 2 === 0) recipient.client = box.attach(await one.region.connect(box.user), { acknowledges: true });
            one.recipients.push(recipient);
        }
    }
    return all;
}

// Each sender writes to all recipients of the other regions in turn, `pace` ms between two of his messages.
async function talk(all, total, pace) {
    const jobs = all.flatMap((from) => from.senders.map(async ({ user, client }) => {
        const to = all.filter((other) => other !== from).flatMap((other) => other.recipients.map((recipient) => [other.region.name, recipient]));
        const count = Math.ceil(total / (all.length * PEOPLE));
        for (let n = 0; n < count; n++) {
            const [region, recipient] = to[n % to.length];
            const messageId = `${user}-${n}`;
            await say(client, recipient.box.user, region, `${user} ${n}`, messageId);
            recipient.sent.set(messageId, true);
            if (pace) await sleep(pace);
        }
    }));
    await Promise.all(jobs);
}

async function everybodyHasEverything(all) {
    for (const { region, recipients } of all) {
        for (const { box, sent, client } of recipients) {
            const reader = client ?? box.attach(await region.connect(box.user), { acknowledges: true });
            await until(`${box.user} has ${sent.size}, not ${box.bySeq.size}`, () => {
                if (box.bySeq.size < sent.size) reader.send("ack_messages", { seq: box.whole ?? 0, rest: true });
                return box.bySeq.size >= sent.size;
            });
            box.check(sent);
            reader.assertFine();
        }
    }
}

async function killLeader(region) {
    const { pid } = await region.led();
    process.kill(pid, "SIGKILL");
    await sleep(1500);
    region.start();
}
async function stopLeader(region, ms) {
    const { pid } = await region.led();
    process.kill(pid, "SIGSTOP");
    await sleep(ms);
    process.kill(pid, "SIGCONT");
}
async function stopRouters(region, ms) {
    const pids = region.routers.map((router) => router.pid);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
        await (typeof ms === "number" ? sleep(ms) : ms());
    } finally {
        for (const pid of pids) process.kill(pid, "SIGCONT");
    }
}
async function failOver(region) {
    const victim = region.nodes().find((node) => node.role === "primary" && node.slots.length > 0);
    process.kill(region.redisPid(victim.port), "SIGKILL");
    await until("a replica leads the shard", () => region.nodes().some((node) =>
        node.role === "primary" && !node.failed && node.id !== victim.id && node.slots.join() === victim.slots.join()));
    region.startRedis(victim.port);
}

test(`${events} events among ${world.regions.length} regions, each once and in order, whatever fails`, async (t) => {
    const all = await people();
    const [first, second] = world.regions;
    const from = Date.now();
    let faults = 0;
    const trouble = (async () => {
        for (const fault of [() => killLeader(second), () => failOver(first), () => stopLeader(first, 5000), () => stopRouters(second, 5000), () => failOver(second)]) {
            await sleep(1000);
            await fault();
            faults++;
        }
    })();
    await Promise.all([talk(all, events, Math.round((24_000 * all.length * PEOPLE) / events)), trouble]);
    const sentMs = Date.now() - from;
    await world.joined();
    await world.drained();
    const repeated = {};
    for (const region of world.regions) {
        const said = await metrics((await region.led()).admin);
        for (const how of ["taken", "repeated", "out_of_turn", "store_failed"]) repeated[how] = (repeated[how] ?? 0) + said[`meridian_router_relay_taken_total{how="${how}"}`];
    }
    await everybodyHasEverything(all);
    assert.equal(faults, 5);
    const told = all.flatMap((one) => one.recipients).reduce((sum, { box }) => sum + box.told, 0);
    t.diagnostic(`sent in ${sentMs} ms with ${faults} faults, all there after ${Date.now() - from} ms; told ${told} times; of the leaders alive: ${JSON.stringify(repeated)}`);
    await Promise.all(all.flatMap((one) => [...one.senders, ...one.recipients]).map(({ client }) => client?.close()));
});

test("a region that was away comes back to everything, soon; the routers held none of it", async (t) => {
    const backlog = Number(process.env.RELAY_BACKLOG ?? 2000);
    const all = await people(Math.ceil(backlog / 200)); // an inbox takes some 600 of these
    const [, away] = world.regions;
    const others = all.filter((one) => one.region !== away);
    const rss = async () => Math.max(...await Promise.all(others.map(async ({ region }) => (await metrics((await region.led()).admin))["process_resident_memory_bytes"])));
    let before;
    let during;
    await stopRouters(away, async () => {
        await sleep(3500); // the links are down
        before = await rss();
        const target = all.find((one) => one.region === away);
        const from = Date.now();
        await Promise.all(others.flatMap((from_) => from_.senders.map(async ({ user, client }) => {
            const each = Math.ceil(backlog / (others.length * PEOPLE));
            for (let n = 0; n < each; n += 10)
                await Promise.all(Array.from({ length: Math.min(10, each - n) }, async (_, i) => {
                    const recipient = target.recipients[(n + i) % target.recipients.length];
                    const messageId = `${user}-${n + i}`;
                    await say(client, recipient.box.user, away.name, `${user} ${n + i}`, messageId);
                    recipient.sent.set(messageId, true);
                }));
        })));
        t.diagnostic(`${backlog} stored in ${Date.now() - from} ms`);
        during = await rss();
        for (const figure of ["waiting", "waiting_seconds"]) // as the leader saw it last
            await until(`${figure} is told`, async () => (await metrics((await others[0].region.led()).admin))[`meridian_router_relay_${figure}{peer="${away.name}"}`] > 0);
    });
    const from = Date.now();
    await world.joined();
    const joined = Date.now() - from;
    await world.drained();
    t.diagnostic(`joined after ${joined} ms, drained after ${Date.now() - from} ms; a leader's memory ${before} before, ${during} with the backlog`);
    assert.ok(Date.now() - from < 10_000 + joined, "T6");
    assert.ok(during - before < 4 * 1024 * 1024, "the router holds no backlog");
    await everybodyHasEverything(all);
    await Promise.all(all.flatMap((one) => [...one.senders, ...one.recipients]).map(({ client }) => client?.close()));
});

test("what finds no room over there is told to its sender, and stands in nobody's way", async () => {
    const [here, there] = world.regions;
    const [ann, bob, cid] = [someUser("ann"), someUser("bob"), someUser("cid")];
    const a = await here.connect(ann);
    const c = await there.connect(cid);
    const count = 70; // of 1,000 bytes: more than 64 KiB
    for (let n = 0; n < count; n++) await say(a, bob, there.name, "x".repeat(1000), `m${n}`);
    await say(a, cid, there.name, `${ann} 1`, "after");
    assert.equal((await c.next("message")).messageId, "after");
    const b = await there.connect(bob);
    await until("every one was told to somebody", () => [a, b].reduce((sum, { unread }) => sum + unread.filter(({ seq }) => seq).length, 0) === count);
    const told = (client, kind) => client.unread.filter(({ type }) => type === kind).map(({ messageId }) => messageId);
    const stored = told(b, "message").length;
    // The oldest are kept.
    assert.deepEqual([...told(b, "message"), ...told(a, "message_undelivered")], Array.from({ length: count }, (_, i) => `m${i}`));
    assert.ok(stored > 50 && stored < count, `${stored}`);
    await Promise.all([a, b, c].map((one) => one.close()));
});

test("order survives slots that move under it, on both sides", async () => {
    const [here, there] = world.regions;
    const box = new Mailbox(someUser("bob"));
    const sent = new Map();
    const b = box.attach(await there.connect(box.user), { acknowledges: true });
    let moving = true;
    const talking = Promise.all(Array.from({ length: 6 }, async () => {
        const ann = someUser("ann");
        const a = await here.connect(ann);
        for (let n = 0; moving || n < 50; n++) {
            sent.set(`${ann}-${n}`, true);
            await say(a, box.user, there.name, `${ann} ${n}`, `${ann}-${n}`);
            await sleep(5);
        }
        await a.close();
    }));
    for (const region of [there, here, there, here]) {
        const slot = region.slotOf(box.user);
        const from = region.primaryOf(slot);
        region.moveSlot(slot, region.nodes().find((node) => node.role === "primary" && !node.failed && node.id !== from.id && node.slots.length));
        await sleep(100);
    }
    moving = false;
    await talking;
    await world.drained();
    await until("all are there", () => {
        if (box.bySeq.size < sent.size) b.send("ack_messages", { seq: box.whole ?? 0, rest: true });
        return box.bySeq.size >= sent.size;
    }).catch((error) => assert.fail(`${error.message}: ${box.bySeq.size} of ${sent.size}`));
    box.check(sent);
    await b.close();
});

test("an event that the other region does not know stays, and only its bucket waits for it (F41)", async () => {
    const [here, there] = world.regions;
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    let other = someUser("other");
    while (bucketOf(other) === bucketOf(bob)) other = someUser("other");
    const [a, b, c] = [await here.connect(ann), await there.connect(bob), await there.connect(other)];
    const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), Buffer.from(bytes)]);
    const newer = Buffer.concat([field(1, bob), Buffer.from([2 << 3, 5]), field(15, "of a newer version")]).toString("latin1");
    assert.match(here.fcall(bob, "mer1_event_send", [`outbox:${there.name}`, "sent:newer"], `${bob} 1`, newer, 262144, 60000), /^OK/);
    await say(a, bob, there.name, "behind it", "m1");
    await say(a, other, there.name, "beside it", "m2");
    assert.equal((await c.next("message")).text, "beside it");
    await until("the origin asked and was told so", async () =>
        (await metrics((await there.led()).admin)).meridian_router_relay_unknown_total > 0);
    await sleep(700);
    await b.settle();
    assert.deepEqual(b.unread.filter((m) => m.type === "message"), []);
    const heads = here.fcall(bob, "mer1_events_get", [`outbox:${there.name}`], 10, 10000).split("\n");
    const settled = Number(heads[4]);
    assert.match(here.fcall(bob, "mer1_events_trim", [`outbox:${there.name}`], 1, settled + 1), /^OK/); // what an upgrade would have done
    assert.equal((await b.next("message")).text, "behind it");
    await Promise.all([a, b, c].map((one) => one.close()));
});

test("whether a user is there is told also from other regions, and not guessed while one is away", async () => {
    const [here, there] = world.regions;
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const a = await here.connect(ann);
    const ask = async (user, region) => {
        a.send("get_presence", { user, ...(region ? { region } : {}) });
        return a.next(["presence", "error"], (m) => (m.user ?? m.re) === user);
    };
    const isThere = (user, region) => until(`${user} is there`, async () => (await ask(user, region)).online || sleep(200));
    await isThere(ann);
    assert.deepEqual(await ask(ann), { type: "presence", user: ann, region: here.name, online: true });
    assert.deepEqual(await ask(bob, there.name), { type: "presence", user: bob, region: there.name, online: false });
    const b = await there.connect(bob);
    await isThere(bob, there.name);
    assert.equal((await ask(bob)).online, false); // not at home here
    assert.equal((await ask(bob, "atlantis")).code, "bad_field");
    await stopRouters(there, async () => assert.equal((await ask(bob, there.name)).code, "try_again"));
    await world.joined();
    await isThere(bob, there.name);
    await Promise.all([a.close(), b.close()]);
});

test("a full outbox refuses its cause, loses nothing, and takes again when the region is back", async () => {
    const [here, away] = world.regions;
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const a = await here.connect(ann);
    let stored = 0;
    let said;
    await stopRouters(away, async () => {
        await sleep(3500);
        for (;;) {
            a.send("send_message", { to: bob, region: away.name, text: `${stored} ${"x".repeat(1000)}`, messageId: `m${stored}` });
            said = await a.next(["message_ok", "error"]);
            if (said.code === "try_again") continue; // a store that was slow: the same again
            if (said.type === "error") break;
            assert.ok(++stored < 400, "256 KiB is the end");
        }
    });
    assert.deepEqual([said.code, said.re], ["overloaded", `m${stored}`]);
    assert.ok(stored > 200, `${stored}`);
    await world.joined();
    await world.drained();
    await say(a, bob, away.name, "now", `m${stored}`);
    await a.close();
});
