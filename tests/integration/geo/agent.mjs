// SPDX-License-Identifier: Apache-2.0
// A real meridian-geo beside a real gdnsd, over the region under test: each region of the footprint has its addresses, and behind all of
// them, by forwarders that can be cut, are the edges that run. Its own region's routers report to the agent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readEndpoints, stateDir } from "../outside/footprint.mjs";
import { Dns, until } from "./dns.mjs";

const root = path.resolve(import.meta.dirname, "../../..");
const binary = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/release"), "geo/meridian-geo");

export class Agent {
    constructor(port, { capacity } = {}) {
        this.region = readEndpoints().regions[0];
        this.dns = new Dns(port, new URL(this.region.edges[0].url).port);
        this.admin = `127.0.0.1:${port + 2}`;
        if (capacity) {
            const text = readFileSync(this.dns.footprint, "utf8");
            writeFileSync(this.dns.footprint, text.replace(/(name: us-east[^]*?capacity_players: )\d+/, `$1${capacity}`));
        }
        const routers = this.region.routers.map(({ id }) =>
            `${this.region.name}=${readFileSync(path.join(stateDir, `config/${id}.yaml`), "utf8").match(/link_listen: "?([^"\n]+)/)[1]}`);
        this.journal = path.join(this.dns.top, "journal");
        this.config = path.join(this.dns.top, "geo.yaml");
        writeFileSync(this.config, [`footprint: ${this.dns.footprint}`, "id: geo-1", `state_file: ${path.join(this.dns.state, "admin_state")}`,
            `journal: ${this.journal}`, `admin_listen: ${this.admin}`, `routers: [${routers.map((one) => `"${one}"`).join(", ")}]`,
            `probe_port: ${this.dns.probePort}`, ""].join("\n"));
    }

    async start() {
        this.log = "";
        this.child = spawn(binary, ["--config", this.config]);
        this.child.stderr.on("data", (data) => (this.log += data));
        this.ended = once(this.child, "exit");
        await until("the agent answers", async () => (await this.status()) !== undefined || this.child.exitCode !== null);
        assert.equal(this.child.exitCode, null, this.log);
    }
    async stop(signal = "SIGTERM") {
        this.child.kill(signal);
        return (await this.ended)[0];
    }
    status() {
        return fetch(`http://${this.admin}/status`).then((answer) => answer.json(), () => undefined);
    }
    async of(region) {
        return (await this.status())?.regions.find(({ name }) => name === region) ?? {};
    }
    wish(fields) {
        return fetch(`http://${this.admin}/wish?${new URLSearchParams(fields)}`, { method: "POST" })
            .then(async (answer) => ({ code: answer.status, ...(await answer.json()) }));
    }
    lines() {
        return readFileSync(this.journal, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
    }
}
