#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What an edge does with five times what it can do. Two edges, each with a footprint of its own and the same share of a core (a control
// group's CPU quota); players, routers and Redis run outside of it. The first has admission switched off and gets as many players as it can
// bear: players come slowly until moves take too long, and the most moves a second whose p99 is under 100 ms are its capacity. They stay, so
// that whatever else goes on on this machine slows both edges alike. The second, as delivered, first gets four fifths of these players, and
// then, within seconds, so many more that five times the capacity wants to play; who is refused comes back when he is told.
// Told: accepted work and latency of the games in play against those of the first edge at the same time, and who got no answer.
//
//   tests/bench/overload/overload.mjs [--quota PERCENT] [--hold S] [--times N] [--most N] [--short] [--check] [--json FILE]
//
//   --quota     percent of a core for each edge (6; at least 5)
//   --hold S    how long the crowd stays (45)
//   --times N   how much of the capacity wants to play (5)
//   --most N    players that the capacity is looked for with at most (1500)
//   --short     a quick look: three times the capacity for 20 s
//   --check     exit 1 when accepted work is below 0.9 of the peak, p99 of the games in play above twice the capacity's, or anybody is
//               left without an answer
//   --json FILE the figures
//
// MERIDIAN_BUILD=DIR is the build folder (build/release), MERIDIAN_PORT the first port (15200; the second footprint has the next 300). Needs
// root for the control groups; without them each edge is pinned to a core that busy loops compete for, which is less exact.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Cage } from "./cage.mjs";
import { judge, peak, window } from "./judge.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const port = Number(process.env.MERIDIAN_PORT ?? 15200);
const { values: options } = parseArgs({
    options: {
        quota: { type: "string", default: "6" }, hold: { type: "string" }, times: { type: "string" }, most: { type: "string", default: "1500" },
        short: { type: "boolean" }, check: { type: "boolean" }, json: { type: "string" },
    },
});
const quota = Number(options.quota), hold = Number(options.hold ?? (options.short ? 20 : 45)), times = Number(options.times ?? (options.short ? 3 : 5));
const THINK_MS = 500, SETTLE_S = 10, CALM_S = 10, CROWD_RAMP_S = 5;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const even = (n) => 2 * Math.round(n / 2);
const say = (text) => process.stderr.write(text + "\n");

