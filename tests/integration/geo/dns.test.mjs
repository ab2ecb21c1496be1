// SPDX-License-Identifier: Apache-2.0
// R32 through the real gdnsd: who is sent where, what happens when a region dies, and what `geo` refuses to put in force.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { addressesOf, clients, Dns, regions, sleep, until } from "./dns.mjs";
import { mmdb } from "./mmdb.mjs";

const expected = {
    "23.240.0.0/14": "us-west", "24.16.0.0/13": "us-west", "74.64.0.0/14": "us-east", "72.66.0.0/15": "us-east", "70.112.0.0/12": "us-east",
    "84.128.0.0/10": "eu", "126.0.0.0/9": "asia", "177.0.0.0/10": "us-east", "196.25.0.0/16": "eu", "1.128.0.0/11": "asia", "49.32.0.0/11": "asia",
    "94.200.0.0/13": "eu", "2003::/19": "eu", "2400:4000::/22": "asia",
};
const subnetOf = (prefix) => (prefix.includes(":") ? prefix.replace(/\/.*/, "/48") : prefix.replace(/\/.*/, "/24"));

const dns = new Dns(Number(process.env.MERIDIAN_SPARE_PORT ?? 25300) + 53);
before(async () => {
    await dns.serve(...Object.keys(regions));
    assert.equal(dns.apply(), "written; no gdnsd runs from this folder");
    await dns.start();
    await until("all are seen alive", () => !/"DOWN"/.test(dns.control("states").stdout));
});
after(() => dns.stop().then(() => rmSync(dns.top, { recursive: true })));

// As an operator does it by hand, or the agent: a whole new file, by a rename.
function state(lines) {
    const file = path.join(dns.state, "admin_state");
    writeFileSync(`${file}.new`, lines.map((line) => `${line}\n`).join(""));
    renameSync(`${file}.new`, file);
}
const german = "84.128.0.0/24";
const is = (subnet, region) => until(`${subnet} -> ${region}`, () => dns.ask("play.test", subnet) === region);

describe("where players are sent", () => {
    for (const [prefix, region] of Object.entries(expected)) {
        const { country, part } = clients[prefix];
        test(`${prefix} (${country}${part ? `-${part}` : ""}) to ${region}`, () => assert.equal(dns.ask("play.test", subnetOf(prefix)), region));
    }
    test("a network that is written down, where it is written", () => assert.equal(dns.ask("play.test", "10.9.1.0/24"), "asia"));
    test("nobody knows where: the first region", () => assert.equal(dns.ask("play.test", "203.0.113.0/24"), "us-east"));
    test("a name of each region's own", () => {
        for (const region of Object.keys(regions)) assert.equal(dns.ask(`${region}.play.test`, german), region);
    });
    test("two addresses an answer, and the plan's generation", () => {
        assert.equal(dns.dig("play.test", "A", `+subnet=${german}`).length, 2);
        assert.match(dns.dig("generation.play.test", "TXT")[0], /^"[0-9a-f]{16}"$/);
    });
    test("its name server is told with an address, and so are several", () => {
        assert.deepEqual([dns.dig("play.test", "NS"), dns.dig("ns1.play.test", "A")], [["ns1.play.test."], ["127.0.0.1"]]);
        const servers = ["ns1.play.test=127.0.0.1,::1", "ns2.play.test=127.0.0.2", "ns.elsewhere.test"];
        const words = servers.flatMap((one) => ["--name-server", one]);
        assert.equal(dns.geo("apply", ...words).code, 0);
        assert.deepEqual(dns.dig("play.test", "NS").sort(), ["ns.elsewhere.test.", "ns1.play.test.", "ns2.play.test."]);
        assert.deepEqual([dns.dig("ns1.play.test", "AAAA"), dns.dig("ns2.play.test", "A")], [["::1"], ["127.0.0.2"]]);
        assert.match(dns.geo("apply", "--name-server", "ns1.play.test").err, /lies in the zone/);
        assert.equal(dns.apply(), "zones reloaded");
    });
    test("a golden table, whole orders", () => {
        const file = path.join(dns.top, "golden");
        writeFileSync(file, "84.128.0.1 eu us-east us-west asia # Germany\n126.0.0.1 asia us-west eu us-east\n");
        assert.equal(dns.geo("check", "--golden", file).code, 0);
        writeFileSync(file, "84.128.0.1 us-east\n");
        const { code, err } = dns.geo("check", "--golden", file);
        assert.equal(code, 1);
        assert.match(err, /golden:1: 84\.128\.0\.1 goes to eu, us-east, us-west, asia, not to us-east/);
    });
});

describe("a region that dies", () => {
    test("its players go to their next region, and home again", async () => {
        await is(german, "eu");
        await dns.kill("eu");
        await is(german, "us-east");
        assert.equal(dns.ask("play.test", "126.0.0.0/24"), "asia");
        await dns.kill("us-east");
        await is(german, "us-west");
        await dns.serve("us-east");
        await dns.serve("eu");
        await is(german, "eu");
    });
    test("one of two addresses: only the other is named", async () => {
        const [first] = addressesOf("eu");
        await dns.kill(first);
        await until("one address", () => dns.dig("play.test", "A", `+subnet=${german}`).length === 1);
        assert.equal(dns.ask("play.test", german), "eu");
        await dns.serve(first);
        await until("two addresses", () => dns.dig("play.test", "A", `+subnet=${german}`).length === 2);
    });
    test("all die: answered as if all lived", async () => {
        await dns.kill(...Object.keys(regions));
        await sleep(5000);
        assert.equal(dns.ask("play.test", german), "eu");
        await dns.serve(...Object.keys(regions));
        await until("all are seen alive", () => !/"DOWN"/.test(dns.control("states").stdout));
    });
});

