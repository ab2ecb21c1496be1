// SPDX-License-Identifier: Apache-2.0
// Buses of edges without edges (bus_shell), each a process, and the judge of what they promise each other.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { root } from "../redis/cluster.mjs";

const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");

export class Bus {
    constructor(cluster, incarnation, carrier = "redis") {
        this.incarnation = incarnation;
        this.events = [];
        this.waiting = [];
        this.log = "";
        const nodes = cluster.ports.map((port) => `127.0.0.1:${port}`);
        const listen = `unix:${path.join(cluster.dir, incarnation)}`;
        this.child = spawn(path.join(build, "tests/integration/bus/bus_shell"), [cluster.passwordFile, incarnation, carrier, listen, ...nodes]);
        this.child.stderr.on("data", (data) => (this.log += data));
        this.closed = new Promise((resolve) => this.child.on("close", resolve));
        createInterface({ input: this.child.stdout }).on("line", (line) => {
            this.events.push({ at: Date.now(), ...JSON.parse(line) });
            this.waiting = this.waiting.filter((look) => !look());
        });
    }

    say(line) {
        this.child.stdin.write(`${line}\n`);
    }

    // The first event after `from` that fits.
    event(what, fits, { from = 0, ms = 30_000 } = {}) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`not in time at ${this.incarnation}: ${what}\n${this.log.slice(-2000)}`)), ms);
            const look = () => {
                const found = this.events.slice(from).find(fits);
                if (found) clearTimeout(timer), resolve(found);
                return found;
            };
            if (!look()) this.waiting.push(look);
        });
    }
    ready() {
        return this.event("ready", (one) => one.event === "ready");
    }
    // The next message of a peer.
    hears(peer, ms) {
        return this.event(`a message of ${peer}`, (one) => one.event === "got" && one.from === peer, { from: this.events.length, ms });
    }
    downs(peer) {
        return this.events.filter((one) => one.event === "down" && one.peer === peer);
    }
    async sent() {
        const from = this.events.length;
        this.say("stream - 0");
        return (await this.event("how many were sent", (one) => one.event === "sent", { from })).n;
    }
    async ping(peer, count, everyMs) {
        const from = this.events.length;
        this.say(`ping ${peer} ${count} ${everyMs}`);
        return (await this.event("the pings", (one) => one.event === "pinged", { from, ms: 120_000 })).us;
    }
    async end() {
        this.child.stdin.end();
        assert.equal(await this.closed, 0, this.log);
    }
    metric(name) {
        const { text } = this.events.findLast((one) => one.event === "metrics");
        return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ").at(-1));
    }
}

// In order, exactly once; where something is missing both were told in between that a life had ended. Returns how many are missing.
export function judge(from, to) {
    let last = 0, told = false, lost = 0;
    for (const event of to.events) {
        if (event.event === "down" && event.peer === from.incarnation) told = true;
        if (event.event !== "got" || event.from !== from.incarnation) continue;
        assert.ok(event.n > last, `${event.n} after ${last}`);
        lost += event.n - last - 1;
        if (event.n !== last + 1) {
            assert.ok(told, `${last + 1} to ${event.n - 1} were lost without a word to ${to.incarnation}`);
            assert.ok(from.downs(to.incarnation).length > 0, `and ${from.incarnation} was not told`);
        }
        last = event.n;
        told = false;
    }
    return { last, lost };
}
