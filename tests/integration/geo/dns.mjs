// SPDX-License-Identifier: Apache-2.0
// A real gdnsd in a folder of its own, planned by `geo`, and the regions' player ports it looks at: forwarders
// to an edge of the footprint under test (ports.mjs).
import assert from "node:assert/strict";
import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { readEndpoints } from "../outside/footprint.mjs";
import { mmdb } from "./mmdb.mjs";

const root = path.resolve(import.meta.dirname, "../../..");
const geo = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/release"), "geo/geo");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

// Real prefixes of large access networks.
export const clients = {
    "23.240.0.0/14": { continent: "NA", country: "US", part: "CA" }, "24.16.0.0/13": { continent: "NA", country: "US", part: "WA" },
    "74.64.0.0/14": { continent: "NA", country: "US", part: "NY" }, "72.66.0.0/15": { continent: "NA", country: "US", part: "VA" },
    "70.112.0.0/12": { continent: "NA", country: "US", part: "TX" }, "84.128.0.0/10": { continent: "EU", country: "DE" },
    "126.0.0.0/9": { continent: "AS", country: "JP" }, "177.0.0.0/10": { continent: "SA", country: "BR" },
    "196.25.0.0/16": { continent: "AF", country: "ZA" }, "1.128.0.0/11": { continent: "OC", country: "AU" },
    "49.32.0.0/11": { continent: "AS", country: "IN" }, "94.200.0.0/13": { continent: "AS", country: "AE" },
    "2003::/19": { continent: "EU", country: "DE" }, "2400:4000::/22": { continent: "AS", country: "JP" },
};

export const regions = { "us-east": 1, "us-west": 2, eu: 3, asia: 4 };
export const addressesOf = (region) => [1, 2].map((host) => `127.53.${regions[region]}.${host}`);
const regionOf = (address) => Object.keys(regions).find((name) => addressesOf(name).includes(address));

// The repository's footprint with addresses that exist here.
function footprint() {
    let name;
    return readFileSync(path.join(root, "geo/footprint.yaml"), "utf8").split("\n").map((line) => {
        name = line.match(/- name: (\S+)/)?.[1] ?? name;
        return line.replace(/addresses: .*/, () => `addresses: [${addressesOf(name).join(", ")}]`);
    }).join("\n");
}

export class Dns {
    // edge: the player port of an edge that runs
    constructor(port, edge = new URL(readEndpoints().regions[0].edges[0].url).port) {
        this.port = port;
        this.probePort = port + 1;
        this.top = mkdtempSync(path.join(tmpdir(), "meridian-dns-"));
        this.dir = path.join(this.top, "gdnsd");
        this.state = path.join(this.top, "state");
        this.footprint = path.join(this.top, "footprint.yaml");
        this.measured = path.join(this.top, "measured.yaml");
        this.database = path.join(this.top, "City.mmdb");
        mkdirSync(this.state);
        mkdirSync(path.join(this.top, "run"));
        writeFileSync(this.footprint, footprint());
        writeFileSync(this.measured, "places: {}\nnetworks: {10.9.0.0/16: [asia, eu, us-west, us-east]}\n");
        writeFileSync(this.database, mmdb(Object.entries(clients)));
        this.ports = fork(path.join(import.meta.dirname, "ports.mjs"), [String(this.probePort), String(edge)]);
    }

    geo(command, ...more) {
        const run = spawnSync(geo, [command, "--dir", this.dir, "--footprint", this.footprint, "--measured", this.measured, "--listen",
            `127.0.0.1:${this.port}`, "--database", this.database, "--probe", `http:${this.probePort}`, "--run-dir", path.join(this.top, "run"),
            "--state-dir", this.state, ...more], { encoding: "utf8", env });
        return { code: run.status, out: run.stdout, err: run.stderr };
    }
    apply() {
        const { code, out, err } = this.geo("apply");
        assert.equal(code, 0, err);
        return out.replace(/^generation \S+: /, "").trim();
    }

    // Regions, or single addresses, begin and cease to answer.
    async serve(...names) {
        this.ports.send({ open: names.flatMap((name) => (name in regions ? addressesOf(name) : [name])) });
        await once(this.ports, "message");
    }
    async kill(...names) {
        this.ports.send({ close: names.flatMap((name) => (name in regions ? addressesOf(name) : [name])) });
        await once(this.ports, "message");
    }

    // ... take connections and say nothing, until they are closed.
    async hang(...names) {
        this.ports.send({ hang: names.flatMap((name) => addressesOf(name)) });
        await once(this.ports, "message");
    }

    // `quick`: without gdnsd's own two seconds of settling.
    async start({ quick = true } = {}) {
        this.log = "";
        const child = spawn("gdnsd", ["-c", this.dir, "start"], { env: { ...env, ...(quick ? { GDNSD_TESTSUITE_NODELAY: "1" } : {}) } });
        child.stderr.on("data", (data) => (this.log += data));
        await until("gdnsd answers", () => this.ask("play.test") !== undefined);
    }
    control(command) {
        return spawnSync("gdnsdctl", ["-c", this.dir, command], { env, encoding: "utf8" });
    }
    async stop() {
        this.asker?.kill();
        this.control("stop");
        this.ports.kill();
        await once(this.ports, "exit");
    }

    // What dig says, a line each; undefined when nobody answers.
    dig(...words) {
        const run = spawnSync("dig", ["+time=5", "+tries=1", "+short", "@127.0.0.1", "-p", String(this.port), ...words], { encoding: "utf8" });
        return run.status === 0 ? run.stdout.trim().split("\n") : undefined;
    }
    // Asks one question after another, beside whatever this process does: {count, lost: [what dig said of those without an answer]}.
    asking(name) {
        const words = `@127.0.0.1 -p ${this.port} ${name} A`;
        const child = spawn("bash", ["-c", `while :; do said=$(dig +time=5 +tries=1 +short ${words} 2>&1) && echo || echo $said; done`]);
        const seen = { count: 0, lost: [] };
        this.asker = child;
        createInterface({ input: child.stdout }).on("line", (line) => {
            seen.count++;
            if (line) seen.lost.push(line);
        });
        seen.end = async () => {
            const count = seen.count;
            await until("what was asked last is answered", () => seen.count > count + 1);
            child.kill();
            await once(child, "exit");
            return seen;
        };
        return seen;
    }
    // The region that a client of this network is sent to.
    ask(name, subnet) {
        const answer = this.dig(name, "A", ...(subnet ? [`+subnet=${subnet}`] : []));
        const names = new Set((answer ?? []).map(regionOf));
        return names.size === 1 ? [...names][0] : undefined;
    }
    // {region: how many} of so many answers to one network
    share(subnet, count) {
        const words = Array.from({ length: count }, () => ["play.test", "A"]).flat();
        const counts = {};
        for (let at = 0; at < words.length; at += 1000) {
            const answers = spawnSync("dig", ["+time=5", "+tries=1", "+noall", "+answer", `+subnet=${subnet}`, "@127.0.0.1", "-p", String(this.port),
                ...words.slice(at, at + 1000)], { encoding: "utf8" }).stdout;
            for (const line of answers.split("\n").filter((one) => one.includes("\tA\t"))) {
                const region = regionOf(line.split(/\s+/).at(-1));
                counts[region] = (counts[region] ?? 0) + 1;
            }
        }
        return counts;
    }
}

export async function until(what, condition, ms = 30_000) {
    for (const deadline = Date.now() + ms; ; await sleep(20)) {
        if (await condition()) return;
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
    }
}
