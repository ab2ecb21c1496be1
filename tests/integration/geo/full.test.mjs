// SPDX-License-Identifier: Apache-2.0
// R32 end to end: four regions of small capacity, real players (meridian-load), their routers' reports, the real agent, the real gdnsd. A region that fills
// sends the share of its new players that the policy says to its neighbour, measured over thousands of questions, and takes them back; one
// that flaps does not flap DNS. The policy's own times are minutes, so this is run by hand: MERIDIAN_GEO_FULL=1 node --test full.test.mjs
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { World, cannot, sleep, until } from "../regions/world.mjs";
import { Resolver } from "./query.mjs";

const build = process.env.MERIDIAN_BUILD ?? path.resolve(import.meta.dirname, "../../../build/release");
const why = process.env.MERIDIAN_GEO_FULL ? cannot() : "takes minutes: MERIDIAN_GEO_FULL=1";
const CAPACITY = 200, QUERIES = 4000;
const DWELL_MS = 30_000; /* policy.h */
const GERMAN = "84.128.0.0/24", JAPANESE = "126.0.0.0/24";

describe("four small regions", { skip: why && `not here: ${why}` }, () => {
    const world = new World(Number(process.env.MERIDIAN_SPARE_PORT ?? 25300) + 600);
    const crowds = [];
    let agent, ended, resolver, admin, network;

    before(async () => {
        world.up("asia,eu,us-west,us-east", "--replicas", "0", "--edges", "1", "--routers", "1");
        admin = world.endpoints.dns.admin;
        resolver = new Resolver(world.endpoints.dns.server);
        const device = world.traces().find((one) => !one.startsWith("mer-"));
        network = spawnSync("ip", ["-o", "-4", "addr", "show", "dev", device], { encoding: "utf8" }).stdout.match(/inet (\d+\.\d+)\./)[1];
        spawnSync("ip", ["route", "add", "local", `${network}.128.0/17`, "dev", device]); /* players' addresses; goes with the device */
        /* The same agent once more, for regions that hold so few. */
        const footprint = path.join(world.state, "dns/footprint.yaml");
        writeFileSync(footprint, readFileSync(footprint, "utf8").replace(/capacity_players: \d+/g, `capacity_players: ${CAPACITY}`));
        process.kill(parseInt(readFileSync(path.join(world.state, "run/meridian-geo.pid"), "utf8"), 10), "SIGKILL");
        agent = spawn(path.join(build, "geo/meridian-geo"), ["--config", path.join(world.state, "config/meridian-geo.yaml")], { stdio: ["ignore", "ignore", "ignore"] });
        ended = once(agent, "exit");
        await until("the agent hears of all regions", async () => (await regions()).length === 4 && (await regions()).every(({ reported }) => reported));
    });
    after(async () => {
        for (const crowd of crowds) await leave(crowd);
        resolver?.close();
        agent?.kill();
        await ended;
        world.clean();
    });

    const regions = () => fetch(`${admin}/status`).then((answer) => answer.json(), () => ({ regions: [] })).then((said) => said.regions);
    const of = async (name) => (await regions()).find((one) => one.name === name);
    const answers = () => readFileSync(path.join(world.state, "dns/journal"), "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)).filter(({ event }) => event === "answer");
    const nameOf = (address) => world.endpoints.regions.find((one) => one.address === address)?.name ?? "none";

    /* Idle players, each from an address of his own. */
    function arrive(region, players) {
        const words = ["--mode", "idle", "--endpoints", path.join(world.state, "regions", region, "endpoints.json"), "--players", String(players), "--ramp", "3",
            "--seconds", "3600", "--quiet", "--sources", String(players), "--sources-from", `${network}.${128 + 8 * crowds.length}.1`];
        crowds.push(spawn(path.join(build, "tests/load/meridian-load"), words, { stdio: "ignore" }));
        return crowds.at(-1);
    }
    async function leave(crowd) {
        if (crowd.exitCode !== null) return;
        crowd.kill("SIGTERM");
        await once(crowd, "exit");
    }
    /* Percent of so many answers to one network, by region. */
    async function share(subnet, queries = QUERIES) {
        const counts = await resolver.count("play.test", subnet, queries);
        const percent = {};
        for (const [address, count] of Object.entries(counts)) percent[nameOf(address)] = (percent[nameOf(address)] ?? 0) + (100 * count) / queries;
        return percent;
    }
    /* The agent has set that share, and gdnsd has seen it (its own two seconds). */
    async function told(region, percent, ms) {
        await until(`${region} sends ${percent} %`, async () => (await of(region)).share === percent, ms);
        await sleep(2500);
        return of(region);
    }

    test("a region that fills sends its neighbour the share that is set, step by step", { timeout: 240_000 }, async (t) => {
        assert.deepEqual(await share(GERMAN), { eu: 100 });
        arrive("eu", 190);
        await until("eu is full", async () => (await of("eu")).loadPermille >= 900);
        for (const percent of [10, 20, 30]) {
            const { to, loadPermille } = await told("eu", percent, DWELL_MS + 10_000);
            const counts = await share(GERMAN);
            t.diagnostic(`load ${loadPermille} of 1000, set ${percent} % to ${to}: ${JSON.stringify(counts)} of ${QUERIES}`);
            assert.equal(to, "us-east");
            assert.deepEqual(Object.keys(counts).sort(), ["eu", "us-east"]);
            assert.ok(Math.abs(counts["us-east"] - percent) < 3, "3 sigma are 2.2");
            assert.deepEqual(await share(JAPANESE, 100), { asia: 100 }, "others' players go where they went");
        }
        const steps = answers().filter(({ region, share }) => region === "eu" && share > 0);
        for (const [i, step] of steps.entries()) if (i > 0) assert.ok(step.atMs - steps[i - 1].atMs >= DWELL_MS - 1500);
    });

    test("its neighbour fills, too: the next one gets them, and the full one nobody", { timeout: 120_000 }, async (t) => {
        arrive("us-east", 180);
        await until("us-west takes them", async () => (await of("eu")).to === "us-west", 60_000);
        await sleep(2500);
        const { share: percent } = await of("eu");
        const counts = await share(GERMAN);
        t.diagnostic(`set ${percent} % to us-west: ${JSON.stringify(counts)}`);
        assert.equal(counts["us-east"], undefined);
        assert.ok(Math.abs(counts["us-west"] - percent) < 3);
    });

    test("when there is room again it takes its players back, as slowly", { timeout: 400_000 }, async (t) => {
        for (const crowd of crowds.splice(0)) await leave(crowd);
        const began = Date.now();
        await until("eu takes all", async () => (await regions()).every(({ share }) => share === 0), 330_000);
        await sleep(2500);
        t.diagnostic(`after ${Math.round((Date.now() - began) / 1000)} s; steps: ${answers().filter(({ region }) => region === "eu").map(({ share, to }) => `${share}${to ? ` to ${to}` : ""}`).join(", ")}`);
        assert.deepEqual(await share(GERMAN), { eu: 100 });
    });

    for (const [stopped, running] of [[2000, 2000], [4000, 4000], [6000, 6000]])
        test(`a region whose edges hang ${stopped / 1000} s and run ${running / 1000} s, for a minute`, { timeout: 500_000 }, async (t) => {
            await until("asia is in", async () => !(await of("asia")).out && nameOf((await resolver.ask("play.test", JAPANESE))?.[0]) === "asia", 330_000);
            const pids = world.region("asia").edges.map(({ pid }) => pid), before = answers().length;
            const seen = [];
            let flapping = true;
            const watching = (async () => {
                for (; flapping; await sleep(50)) {
                    const name = nameOf((await resolver.ask("play.test", JAPANESE))?.[0]);
                    if (name !== "none" && seen.at(-1) !== name) seen.push(name); // a question may get lost
                }
            })();
            for (const end = Date.now() + 60_000; Date.now() < end;) {
                for (const pid of pids) process.kill(pid, "SIGSTOP");
                await sleep(stopped);
                for (const pid of pids) process.kill(pid, "SIGCONT");
                await sleep(running);
            }
            const changes = answers().slice(before).filter(({ region }) => region === "asia");
            flapping = false;
            await watching;
            t.diagnostic(`${Math.round(60_000 / (stopped + running))} times; the agent decided ${changes.length} times, DNS said: ${seen.join(", ")}`);
            assert.ok(changes.length <= 1, "out once, and in only when it has been well for 10 s");
            assert.ok(seen.length <= 2, "and DNS no more than that");
        });

    // Its edges answer every probe, and nobody gets a game: what counts is that no router can lead.
    test("a region whose Redis hangs leaves DNS, and comes back", { timeout: 180_000 }, async (t) => {
        const folder = path.join(world.state, "regions/us-west/redis"), american = "23.240.0.0/24";
        const pids = readdirSync(folder).filter((name) => /^\d+$/.test(name)).map((port) => Number(readFileSync(path.join(folder, port, "redis.pid"), "utf8")));
        const answer = async () => nameOf((await resolver.ask("play.test", american))?.[0]);
        const seconds = async (what, condition) => {
            const began = Date.now();
            await until(what, condition, 60_000);
            return ((Date.now() - began) / 1000).toFixed(1);
        };
        await until("us-west is in", async () => (await answer()) === "us-west", 330_000);
        for (const pid of pids) process.kill(pid, "SIGSTOP");
        try {
            const gone = await seconds("another answer", async () => !["us-west", "none"].includes(await answer()));
            const { health, probes } = await of("us-west");
            assert.deepEqual([health, ...probes.map(({ verdict }) => verdict)], ["down", "good"]);
            for (const pid of pids) process.kill(pid, "SIGCONT");
            t.diagnostic(`another answer after ${gone} s, home again ${await seconds("us-west again", async () => (await answer()) === "us-west")} s after Redis went on`);
        } finally {
            for (const pid of pids) process.kill(pid, "SIGCONT");
        }
    });
});
