// SPDX-License-Identifier: Apache-2.0
// R32: what is done about a region that dies, fills or is drained, and how long it takes until DNS says so. gdnsd's own two seconds included.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "./agent.mjs";
import { addressesOf, regions, sleep, until } from "./dns.mjs";
import { Resolver } from "./query.mjs";
import { Client } from "../outside/client.mjs";
import { player } from "../outside/footprint.mjs";

const agent = new Agent(Number(process.env.MERIDIAN_SPARE_PORT ?? 25300) + 63, { capacity: 4 });
const { dns } = agent;
const german = "84.128.0.0/24";
before(async () => {
    await dns.serve(...Object.keys(regions));
    dns.apply();
    await dns.start({ quick: false });
    await agent.start();
    await until("all is well", async () => (await agent.status()).regions.every(({ probes }) => probes.every(({ verdict }) => verdict === "good")));
});
after(async () => {
    Client.dropAll();
    if (agent.child.exitCode === null) await agent.stop();
    await dns.stop();
    rmSync(dns.top, { recursive: true });
});

const asked = () => dns.ask("play.test", german);
async function seconds(what, condition, ms = 20_000) {
    const began = Date.now();
    await until(what, condition, ms);
    return (Date.now() - began) / 1000;
}

describe("a region", () => {
    test("is told of by its leading router", async () => {
        await until("a report", async () => (await agent.of("us-east")).reported);
        assert.equal((await agent.of("eu")).reported, false);
        assert.equal((await agent.of("us-east")).out, false);
    });

    for (const [name, fault] of [["that dies", "kill"], ["whose edges hang", "hang"]])
        test(`${name} is out of DNS within seconds, and in again`, async (t) => {
            await until("eu", () => asked() === "eu");
            await dns[fault]("eu");
            t.diagnostic(`${fault}: another answer after ${await seconds("another answer", () => asked() === "us-east")} s`);
            await until("the agent sees it too", async () => (await agent.of("eu")).out); // gdnsd's own probe may be the first
            const { probes } = await agent.of("eu");
            assert.match(probes[0].why, fault === "kill" ? /refused|closed/ : /no end within 1000 ms/);
            if (fault === "hang") await dns.kill("eu");
            await dns.serve("eu");
            await until("eu again", () => asked() === "eu", 40_000);
            const answers = agent.lines().filter((line) => line.event === "answer" && line.region === "eu");
            assert.deepEqual(answers.slice(-2).map(({ out }) => out), [true, false]);
            assert.match(answers.at(-2).why, /^probe of 127\.53\.3\.\d:/);
        });

    // Out once; in again only when it has been well for ten seconds. Slower flapping and a region that fills: full.test.mjs.
    test("that flaps does not flap DNS", async (t) => {
        const resolver = new Resolver(`127.0.0.1:${dns.port}`), seen = [], before = agent.lines().length;
        let flapping = true;
        const watching = (async () => {
            for (; flapping; await sleep(50)) {
                const [address] = (await resolver.ask("play.test", "23.240.0.0/24")) ?? [];
                const name = Object.keys(regions).find((one) => addressesOf(one).includes(address));
                if (name !== undefined && seen.at(-1) !== name) seen.push(name); // a question may get lost
            }
        })();
        for (let i = 0; i < 3; i++) {
            await dns.kill("us-west");
            await sleep(3000); // two of the agent's looks and a second, whenever they come
            await dns.serve("us-west");
            await sleep(1000); // half of the time between two of gdnsd's looks
        }
        flapping = false;
        await watching;
        resolver.close();
        const decided = agent.lines().slice(before).filter(({ event, region }) => event === "answer" && region === "us-west");
        t.diagnostic(`down three times: the agent decided ${decided.length} times, DNS said ${seen.join(", ")}`);
        assert.deepEqual(seen, ["us-west", "us-east"], "out once, by the agent or by gdnsd's own look");
        assert.ok(decided.length <= 1);
    });

    // Only one region runs here; the others' load is not known, and nobody is sent into the unknown.
    test("that is full keeps its players when no neighbour is known to have room, and says so", async () => {
        const crowd = await Promise.all(Array.from({ length: 4 }, () => Client.connect(agent.region.edges[0].ws, player())));
        await until("load", async () => (await agent.of("us-east")).loadPermille >= 1000);
        await until("stuck", async () => (await agent.of("us-east")).stuck, 40_000);
        assert.equal((await agent.of("us-east")).share, 0);
        await Promise.all(crowd.map((client) => client.close()));
        await until("no load", async () => !(await agent.of("us-east")).stuck, 75_000);
    });
});

