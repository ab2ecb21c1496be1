// SPDX-License-Identifier: Apache-2.0
// A Redis Cluster with two routers beside it and nothing else, and what the leader says of the nodes.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";

import { Cluster, root, sleep, until } from "../redis/cluster.mjs";

const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");

class Router {
    constructor(cluster, id, port) {
        this.admin = `http://127.0.0.1:${port + 1}`;
        this.log = "";
        const config = path.join(cluster.dir, `${id}.yaml`);
        writeFileSync(config, [
            "region: us-east", "electable_set: true", `id: ${id}`, `link_listen: 127.0.0.1:${port}`, `admin_listen: 127.0.0.1:${port + 1}`,
            `redis_nodes: [${cluster.ports.map((node) => `"127.0.0.1:${node}"`).join(", ")}]`,
            `redis_password_file: ${cluster.passwordFile}`, "log_level: info", "",
        ].join("\n"));
        this.child = spawn(path.join(build, "region-router/meridian-router"), ["--config", config], { stdio: ["ignore", "ignore", "pipe"] });
        this.child.stderr.on("data", (data) => (this.log += data));
        this.closed = new Promise((resolve) => this.child.on("close", resolve));
    }

    async status() {
        try {
            return await (await fetch(`${this.admin}/status`, { signal: AbortSignal.timeout(500) })).json();
        } catch {
            return null;
        }
    }

    async metric(name) {
        const text = await (await fetch(`${this.admin}/metrics`)).text();
        return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)[1]);
    }

    async end(signal = "SIGTERM") {
        this.child.kill("SIGCONT");
        this.child.kill(signal);
        return this.closed;
    }
}

export class Region {
    constructor(base) {
        this.cluster = new Cluster(base);
        this.base = base;
        this.routers = [0, 1].map((i) => this.router(i));
    }

    router(i) {
        return new Router(this.cluster, `r${i + 1}`, this.base + 20 + 2 * i);
    }

    async leader() {
        return until("one router leads", async () => {
            for (const router of this.routers) if ((await router.status())?.role === "leader") return router;
            return null;
        });
    }

    // The nodes as the leader sees them, {port: {state, primary, answers, shard, count}}.
    async nodes() {
        for (const router of this.routers) {
            const status = await router.status();
            if (status?.role === "leader") return Object.fromEntries(status.redis.map((node) => [node.node.split(":")[1], node]));
        }
        return {};
    }

    async state(port, state, ms = 30_000) {
        let seen;
        return until(() => `${port} is ${state}: ${JSON.stringify(seen)}`, async () => (seen = await this.nodes())[port]?.state === state, ms);
    }

    // All nine in the set, every shard with two replicas in step and counted.
    async whole() {
        await this.cluster.whole();
        let nodes;
        await until(() => `the leader counts two replicas everywhere: ${JSON.stringify(nodes)}`, async () => {
            nodes = Object.values(await this.nodes());
            return nodes.length === 9 && nodes.every((node) => node.state === "IN" && node.count === 2 && node.answers);
        }, 60_000);
    }

    async stop() {
        await Promise.all(this.routers.map((router) => router.end()));
        this.cluster.stop();
    }
}

export { sleep, until };
