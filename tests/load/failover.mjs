// SPDX-License-Identifier: Apache-2.0
// A region with all its players, lost as a whole, at scale: regions in namespaces with distances between them and to the players, meridian-load
// as the players, real geo-DNS. Says when DNS changed its answer, when the players were in new games, and how they went home.
//
//   node tests/load/failover.mjs [--players N] [--regions A,B,...] [--fault kill|silence|both] [--port BASE] [--homeward S] [--edges N] [--crowds N]
//
// The first region is the one that is lost. Needs root (namespaces). --crowds: so many generator processes, --players each.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Resolver } from "../integration/geo/query.mjs";
import { World, cannot, sleep, until } from "../integration/regions/world.mjs";

const NEAR_MS = { "us-east": 20, "us-west": 70, eu: 90, asia: 160 }; /* round trips of players of the US' east coast */
const CLIENTS = { "us-east": "72.66.0.0/24", "us-west": "24.16.0.0/24", eu: "84.128.0.0/24", asia: "126.0.0.0/24" };
const { values: o } = parseArgs({ options: {
    players: { type: "string", default: "2000" }, regions: { type: "string", default: "us-east,eu" }, fault: { type: "string", default: "both" },
    port: { type: "string", default: "16000" }, homeward: { type: "string", default: "20" }, edges: { type: "string", default: "2" },
    crowds: { type: "string", default: "1" }, think: { type: "string", default: "3000" },
} });
const load = path.join(process.env.MERIDIAN_BUILD ?? path.resolve(import.meta.dirname, "../../build/release"), "tests/load/meridian-load");

/** The world, with players at their distances, each with an address of his own. */
class Field {
    constructor() {
        this.world = new World(Number(o.port));
        this.names = o.regions.split(",");
        this.lost = this.names[0];
    }
    up() {
        this.world.up(o.regions, "--replicas", "0", "--edges", o.edges, "--routers", "1");
        for (const name of this.names) this.world.tell("set", "both", "outside", name, "delay_ms", String((NEAR_MS[name] ?? 100) / 2));
        const device = this.world.traces().find((one) => one.startsWith("mer") && !one.startsWith("mer-"));
        const own = spawnSync("ip", ["-o", "-4", "addr", "show", "dev", device], { encoding: "utf8" }).stdout.match(/inet (\d+\.\d+)\./)[1];
        spawnSync("ip", ["route", "add", "local", `${own}.128.0/17`, "dev", device]); /* goes with the device */
        this.resolver = new Resolver(this.world.endpoints.dns.server);
        this.source = (i) => `${own}.${128 + 32 * i}.1`;
    }
    kill() {
        const pids = spawnSync("ip", ["netns", "pids", this.world.region(this.lost).namespace], { encoding: "utf8" }).stdout.trim().split("\n").map(Number);
        for (const pid of pids) process.kill(pid, "SIGKILL");
    }
    restart() {
        this.world.local("down", "--region", this.lost);
        const { code, err } = this.world.local("up");
        if (code !== 0) throw new Error(err);
    }
    silence() {
        for (const other of [...this.names.slice(1), "outside"]) this.world.tell("cut", "both", this.lost, other);
    }
    async answer() {
        const [address] = (await this.resolver.ask("play.test", CLIENTS[this.lost])) ?? [];
        return this.world.endpoints.regions.find((one) => one.address === address)?.name;
    }
    down() {
        this.resolver?.close();
        this.world.clean();
    }
}

