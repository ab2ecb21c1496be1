// SPDX-License-Identifier: Apache-2.0
// Several regions by infra/local/up in a state folder of their own: their addresses, the wide area between them, and commands run where they live.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, condition, ms = 30_000) {
    for (const deadline = Date.now() + ms; ; await sleep(20)) {
        if (await condition()) return;
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
    }
}

// Why namespaces cannot be had here; undefined when they can.
export function cannot() {
    if (process.getuid() !== 0) return "network namespaces need root";
    try {
        accessSync("/dev/net/tun", constants.W_OK);
    } catch {
        return "there is no /dev/net/tun";
    }
    return spawnSync("unshare", ["--net", "true"]).status === 0 ? undefined : "the kernel permits no network namespaces";
}

const run = (program, words, env = process.env) => {
    const done = spawnSync(program, words, { encoding: "utf8", env, timeout: 120_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
};

export class World {
    constructor(port) {
        this.port = port;
        this.state = mkdtempSync(path.join(tmpdir(), "w"));
        this.env = { ...process.env, MERIDIAN_LOCAL: this.state };
    }
    local(command, ...words) {
        return run(path.join(root, "infra/local", command), words, this.env);
    }
    up(regions, ...words) {
        const done = this.local("up", "--detach", "--binaries", build, "--port", String(this.port), "--regions", regions, ...words);
        assert.equal(done.code, 0, done.err + done.out);
        this.said = done.out;
        this.look();
    }
    // Which regions there are now, and where.
    look() {
        this.endpoints = JSON.parse(readFileSync(path.join(this.state, "endpoints.json"), "utf8"));
    }
    // up, interrupted when it has said these words: {code, text}.
    async interrupted(words, regions, ...more) {
        const options = ["--detach", "--binaries", build, "--port", String(this.port), "--regions", regions, ...more];
        const child = spawn(path.join(root, "infra/local/up"), options, { env: this.env, detached: true });
        let text = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
        const ended = once(child, "close");
        await until(words, () => text.includes(words) || child.exitCode !== null, 60_000);
        await sleep(1500);
        process.kill(-child.pid, "SIGINT");
        return { code: (await ended)[0], text };
    }
    // Command lines of what lives and was started for this world.
    processes() {
        const of = (pid) => {
            try {
                return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
            } catch {
                return ""; // has just ended
            }
        };
        return readdirSync("/proc").filter(Number).map(of).filter((line) => line.includes(this.state));
    }
    down() {
        return this.local("down");
    }
    // For the end: whatever happened, nothing stays.
    clean() {
        this.local("down", "--clean");
        rmSync(this.state, { recursive: true, force: true });
    }
    region(name) {
        return this.endpoints.regions.find((region) => region.name === name);
    }

    // Namespaces and devices of this world that are there; others' may be, too.
    traces() {
        const sum = spawnSync("cksum", { input: this.state, encoding: "utf8" }).stdout.split(" ")[0];
        const mark = Number(sum).toString(16).padStart(8, "0");
        const found = `${readdirSync("/run/netns").join("\n")}\n${run("ip", ["-o", "link"]).out}`.match(new RegExp(`mer-?${mark}[-a-z]*`, "g"));
        return [...new Set(found)].sort();
    }

    // One command to the wide area; its answer's lines.
    tell(...words) {
        const done = run(path.join(build, "tests/wan/meridian-wan"), ["tell", this.endpoints.wan, ...words]);
        assert.equal(done.code, 0, done.err);
        return done.out.trim().split("\n");
    }
    // {delay_ms, lost, passed, ...} of the way from one node to another
    way(from, to) {
        const words = this.tell("show").map((line) => line.split(" ")).find(([a, b]) => a === from && b === to).slice(2);
        return Object.fromEntries(Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], Number(words[2 * i + 1])]));
    }
    // A program where the region lives, or here.
    spawn(region, program, ...words) {
        const enter = region === "outside" ? [program] : ["nsenter", `--net=/run/netns/${this.region(region).namespace}`, program];
        return spawn(enter[0], [...enter.slice(1), ...words], { stdio: ["ignore", "pipe", "inherit"] });
    }
    // The regions that DNS answers a client of this network with; undefined when it does not answer.
    ask(name, subnet) {
        const [host, port] = this.endpoints.dns.server.split(":");
        const { code, out } = run("dig", ["+time=1", "+tries=1", "+short", `@${host}`, "-p", port, name, "A", `+subnet=${subnet}`]);
        return code === 0 ? out.trim().split("\n").map((address) => this.endpoints.regions.find((one) => one.address === address)?.name).join() : undefined;
    }
}