class Footprint {
    constructor(base) {
        this.base = base;
        this.players = [];
        this.state = mkdtempSync(path.join(os.tmpdir(), "o"));
    }
    local(command, ...args) {
        const env = { ...process.env, MERIDIAN_LOCAL: this.state };
        const done = spawnSync(path.join(root, "infra/local", command), args, { env, encoding: "utf8", timeout: 240_000 });
        assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    up(...sets) {
        const wide = ["handshakes_per_second=100000", "handshakes_burst=100000", "connections_per_address=100000"];
        const args = [...wide, ...sets].flatMap((set) => ["--edge-set", set]);
        this.local("up", "--detach", "--regions", "us-east", "--edges", "1", "--binaries", build, "--port", String(this.base), ...args);
        const [region] = JSON.parse(readFileSync(path.join(this.state, "endpoints.json"), "utf8")).regions;
        this.edge = region.edges[0];
    }
    down() {
        for (const players of this.players) players.child.kill("SIGKILL");
        this.local("down", "--clean");
        rmSync(this.state, { recursive: true, force: true });
    }
    // Counters of the edge by name with labels.
    async metrics() {
        const text = await (await fetch(`http://${this.edge.admin.replace(/^https?:\/\//, "")}/metrics`)).text();
        return Object.fromEntries(text.split("\n").filter((line) => line && line[0] !== "#").map((line) => {
            const at = line.lastIndexOf(" ");
            return [line.slice(0, at), Number(line.slice(at + 1))];
        }));
    }
}

// What the edge's counters grew by, a second; process_cpu_seconds_total is the share of a core it used.
function between([fromMs, from], [toMs, to]) {
    const grown = Object.entries(to).map(([name, value]) => [name, (value - (from[name] ?? 0)) * 1000 / (toMs - fromMs)]);
    return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}

// Players in a process of their own; `lines` holds what it said so far.
class Players {
    constructor(footprint, name, ...args) {
        footprint.players.push(this);
        this.json = path.join(footprint.state, `${name}.json`);
        this.lines = [];
        this.child = spawn(path.join(build, "tests/load/meridian-load"), [
            "--endpoints", path.join(footprint.state, "endpoints.json"), "--think", String(THINK_MS), "--cross", "any", "--seconds", "1",
            "--warmup", "600", "--drain", "3", "--json", this.json, ...args.map(String)], { stdio: ["ignore", "ignore", "pipe"] });
        this.child.stderr.on("data", (data) => this.lines.push(...String(data).split("\n").filter(Boolean)));
        this.ended = new Promise((done) => this.child.once("exit", done));
    }
    get p99() { // of the last seconds, the middle one
        const seen = this.lines.slice(-5).map((line) => Number(/p99 ([\d.]+)/.exec(line)?.[1] ?? 0)).sort((a, b) => a - b);
        return seen[Math.floor(seen.length / 2)] ?? 0;
    }
    async end() {
        this.child.kill("SIGINT");
        await this.ended;
        assert.ok(existsSync(this.json), this.lines.slice(-5).join("\n"));
        return JSON.parse(readFileSync(this.json, "utf8"));
    }
}

// Comes slowly, and stops coming when moves take too long. What is known then is the capacity.
async function capacity(footprint) {
    const ramp = options.short ? 50 : 75;
    const players = new Players(footprint, "capacity", "--players", options.most, "--ramp", ramp);
    for (let second = 0; second < ramp + 10; second++) {
        await sleep(1000);
        if (second > 15 && players.p99 > 250) break;
    }
    const result = await players.end();
    return peak(result.eachSecond);
}

async function overload(free, edge, best) {
    const enough = new Players(free, "enough", "--players", even(best.playing), "--ramp", 10);
    const seated = new Players(edge, "seated", "--players", even(best.playing * 0.8), "--ramp", 10);
    await sleep((10 + SETTLE_S) * 1000);
    const calm = [Date.now(), await edge.metrics()];
    await sleep(CALM_S * 1000);
    const start = [Date.now(), await edge.metrics()];
    const crowd = new Players(edge, "crowd", "--players", Math.round(best.playing * times) - even(best.playing * 0.8), "--ramp", CROWD_RAMP_S);
    await sleep(CROWD_RAMP_S * 1000);
    const from = Date.now();
    await sleep(hold * 1000);
    const end = [Date.now(), await edge.metrics()];
    const [e, s, c] = await Promise.all([enough.end(), seated.end(), crowd.end()]);
    return {
        calm: between(calm, start), crowded: between(start, end),
        peakBefore: window([e], calm[0], start[0]), peak: window([e], from, end[0]),
        before: window([s], calm[0], start[0]), during: window([s, c], from, end[0]), inPlay: window([s], from, end[0]),
        results: [s, c],
    };
}

const cage = new Cage(quota);
const free = new Footprint(port), edge = new Footprint(port + 300);
try {
    say(cage.description);
    free.up("overload_refuse=false");
    edge.up("overload_late_ms=25");
    cage.inside(free.edge.pid, 0);
    cage.inside(edge.edge.pid, 1);
    const best = await capacity(free);
    say(`capacity: ${best.movesPerSecond.toFixed(0)} moves/s by ${best.playing} players, p99 ${best.p99.toFixed(1)} ms`);
    const seen = await overload(free, edge, best);
    const verdict = judge(best, seen, times);
    process.stdout.write(verdict.text);
    if (options.json) {
        writeFileSync(options.json, JSON.stringify({ cage: cage.description, quota, best, seen: { ...seen, results: undefined }, verdict }, null, 2));
    }
    if (options.check && !verdict.good) process.exitCode = 1;
} finally {
    free.down();
    edge.down();
    cage.close();
}
