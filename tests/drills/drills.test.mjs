// SPDX-License-Identifier: Apache-2.0
// The procedures and diagnoses of runbooks/ done as they are written, on a footprint of four regions under players: what is to be seen must be
// seen, and nobody loses what the page promises.
//
//   DRILLS=all tests/run drills       every page; without it those that are done within seconds
//   DRILLS=name,name                  these pages: edge-drain, diagnosis/games-freeze
//   DRILLS_AT=DIR                     on the footprint in that state folder, which runs already and is left running
//   DRILLS_RECORD=1                   writes day and duration into the pages
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { namesSet, notSeen, parsePage, stamped, tabled } from "./page.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 23350) + 600;
const QUICK = ["edge-drain", "router-leader-lost", "certificate-rotation"];
const SPARE_S = 120; // a step that is not asked again
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const programs = ["region-router", "infra/platform/tools", "infra/planner", "geo", "tests/wan", "tests/load"].map((dir) => path.join(build, dir));
let state, env;
function useState(dir) {
    state = dir;
    env = { ...process.env, MERIDIAN_LOCAL: state, PATH: [...programs, path.join(root, "infra/host"), process.env.PATH].join(":") };
}

const readme = path.join(root, "runbooks/README.md");
const fileOf = (page) => path.join(root, "runbooks", page.includes("/") ? "" : "procedures", `${page}.md`);
const pagesIn = (folder) => readdirSync(path.join(root, "runbooks", folder)).map((file) => file.slice(0, -3)).sort();
const all = [...pagesIn("procedures"), ...pagesIn("diagnosis").map((page) => `diagnosis/${page}`)];
const wanted = process.env.DRILLS === "all" ? all : (process.env.DRILLS?.split(",") ?? QUICK);
const isAlone = (page) => parsePage(readFileSync(fileOf(page), "utf8"), `${page}.md`).alone;
const namespaces = process.getuid() === 0 && existsSync("/dev/net/tun") && spawnSync("ip", ["netns", "list"]).status === 0;

function local(command, ...args) {
    const done = spawnSync(path.join(root, "infra/local", command), args, { env, encoding: "utf8", timeout: 180_000 });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}

/* --- players --- */

const worldOf = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8")).regions;
class Players {
    constructor(region) {
        const { namespace } = worldOf().find((one) => one.name === region);
        const at = path.join(state, "regions", region);
        this.region = region;
        this.json = path.join(state, `players-${region}.json`);
        this.child = spawn("ip", ["netns", "exec", namespace, path.join(build, "tests/load/meridian-load"), "--endpoints", path.join(at, "endpoints.json"),
            "--keys", path.join(at, "keys/private.jwks"), "--redis-password", path.join(at, "redis/password"), "--players", "40", "--think", "300", "--ramp", "1",
            "--warmup", "1", "--seconds", "900", "--drain", "60", "--json", this.json], { stdio: ["ignore", "ignore", "pipe"] });
        this.words = "";
        this.child.stderr.on("data", (data) => { this.words += data; });
        this.ended = new Promise((resolve) => this.child.on("close", resolve));
    }
    async playing() {
        for (const until = Date.now() + 60_000; !/ measure /.test(this.words);) {
            assert.ok(Date.now() < until && this.child.exitCode === null, `nobody plays in ${this.region}: ${this.words.slice(-500)}`);
            await sleep(100);
        }
    }
    // They play their games to the end, and everything they were told agrees.
    async stop() {
        this.child.kill("SIGINT");
        await this.ended;
        const { counts, faults } = JSON.parse(readFileSync(this.json, "utf8"));
        assert.deepEqual([faults.total, counts.unanswered, counts.stuck], [0, 0, 0], `${this.region}: ${faults.texts}`);
        assert.ok(counts.moves_ok > 40, `${this.region}: ${counts.moves_ok} moves`);
        return counts;
    }
}

/* --- a page --- */

function shell(code) {
    const whole = `. '${root}/runbooks/tools.sh'\n${code}`;
    const done = spawnSync("bash", ["-euo", "pipefail", "-c", whole], { env, cwd: root, encoding: "utf8", timeout: SPARE_S * 1000 });
    return { code: done.status, output: done.stdout, said: done.stdout + done.stderr };
}
// What was set, as it was worked out: later steps must not work it out anew.
function valuesOf(page, { line, code }, given) {
    const done = shell([...given, code, ...namesSet(code).map((name) => `declare -p ${name}`)].join("\n"));
    assert.equal(done.code, 0, `${page}.md:${line}: ${code}\n(${done.code}) ${done.said}`);
    return done.output.replace(/^declare -[-x]+ /gm, "");
}
async function step(page, { kind, line, code, within, see }, given) {
    const place = `${page}.md:${line}`;
    const until = Date.now() + within * 1000;
    for (;;) {
        const done = shell(given.join("\n") + "\n" + code);
        const missing = done.code === 0 ? notSeen(see ?? [], done.output) : "exit code 0";
        if (missing === undefined) return;
        if (Date.now() >= until) assert.fail(`${place}: ${kind} ${code}\nnot seen: ${missing}\nbut: (${done.code}) ${done.said}`);
        await sleep(200);
    }
}
async function drill(page) {
    const file = fileOf(page);
    const text = readFileSync(file, "utf8");
    const { players, steps } = parsePage(text, `${page}.md`);
    const crowd = players.map((region) => new Players(region));
    const given = [];
    let counts;
    try {
        await Promise.all(crowd.map((one) => one.playing()));
        const began = performance.now();
        for (const one of steps) {
            if (one.kind === "set") given.push(valuesOf(page, one, given));
            else await step(page, one, given);
        }
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        counts = await Promise.all(crowd.map((one) => one.stop()));
        const moves = counts.reduce((sum, one) => sum + one.moves_ok, 0);
        const games = counts.reduce((sum, one) => sum + one.games_ended, 0);
        const told = `${seconds} s` + (crowd.length > 0 ? `; meanwhile ${games} games and ${moves} moves, none lost` : "");
        console.log(`${page}: ${told}`);
        if (process.env.DRILLS_RECORD) {
            writeFileSync(file, stamped(text, `${new Date().toISOString().slice(0, 10)}, ${told}.`));
            writeFileSync(readme, tabled(readFileSync(readme, "utf8"), page, seconds));
        }
    } finally {
        for (const one of crowd) one.child.kill("SIGKILL");
    }
}

function drills(name, pages) {
    if (pages.length > 0) describe(name, { skip: namespaces ? false : "network namespaces need root: nothing is drilled" }, () => drillAll(pages));
}
function drillAll(pages) {
    const own = !process.env.DRILLS_AT;
    before(() => {
        useState(process.env.DRILLS_AT ?? mkdtempSync(path.join(os.tmpdir(), "d-")));
        if (own) local("up", "--detach", "--binaries", build, "--port", String(base));
    });
    after(() => {
        if (!own) return;
        local("down");
        rmSync(state, { recursive: true, force: true });
    });
    for (const page of pages) test(page, { timeout: 600_000 }, () => drill(page));
}

drills("runbooks", wanted.filter((page) => !isAlone(page)));
for (const page of wanted.filter(isAlone)) drills(`alone: ${page}`, [page]);

describe("every page", () => {
    for (const page of all) test(`${page} is written as a drill reads it`, () => {
        const text = readFileSync(fileOf(page), "utf8");
        parsePage(text, `${page}.md`);
        assert.ok(stamped(text, "") !== undefined, "no line for the last drill");
    });
});