describe("the state file", () => {
    test("takes a region out and in again", async () => {
        state(["geoip/play/eu => DOWN"]);
        await is(german, "us-east");
        assert.equal(dns.ask("eu.play.test", german), "eu");
        state([]);
        await is(german, "eu");
    });
    for (const [percent, to] of [[30, "us-east"], [80, "us-west"]])
        test(`sends ${percent} % of a region's answers to ${to}`, async () => {
            const steps = ["home", ...Object.keys(regions).filter((name) => name !== "eu").flatMap((name) =>
                [10, 20, 30, 40, 50, 60, 70, 80, 90].map((step) => `${name}-${step}`))];
            state(steps.filter((step) => step !== `${to}-${percent}`).map((step) => `metafo/spill-eu/${step} => DOWN`));
            await until("some are sent away", () => dns.share(german, 20)[to] > 0);
            const counts = dns.share(german, 4000);
            const all = Object.values(counts).reduce((sum, one) => sum + one, 0);
            assert.ok(Math.abs((100 * counts[to]) / all - percent) < 3, JSON.stringify(counts)); // 3 sigma are 2.2
            assert.deepEqual(Object.keys(counts).sort(), ["eu", to].sort());
            assert.equal(dns.ask("play.test", "126.0.0.0/24"), "asia");
            state([]);
            await until("nobody is sent away", () => dns.share(german, 50)[to] === undefined);
        });
});

describe("geo", () => {
    test("apply: nothing twice; a changed order is in force at once, with no question lost", async () => {
        assert.equal(dns.apply(), "nothing changed");
        const before = dns.dig("generation.play.test", "TXT")[0];
        writeFileSync(dns.measured, "places: {DE asia: 5}\nnetworks: {10.9.0.0/16: [asia, eu, us-west, us-east]}\n");
        const asking = dns.asking("eu.play.test");
        await until("it is asked", () => asking.count > 3);
        assert.equal(dns.apply(), "gdnsd replaced by one with the new configuration"); // asked all the while: by another process
        assert.equal(dns.ask("play.test", german), "asia");
        assert.notEqual(dns.dig("generation.play.test", "TXT")[0], before);
        assert.deepEqual((await asking.end()).lost, []);
        writeFileSync(dns.measured, "places: {}\nnetworks: {10.9.0.0/16: [asia, eu, us-west, us-east]}\n");
        dns.apply();
        assert.equal(dns.dig("generation.play.test", "TXT")[0], before);
    });
    test("a database that gdnsd cannot read places from is refused, and the old plan stays", async () => {
        const good = readFileSync(dns.database);
        const flat = path.join(dns.top, "Flat-City.mmdb");
        writeFileSync(flat, mmdb(Object.entries(clients), { shape: "flat" }));
        const { code, err } = dns.geo("apply", "--database", flat);
        assert.equal(code, 1);
        assert.match(err, /tells gdnsd no place from another/);
        writeFileSync(flat, good.subarray(0, 100));
        assert.equal(dns.geo("apply", "--database", flat).code, 1);
        assert.equal(dns.geo("apply", "--database", "/nonexistent.mmdb").code, 1);
        assert.equal(dns.ask("play.test", german), "eu");
    });
    test("a wrong footprint: file, line and key, and nothing changes", () => {
        const good = readFileSync(dns.footprint, "utf8");
        writeFileSync(dns.footprint, good.replace("share_percent: 30", "share_percent: 31"));
        const { code, err } = dns.geo("apply");
        assert.equal(code, 1);
        assert.match(err, /footprint\.yaml:\d+: share_percent: the shares sum to 101, not to 100/);
        writeFileSync(dns.footprint, good);
        assert.equal(dns.apply(), "nothing changed");
    });
    test("wrong usage: 2 and one line that says what is wrong", () => {
        const wrong = [
            [["apply", "--probe", "http:0"], /--probe is .*, not http:0;/], [["apply", "--probe", "udp:1"], /not udp:1;/], [["apply", "--nonsense"], /unknown option --nonsense;/],
            [["apply", "word"], /unexpected word word;/], [["apply", "--run-dir"], /missing behind --run-dir;/], [["apply", "--listen", "127.0.0.1:70000"], /not 127\.0\.0\.1:70000;/],
            [["apply", "--golden", "x"], /--golden is for check, not for apply;/], [["forget"], /unknown command forget; usage: geo check/],
        ];
        for (const [words, why] of wrong) {
            const { code, err } = dns.geo(...words);
            assert.equal(code, 2, err);
            assert.match(err, why);
            assert.equal(err.trim().split("\n").length, 1);
        }
        assert.equal(dns.geo("check", "--help").code, 0);
    });
    test("no plan is not a good one", () => {
        const { code, err } = dns.geo("check", "--dir", path.join(dns.top, "nothing"));
        assert.equal(code, 1);
        assert.match(err, /^geo: there is no plan in /);
    });
});
