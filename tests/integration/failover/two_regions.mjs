// SPDX-License-Identifier: Apache-2.0
// Two regions on loopback, an address and a state folder each, one set of keys; their routers see each other.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { claimsOf, signToken } from "../outside/footprint.mjs";

const root = path.resolve(import.meta.dirname, "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const port = Number(process.env.MERIDIAN_SPARE_PORT ?? 16000);
const MESH = 220; /* the first router's port for other regions, as infra/local/up counts */
const top = mkdtempSync(path.join(os.tmpdir(), "f"));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One of them; `all` is both. */
export class Region {
    /** signer: the file with the key for its list */
    constructor(name, address, signer, all) {
        Object.assign(this, { name, address, signer, all, dir: path.join(top, name), url: `http://${address}:${port}` });
    }

    async #local(command, ...options) {
        const child = spawn(path.join(root, "infra/local", command), options, { env: { ...process.env, MERIDIAN_LOCAL: this.dir }, stdio: ["ignore", "pipe", "pipe"] });
        let said = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
        const code = await new Promise((resolve) => child.on("close", resolve));
        assert.equal(code, 0, said);
    }

    async up() {
        const lists = this.all.flatMap(({ name, url }) => ["--region-at", `${name} ${url}`]);
        const others = this.all.filter((one) => one !== this).flatMap(({ name, address }) => ["--mesh-peer", `${name} ${address}:${port + MESH}`]);
        await this.#local("up", "--detach", "--edges", "2", "--routers", "1", "--replicas", "0", "--region", this.name, "--address", this.address,
            "--edge-set", `regions_keys=${path.join(this.dir, "keys", this.signer)}`, "--port", String(port), "--binaries", build, "--edge-set", "handshakes_per_second=2000", "--edge-set", "handshakes_burst=2000", ...lists, ...others);
        this.endpoints = JSON.parse(readFileSync(path.join(this.dir, "endpoints.json"), "utf8"));
        const [region] = this.endpoints.regions;
        const redis = readdirSync(path.join(this.dir, "redis"), { withFileTypes: true }).filter((one) => one.isDirectory());
        this.pids = [
            ...[...region.edges, ...region.routers].map(({ pid }) => pid),
            ...redis.map(({ name }) => Number(readFileSync(path.join(this.dir, "redis", name, "redis.pid"), "utf8"))),
        ];
    }

    down() {
        return this.#local("down");
    }

    /** To every process of the region at once: edges, routers, Redis. */
    signal(signal) {
        for (const pid of this.pids) process.kill(pid, signal);
    }

    keys() {
        return JSON.parse(readFileSync(path.join(this.dir, "keys", "public.jwks"), "utf8")).keys;
    }

    token(user) {
        const [key] = JSON.parse(readFileSync(path.join(this.dir, "keys", "private.jwks"), "utf8")).keys;
        return signToken(claimsOf(user), { key });
    }
}

const all = [];
all.push(new Region("us-east", "127.77.1.1", "private.jwks", all), new Region("eu", "127.77.1.2", "guest.jwks", all));

/** Both of them, running. */
export async function twoRegions() {
    mkdirSync(path.join(top, "eu"), { recursive: true });
    for (const shared of ["keys", "tls"]) {
        mkdirSync(path.join(top, "us-east", shared), { recursive: true });
        symlinkSync(`../us-east/${shared}`, path.join(top, "eu", shared));
    }
    for (const region of all) await region.up();
    return all;
}

/** Ends what twoRegions() began, however far it came. */
export async function endRegions() {
    for (const region of all) {
        for (const pid of region.pids ?? []) if (isStopped(pid)) process.kill(pid, "SIGCONT");
        await region.down();
    }
    rmSync(top, { recursive: true, force: true });
}

const isStopped = (pid) => spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.startsWith("T");

export async function until(what, condition, ms = 30_000) {
    for (const deadline = performance.now() + ms; ; await sleep(20)) {
        if (await condition()) return;
        assert.ok(performance.now() < deadline, `not in time: ${what}`);
    }
}
