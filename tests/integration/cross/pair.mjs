// SPDX-License-Identifier: Apache-2.0
// Two regions on loopback whose routers see each other through lines of the test's, which it delays, cuts (nothing arrives, nobody is told)
// and mends.
import { mkdirSync, symlinkSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readEndpoints } from "../outside/footprint.mjs";
import { Footprint, until } from "../faults/own.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const MESH = 220; // port of a footprint's first router for other regions; + 1 for each further

// One direction of dialling; bytes go both ways.
class Line {
    constructor(port, target, pair) {
        this.pair = pair;
        this.sockets = new Set();
        this.server = net.createServer((near) => {
            const far = net.connect(target, "127.0.0.1");
            for (const socket of [near, far]) {
                this.sockets.add(socket);
                socket.setNoDelay(true);
                socket.on("error", () => {});
                socket.on("close", () => {
                    this.sockets.delete(socket);
                    near.destroy();
                    far.destroy();
                });
            }
            this.carry(near, far);
            this.carry(far, near);
        });
        this.server.listen(port, "127.0.0.1");
    }
    // What comes while the line is cut is lost with the connection: it is never delivered late.
    carry(from, to) {
        from.on("data", (data) => {
            if (this.pair.isCut) return void (from.lost = true);
            if (from.lost) return void from.destroy();
            if (this.pair.delayMs === 0) to.write(data);
            else setTimeout(() => !from.lost && to.write(data), this.pair.delayMs);
        });
    }
    end() {
        for (const socket of this.sockets) socket.destroy();
        this.server.close();
    }
}

export class Pair {
    constructor(base, { routers = 1, edges = 1 } = {}) {
        this.isCut = false;
        this.delayMs = 0;
        this.options = ["--routers", String(routers), "--edges", String(edges), "--replicas", "0"];
        this.routers = routers;
        this.names = ["eu", "us-east"];
        this.prints = [new Footprint(base), new Footprint(base + 300)];
        this.lines = [];
    }
    // Also starts again what has ended.
    start(at, ...options) {
        const print = this.prints[at];
        print.local("up", "--detach", "--binaries", build, "--port", String(print.base), "--region", this.names[at], ...options);
        [print.region] = readEndpoints(print.state).regions;
    }
    get regions() {
        return this.prints.map((print) => print.region);
    }
    async up() {
        for (const [at, print] of this.prints.entries()) {
            const other = this.prints[1 - at];
            const peers = [];
            for (let router = 0; router < this.routers; router++) {
                const port = print.base + 290 + router;
                this.lines.push(new Line(port, other.base + MESH + router, this));
                peers.push("--mesh-peer", `${this.names[1 - at]} 127.0.0.1:${port}`);
            }
            if (at === 1) { // one authority for both
                mkdirSync(path.join(print.state, "tls"), { recursive: true });
                symlinkSync(path.join(other.state, "tls/mesh"), path.join(print.state, "tls/mesh"));
            }
            this.start(at, ...this.options, ...peers);
        }
        await this.seen();
    }
    // All connections between the regions break; they may come back at once.
    breakAll() {
        for (const line of this.lines) for (const socket of line.sockets) socket.destroy();
    }
    down() {
        for (const print of this.prints) print.down();
        for (const line of this.lines) line.end();
    }
    status(at) {
        const [region] = readEndpoints(this.prints[at].state).regions;
        return Promise.all(region.routers.map(async (router) => {
            try {
                return await (await fetch(`${router.admin}/status`)).json();
            } catch {
                return undefined;
            }
        }));
    }
    async leader(at) {
        return (await this.status(at)).find((router) => router?.role === "leader");
    }
    // Both leaders see each other.
    async seen(ms = 30_000) {
        let leaders;
        await until(() => `both regions see each other: ${JSON.stringify(leaders)}`, async () => {
            leaders = await Promise.all([0, 1].map((at) => this.leader(at)));
            return leaders.every((one) => one && JSON.stringify(one).includes('"up":true'));
        }, ms);
    }
}