describe("an operator's wish", () => {
    test("drains at once, outlives the agent, and is taken back", async () => {
        const why = { reason: "new kernel", by: "ana" };
        assert.equal((await agent.wish({ region: "eu", wish: "drain", ...why })).code, 200);
        await until("out", () => asked() === "us-east");
        await agent.stop("SIGKILL");
        await sleep(1500);
        assert.equal(asked(), "us-east", "what holds, holds on");
        await agent.start();
        await sleep(3500);
        assert.deepEqual([asked(), (await agent.of("eu")).wish], ["us-east", "drain"]);
        assert.equal((await agent.wish({ region: "eu", wish: "nothing", ...why })).code, 200);
        await until("in", () => asked() === "eu");
        assert.deepEqual(agent.lines().filter(({ event }) => event === "wish").map(({ region, wish, by }) => [region, wish, by]),
                         [["eu", "drain", "ana"], ["eu", "nothing", "ana"]]);
    });
    test("drains over a time", async () => {
        const began = Date.now();
        await agent.wish({ region: "asia", wish: "drain", over_ms: "4000", reason: "test", by: "ana" });
        assert.equal((await agent.of("asia")).out, false);
        await until("out", async () => (await agent.of("asia")).out);
        assert.ok(Date.now() - began >= 3900);
        await agent.wish({ region: "asia", wish: "nothing", reason: "test", by: "ana" });
        await until("in", async () => !(await agent.of("asia")).out);
    });
    for (const [name, fields] of Object.entries({
        "without a reason": { region: "eu", wish: "drain", by: "ana" },
        "without a name": { region: "eu", wish: "drain", reason: "x" },
        "for no region": { region: "mars", wish: "drain", reason: "x", by: "ana" },
        "for nothing known": { region: "eu", wish: "explode", reason: "x", by: "ana" },
        "over too long": { region: "eu", wish: "drain", over_ms: "86400001", reason: "x", by: "ana" },
        "over no time": { region: "eu", wish: "drain", over_ms: "-1", reason: "x", by: "ana" },
        "with a line break": { region: "eu", wish: "drain", reason: "x\ny", by: "ana" },
        "with too long a reason": { region: "eu", wish: "drain", reason: "x".repeat(201), by: "ana" },
    }))
        test(`${name} is refused with a reason, and nothing changes`, async () => {
            const before = readFileSync(agent.journal, "utf8");
            const { code, error } = await agent.wish(fields);
            assert.equal(code, 400);
            assert.ok(error.length > 5);
            assert.equal(readFileSync(agent.journal, "utf8"), before);
        });
});

describe("the journal", () => {
    test("a line torn by a crash is passed over, one that is none is refused", async () => {
        assert.equal(await agent.stop(), 0);
        const good = readFileSync(agent.journal, "utf8");
        appendFileSync(agent.journal, '{"atMs": 1, "event": "wi');
        await agent.start();
        assert.equal(readFileSync(agent.journal, "utf8"), good);
        await agent.stop();
        writeFileSync(agent.journal, `${good}not json\n`);
        await assert.rejects(agent.start(), /journal:\d+: not a line of a journal/);
        writeFileSync(agent.journal, good);
        await agent.start();
    });
});