/** A meridian-load in mode failover. */
class Crowd {
    constructor(field, i, json) {
        this.json = json;
        /* Players' own devices do not slow down because this machine has much to do. */
        this.child = spawn("nice", ["-n", "-10", load, "--mode", "failover", "--endpoints", path.join(field.world.state, "endpoints.json"), "--players", o.players, "--think", o.think,
            "--ramp", String(Math.ceil(Number(o.players) / 250)), "--seconds", "300", "--homeward", o.homeward, "--look", "5", "--sources", String(Math.min(Number(o.players), 8000)),
            "--sources-from", field.source(i), "--quiet", "--json", json], { stdio: ["ignore", "pipe", "inherit"] });
        this.said = "";
        this.ended = new Promise((resolve) => this.child.on("close", (code) => resolve((this.code = code))));
        createInterface(this.child.stdout).on("line", (line) => (this.said += `${line}\n`));
    }
    says(what, ms) {
        return until(what, () => {
            if (new RegExp(`^NOT|^INVARIANTS`, "m").test(this.said) || this.code !== undefined) throw new Error(`${this.said}\nexit ${this.code}`);
            return new RegExp(`^${what}`, "m").test(this.said);
        }, ms);
    }
}

/* Processor time in ms of whatever runs on this machine, by program and region. */
function cpu() {
    const used = {};
    for (const pid of readdirSync("/proc").filter(Number)) {
        try {
            const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
            const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
            const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
            const name = words.match(/(?:regions\/)([a-z-]+)\/(?:config|redis)\/([a-z0-9-]+)/)?.slice(1).join("/") ?? words.split(" ")[0].split("/").at(-1);
            used[name] = (used[name] ?? 0) + 10 * (user + system);
        } catch { /* has just ended */ }
    }
    return used;
}
function cpuSince(before) {
    const now = cpu();
    const grown = Object.entries(now).map(([name, ms]) => [name, ms - (before[name] ?? 0)]).filter(([, ms]) => ms >= 50);
    return grown.sort((a, b) => b[1] - a[1]).map(([name, ms]) => `${name} ${ms}`).join(", ");
}

const seconds = (fromMs) => ((performance.now() - fromMs) / 1000).toFixed(2);

async function run(field, fault) {
    const crowds = [];
    for (let i = 0; i < Number(o.crowds); i++) crowds.push(new Crowd(field, i, path.join(field.world.state, `${fault}-${i}.json`)));
    await Promise.all(crowds.map((crowd) => crowd.says("playing", 120_000)));
    await sleep(5000);
    await until("DNS", async () => (await field.answer()) === field.lost, 90_000);
    const began = performance.now(), used = cpu();
    for (const { child } of crowds) child.kill("SIGUSR1");
    if (fault === "kill") field.kill();
    else field.silence();
    const dns = (async () => {
        await until("another answer", async () => (await field.answer()) !== field.lost, 60_000);
        return seconds(began);
    })();
    await Promise.all(crowds.map((crowd) => crowd.says("elsewhere", 90_000)));
    console.log(`${fault}: processor time until then, ms: ${cpuSince(used)}`);
    console.log(`${fault}: DNS changed after ${await dns} s`);
    await sleep(3000);
    if (fault === "kill") field.restart();
    else field.world.tell("heal");
    for (const { child } of crowds) child.kill("SIGUSR2");
    await Promise.all(crowds.map(({ ended }) => ended));
    for (const { said, json, code } of crowds) {
        const { times, failover } = JSON.parse(readFileSync(json, "utf8"));
        const of = (name) => Object.entries(times[name]).map(([key, value]) => `${key} ${Math.round(value)}`).join(", ");
        console.log(`${fault}: connected elsewhere, ms: ${of("elsewhere")}`);
        console.log(`${fault}: in a new game, ms: ${of("new_game")}`);
        console.log(`${fault}: ${said.match(/^returns.*/m)?.[0]}`);
        console.log(`${fault}: home a second: ${failover.returnsEachSecond.join(" ")}; ${failover.surveys} surveys, ${failover.pings} pings`);
        console.log(`${fault}: ${said.trim().split("\n").at(-1)} (exit ${code})`);
        if (process.env.VERBOSE) console.log(said);
        if (code !== 0) process.exitCode = 1;
    }
}

const why = cannot();
if (why) throw new Error(`not here: ${why}`);
const field = new Field();
try {
    field.up();
    for (const fault of o.fault === "both" ? ["kill", "silence"] : [o.fault]) await run(field, fault);
} finally {
    field.down();
}
