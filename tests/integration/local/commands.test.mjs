// SPDX-License-Identifier: Apache-2.0
// The commands of infra/local as a user meets them: what they say, what they start, what they leave. Servers, ports and state folder are
// the test's own (MERIDIAN_SPARE_PORT, a folder under TMPDIR).
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350);
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const state = mkdtempSync(path.join(os.tmpdir(), "l"));
const env = { ...process.env, MERIDIAN_LOCAL: state };
const startOptions = ["--regions", "us-east", "--binaries", build, "--port", String(base)];

function local(command, ...options) {
    const done = spawnSync(path.join(root, "infra/local", command), options, { env, encoding: "utf8", timeout: 240_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
}
const endpoints = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8"));
const status = () => JSON.parse(local("status", "--json").out);
const lives = (pid) => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
const lines = (text) => text.trim().split("\n");

async function until(what, condition, ms = 30_000) {
    const deadline = Date.now() + ms;
    while (!(await condition())) {
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

// Everything of ours that listens: [port, ...], from the kernel's table.
function listeners() {
    const ss = spawnSync("ss", ["-H", "-ltn"], { encoding: "utf8" }).stdout;
    const ports = lines(ss).map((line) => Number(line.trim().split(/\s+/)[3]?.split(":").pop()));
    return ports.filter((port) => (port >= base && port < base + 270) || (port >= base + 10251 && port < base + 10270));
}

function assertNothingLeft() {
    assert.deepEqual(listeners(), []);
    for (const name of readdirSync(state)) assert.ok(["keys", "log", "tls"].includes(name), `${name} was left in the state folder`);
}

after(() => {
    local("down", "--clean");
    rmSync(state, { recursive: true, force: true });
});

describe("a running region", () => {
    let up;
    before(() => {
        up = local("up", "--detach", "--edges", "3", ...startOptions);
    });
    after(() => local("down"));

    test("up --detach comes back when everything is ready and tells the page's address", () => {
        assert.equal(up.code, 0, up.err + up.out);
        assert.match(up.out, new RegExp(`page +http://127\\.0\\.0\\.1:${base}/\n`));
        assert.match(up.out, /us-east-3 .* ready\n/);
        assert.equal(up.out.match(/us-east-r\d .* ready, leader\n/g)?.length, 1);
        assert.match(up.out, /redis .* 3 primaries, 6 replicas\n/);
        assert.equal(local("status").code, 0);
    });

    test("endpoints.json says where everything is", async () => {
        const { page, regions, dns } = endpoints();
        assert.equal(page, `http://127.0.0.1:${base}/`);
        assert.equal(dns, null);
        assert.equal(regions.length, 1);
        const [region] = regions;
        assert.equal(region.name, "us-east");
        assert.deepEqual(region.play, { url: `http://127.0.0.1:${base}`, ws: `ws://127.0.0.1:${base}/v1/ws` });
        assert.deepEqual(region.edges.map((edge) => edge.id), ["us-east-1", "us-east-2", "us-east-3"]);
        assert.equal(region.routers.length, 2);
        assert.equal(region.redis.length, 9);
        for (const one of [...region.edges, ...region.routers]) {
            assert.ok(lives(one.pid), `${one.id} lives`);
            assert.equal((await fetch(`${one.admin}/readyz`)).status, 200);
        }
        assert.deepEqual(region.routers.map((router) => router.role).sort(), ["leader", "standby"]);
        for (const edge of region.edges) assert.equal((await fetch(`${edge.url}/v1/ping`)).status, 204);
    });

    test("secrets are readable by their owner only", () => {
        assert.equal(statSync(state).mode & 0o777, 0o700);
        for (const file of ["keys/private.jwks", "keys/guest.jwks", "redis/password"]) {
            assert.equal(statSync(path.join(state, file)).mode & 0o077, 0, file);
        }
    });

    test("a second up says what runs and changes nothing", () => {
        const pids = endpoints().regions[0].edges.map((edge) => edge.pid);
        const again = local("up", "--edges", "3", ...startOptions);
        assert.equal(again.code, 0, again.err);
        assert.match(again.out, /runs already/);
        assert.deepEqual(endpoints().regions[0].edges.map((edge) => edge.pid), pids);
    });

    test("a second up that asks for something else says what differs, and changes nothing", () => {
        const pids = endpoints().regions[0].edges.map((edge) => edge.pid);
        for (const [options, why] of [
            [["--regions", "mars"], /: --regions mars was asked for, there is us-east\./],
            [["--regions", "us-east,eu"], /: --regions eu,us-east was asked for, there is us-east\./],
            [["--region", "eu"], /: --region eu was asked for, there is us-east\./],
            [["--edges", "5", "--detach"], /: --edges 5 was asked for, there is 3\./],
            [["--tls", "--edge-set", "a=b"], /--tls on was asked for, there is off[;.]/],
            [["--tls", "--edge-set", "a=b"], /--edge-set a=b was asked for, there is none[;.]/],
        ]) {
            const again = local("up", ...options);
            assert.equal(again.code, 1, again.out);
            assert.match(again.err, /^up: Meridian runs already, and otherwise: .* Nothing was changed/);
            assert.match(again.err, why);
            assert.equal(lines(again.err).length, 1);
        }
        assert.deepEqual(endpoints().regions[0].edges.map((edge) => edge.pid), pids);
    });

    test("a router's role is always told right", () => {
        for (let i = 0; i < 10; i++) assert.deepEqual(status().regions[0].routers.map((router) => router.role).sort(), ["leader", "standby"]);
    });

    test("status tells what has ended, and up starts it again", async () => {
        const router = endpoints().regions[0].routers[0];
        process.kill(router.pid, "SIGKILL");
        await until("the router's end", () => !lives(router.pid));
        assert.equal(local("status").code, 1);
        assert.deepEqual(status().regions[0].routers[0].ready, false);
        assert.equal(status().regions[0].routers[0].pid, null);
        assert.equal(status().regions[0].routers[0].role, null, "who has ended has no role");
        assert.match(local("status").out, /us-east-r1 .* ended\n/);
        const again = local("up");
        assert.equal(again.code, 0, again.err);
        assert.notEqual(endpoints().regions[0].routers[0].pid, router.pid);
        assert.equal(local("status").code, 0);
    });

    test("up tells a dead Redis node in one line", async () => {
        const pid = Number(readFileSync(path.join(state, `redis/${base + 251 + 8}/redis.pid`), "utf8"));
        process.kill(pid, "SIGKILL");
        await until("the node's end", () => !lives(pid));
        const again = local("up");
        assert.equal(again.code, 1);
        assert.match(again.err, new RegExp(`^up: Redis is not whole: no answer on port ${base + 259};`));
        assert.equal(lines(again.err).length, 1);
        assert.equal(local("status").code, 1);
    });

    test("down ends everything and leaves only keys and logs", () => {
        const pids = [...endpoints().regions[0].edges, ...endpoints().regions[0].routers].map((one) => one.pid);
        const down = local("down");
        assert.equal(down.code, 0, down.err);
        for (const pid of pids) assert.ok(!lives(pid));
        assertNothingLeft();
        assert.match(local("down").out, /nothing runs/);
        assert.equal(local("status").code, 1);
    });
});

describe("what can go wrong at the start", () => {
    test("a taken port is told in one line and nothing stays", async () => {
        const other = net.createServer().listen(base + 1, "127.0.0.1");
        await new Promise((resolve) => other.once("listening", resolve));
        const up = local("up", "--detach", ...startOptions);
        other.close();
        assert.equal(up.code, 1);
        assert.match(up.err, new RegExp(`^up: port ${base + 1} is taken by .*; end that, or choose others with --port BASE\n$`));
        assertNothingLeft();
    });

    test("a process that ends early is told with its last words, and everything is ended", () => {
        const up = local("up", "--detach", "--edge-set", "no_such_key=1", ...startOptions);
        assert.equal(up.code, 1);
        assert.match(up.err, /no_such_key/);
        assert.match(lines(up.err).pop(), /^up: us-east-1 ended while starting; its log: .*us-east-1\.log$/);
        assertNothingLeft();
    });

    test("wrong options are told by name", () => {
        for (const [options, why] of [
            [["--edges", "0"], /^up: --edges must be a number from 1 to 64, not "0"\n$/],
            [["--port", "http"], /^up: --port must be a number/],
            [["--frobnicate"], /^up: unknown option --frobnicate/],
            [["--edges"], /^up: --edges needs a value\n$/],
            [["--regions", ","], /^up: --regions needs names/],
            [["--address", "10.0.0.256"], /^up: --address must be an IPv4 address/],
            [["--edge-set", "x"], /^up: --edge-set needs KEY=VALUE/],
            [["--geo-database", "/no/such"], /^up: --geo-database: .* cannot be read/],
        ]) {
            const up = local("up", ...options);
            assert.equal(up.code, 1);
            assert.match(up.err, why);
        }
        for (const [words, why] of [
            [["status", "--json", "x"], /^status: unknown option x/],
            [["down", "--clean", "--region", "eu"], /^down: --clean is for everything/],
            [["rolling-restart", "--wait", "1", "x"], /^rolling-restart: unknown option x/],
        ]) {
            const done = local(...words);
            assert.equal(done.code, 1);
            assert.match(done.err, why);
        }
    });
});

// A terminal's Ctrl-C goes to the whole process group.
async function interruptWhen(options, words) {
    const up = spawn(path.join(root, "infra/local/up"), options, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let said = "";
    up.stdout.on("data", (data) => (said += data));
    up.stderr.on("data", (data) => (said += data));
    await until(words, () => said.includes(words) || up.exitCode !== null, 240_000);
    assert.equal(up.exitCode, null, said);
    process.kill(-up.pid, "SIGINT");
    await until("its end", () => up.exitCode !== null, 60_000);
    return { code: up.exitCode, said };
}

test("what an up that was killed has left is no obstacle; in the foreground, Ctrl-C ends everything", async () => {
    const left = spawnSync(path.join(root, "infra/local/redis-cluster"), ["start", path.join(state, "redis"), String(base + 251), "3", "0"], { encoding: "utf8" });
    assert.equal(left.status, 0, left.stderr);
    rmSync(path.join(state, "redis/nodes")); // as if killed while it was formed
    const up = await interruptWhen(startOptions, "Ctrl-C ends everything");
    assert.equal(up.code, 0, up.said);
    assertNothingLeft();
});

for (const words of ["Redis Cluster", "routers (2)", "edges (2)"]) {
    test(`Ctrl-C while it starts (${words}) leaves nothing`, async () => {
        const up = await interruptWhen(["--detach", ...startOptions], words);
        assert.equal(up.code, 130, up.said);
        assertNothingLeft();
    });
}
