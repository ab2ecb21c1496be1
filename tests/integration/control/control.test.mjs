// SPDX-License-Identifier: Apache-2.0
// meridianctl against real routers: what it tells is so, its exit codes are honest, and what it orders happens and is written down.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 900;
const state = mkdtempSync(path.join(os.tmpdir(), "ctl-"));
const PACE = 15; // players a second that an edge takes from one that drains: so that it can be taken back on the way
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
process.env.MERIDIAN_STATE = state; // read once, at the import that follows
const { Client } = await import("../outside/client.mjs");
const { metrics, player } = await import("../outside/footprint.mjs");

function local(command, ...args) {
    const done = spawnSync(path.join(root, "infra/local", command), args, {
        env: { ...process.env, MERIDIAN_LOCAL: state }, encoding: "utf8", timeout: 240_000,
    });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}
const region = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8")).regions[0];
const sockets = () => region().routers.map(({ id }) => `unix:${path.join(state, "run", `${id}.ctl`)}`);

function ctl(args, { routers = sockets(), agents = geo.socket, env = {} } = {}) {
    const done = spawnSync(path.join(build, "region-router/meridianctl"), args, {
        env: { PATH: process.env.PATH, MERIDIANCTL_ROUTERS: routers.join(), MERIDIANCTL_AGENTS: agents, USER: "ana", ...env }, encoding: "utf8", timeout: 30_000,
    });
    return { code: done.status, out: done.stdout, err: done.stderr, lines: () => done.stdout.trim().split("\n").map((line) => JSON.parse(line)) };
}
// A geo agent that hears of the region, and writes a state file nobody reads.
const geo = {
    socket: `unix:${path.join(state, "geo.ctl")}`, journal: path.join(state, "geo.journal"),
    async start() {
        const routers = region().routers.map(({ id }) => `us-east=${readFileSync(path.join(state, "config", `${id}.yaml`), "utf8").match(/link_listen: "?([^"\n]+)/)[1]}`);
        const config = path.join(state, "geo-1.yaml");
        writeFileSync(config, `footprint: ${path.join(root, "geo/footprint.yaml")}\nid: geo-1\nstate_file: ${path.join(state, "dns-1")}\njournal: ${this.journal}\n` +
            `admin_listen: 127.0.0.1:${base + 293}\ncontrol_listen: "${this.socket}"\nrouters: [${routers.map((one) => `"${one}"`).join(", ")}]\n`);
        this.child = spawn(path.join(build, "geo/meridian-geo"), ["--config", config], { stdio: "ignore" });
        this.ended = new Promise((resolve) => this.child.once("exit", resolve));
        await until("the agent answers", () => ctl(["geo", "--timeout", "1"]).code === 0);
    },
    async stop() {
        this.child?.kill("SIGKILL");
        await this.ended;
    },
    of(name) {
        return ctl(["--json", "geo"]).lines()[0].geo.regions.find((one) => one.name === name);
    },
};
async function until(what, condition, ms = 30_000) {
    for (const deadline = Date.now() + ms; ;) {
        const value = await condition();
        if (value) return value;
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
        await sleep(50);
    }
}

describe("meridianctl", { timeout: 180_000 }, () => {
    before(() => local("up", "--detach", "--region", "us-east", "--binaries", build, "--port", String(base), "--replicas", "0", "--router-set", `edge_handshakes_per_second=${PACE}`));
    after(async () => {
        await geo.stop();
        local("down");
        rmSync(state, { recursive: true, force: true });
    });

    test("tells who leads and what the edges do", async () => {
        const [one] = region().edges;
        const client = await Client.connect(one.ws, player());
        const told = await until("both name the same leader", () => {
            const routers = ctl(["--json", "routers"]);
            assert.equal(routers.code, 0, routers.err);
            const lines = routers.lines();
            const leader = lines.find(({ router }) => router.leader)?.router;
            return leader && lines.every((line) => line.leader === leader.incarnation) && lines;
        });
        assert.equal(told.length, 2);
        assert.deepEqual(told.map(({ router }) => router.leader).sort(), [false, true]);
        const ids = JSON.stringify(region().edges.map(({ id }) => id).sort());
        await until("the edge's report", () => {
            const edges = ctl(["--json", "edges"]).lines()[0].router.edges;
            return JSON.stringify(edges.map(({ id }) => id).sort()) === ids && edges.find(({ id }) => id === one.id).sessions === 1;
        });
        assert.match(ctl(["edges"]).out, /takes players/);
        client.close();
    });

    test("finds a player, his ticket and his game", async () => {
        const [first, second] = region().edges;
        const who = [player(), player()];
        const a = await Client.connect(first.ws, who[0]);
        a.send("find_match", { game: "memory", rows: 2, cols: 6 });
        const { ticketId } = await a.next("ticket");
        const ticket = await until("the ticket is handed in", () => {
            const done = ctl(["--json", "ticket", ticketId]);
            return done.code === 0 && done;
        });
        assert.equal(ticket.lines()[0].ticket.ticketId, ticketId);
        assert.ok(ticket.lines()[0].ticket.reason.length > 0);
        const waiting = ctl(["--json", "player", who[0].user]).lines()[0].player;
        assert.equal(waiting.ticketId, ticketId);
        assert.ok(waiting.devices[0].edge.startsWith(`${first.id}.`));
        const b = await Client.connect(second.ws, who[1]);
        b.send("find_match", { game: "memory", rows: 2, cols: 6 });
        const { gameId } = await b.next("matched");
        await until("his game", () => ctl(["--json", "player", who[0].user]).lines()[0].player.gameId === gameId);
        const game = ctl(["--json", "game", gameId]);
        assert.equal(game.code, 0, game.err);
        assert.equal(game.lines()[0].game.gameId, gameId);
        assert.ok(region().edges.some(({ id }) => game.lines()[0].game.owner.startsWith(`${id}.`)));
        await until("the ticket is gone", () => ctl(["ticket", ticketId]).code === 1);
        for (const client of [a, b]) {
            client.send("leave_game", { gameId });
            client.close();
        }
    });

    test("is honest about what is not there", () => {
        for (const [args, code, text] of [
            [["player", "nobody-at-all"], 1, /no device/], [["game", "g".repeat(257)], 1, /1 to 256 bytes/], [["game", "nothing"], 1, /no such game/],
            [["drain", "us-east-9", "--reason", "x"], 1, /no such edge/], [["drain", region().edges[0].id], 2, /--reason/],
            [["drain", region().edges[0].id, "--reason", "x".repeat(300)], 1, /255 bytes/], [["--by", "", "edges"], 1, /who asks/],
            [["fly"], 2, /unknown command/], [[], 2, /which command/], [["edges", "x"], 2, /nothing follows/], [["--timeout", "0", "edges"], 2, /1 to 60/],
            [["--cert", "x", "edges"], 2, /belong together/], [["--router", "nonsense", "edges"], 2, /host:port or unix:PATH, not nonsense/],
            [["--router", "unix:/no/such", "--timeout", "1", "edges"], 3, /nobody there in time \(No such file or directory\)/], [["drain", "edge"], 2, /has to follow drain edge/],
        ]) {
            const { code: got, err } = ctl(args);
            assert.equal(got, code, `${args}: ${err}`);
            assert.match(err, text);
        }
        assert.equal(ctl(["--timeout", "1", "edges"], { routers: ["127.0.0.1:1"] }).code, 3);
        assert.equal(ctl(["--timeout", "3", "edges"], { routers: ["127.0.0.1:1", ...sockets()] }).code, 0, "another one answers");
        assert.equal(ctl(["--timeout", "1", "routers"], { routers: ["127.0.0.1:1", ...sockets()] }).code, 3, "the picture is not whole");
        assert.match(ctl(["edges"], { routers: [] }).err, /which router|names no router/);
        assert.match(ctl(["--help"]).out, /usage/);
    });

    test("is not fooled by who speaks something else", async () => {
        for (const words of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "\0\0\0\x05hello", ""]) {
            const socket = connect(sockets()[0].slice(5));
            socket.on("error", () => {});
            socket.write(words);
            if (words) await new Promise((resolve) => socket.once("close", resolve));
            socket.destroy();
        }
        assert.equal(ctl(["edges"]).code, 0);
    });

    test("comes by mutual TLS, with a certificate that says so", async () => {
        const certs = path.join(state, "certificates");
        mkdirSync(certs);
        for (const [role, place, ...whose] of [["ca"], ["router", "us-east"], ["ctl", "global"], ["ctl", "global", "--name", "ana"], ["geo", "global"]]) {
            const done = spawnSync(path.join(root, "infra/host/certificates"), ["--dir", certs, "make", role, ...(place ? [place] : []), ...whose], { encoding: "utf8" });
            assert.equal(done.status, 0, done.stderr);
        }
        const file = (name) => path.join(certs, name);
        const [address, admin, geoAdmin, geoControl] = [290, 291, 292, 294].map((offset) => `127.0.0.1:${base + offset}`);
        const router = spawn(path.join(build, "region-router/meridian-router"), ["--config", path.join(state, "config", `${region().routers[0].id}.yaml`),
            ...Object.entries({
                id: "us-east-r7", link_listen: "127.0.0.1:0", admin_listen: admin, control_listen: address, mesh_tls_cert: file("router-us-east.crt"),
                mesh_tls_key: file("router-us-east.key"), mesh_tls_ca: file("ca.crt"),
            }).flatMap(([key, value]) => ["--set", `${key}=${value}`])], { stdio: "ignore" });
        const as = (name) => ["--cert", file(`${name}.crt`), "--key", file(`${name}.key`), "--ca", file("ca.crt"), "--timeout", "2", "--json", "routers"];
        try {
            const told = await until("an answer", () => {
                const done = ctl(as("ctl-global"), { routers: [address] });
                return done.code === 0 && done.lines()[0];
            });
            assert.equal(told.router.id, "us-east-r7");
            assert.equal(ctl(as("geo-global"), { routers: [address] }).code, 3, "another role");
            assert.equal(ctl(["--timeout", "2", "routers"], { routers: [address] }).code, 3, "no certificate");

            // A geo agent comes the same way, and only as what its certificate says.
            const agents = async () => (await metrics(`http://${admin}`))["meridian_router_geo_agents"];
            for (const [role, count] of [["geo", 1], ["ctl", 0]]) {
                const config = path.join(state, "geo.yaml");
                writeFileSync(config, `footprint: ${path.join(root, "geo/footprint.yaml")}\nid: geo-1\nstate_file: ${path.join(state, "dns")}\njournal: ${path.join(state, "journal")}\n` +
                    `admin_listen: ${geoAdmin}\ncontrol_listen: ${geoControl}\nrouters: ["us-east=${address}"]\ntls_cert: ${file(`${role}-global.crt`)}\ntls_key: ${file(`${role}-global.key`)}\ntls_ca: ${file("ca.crt")}\n`);
                const geo = spawn(path.join(build, "geo/meridian-geo"), ["--config", config], { stdio: "ignore" });
                try {
                    if (count) await until("the agent is linked", async () => (await agents()) === 1);
                    else await sleep(1500);
                    assert.equal(await agents(), count);
                    if (!count) continue;
                    const override = (whose) => ctl(["--cert", file(`${whose}.crt`), "--key", file(`${whose}.key`), "--ca", file("ca.crt"), "--timeout", "2", "--by", "ben",
                        "--reason", "a test", "geo", "override", "eu", "share", "10", "--for", "1h"], { agents: geoControl });
                    assert.equal(override("router-us-east").code, 3, "another role");
                    const done = override("ctl-global-ana");
                    assert.equal(done.code, 0, done.err);
                    assert.match(readFileSync(path.join(state, "journal"), "utf8"), /"share".*"by":"ben \(certificate ana\)"/);
                } finally {
                    geo.kill("SIGKILL");
                }
                await until("the agent is gone", async () => (await agents()) === 0);
            }
        } finally {
            router.kill("SIGKILL");
        }
        const open = spawnSync(path.join(build, "region-router/meridian-router"), ["--check-config", "--config",
            path.join(state, "config", `${region().routers[0].id}.yaml`), "--set", "control_listen=0.0.0.0:1"], { encoding: "utf8" });
        assert.equal(open.status, 2);
        assert.match(open.stderr, /control_listen: beyond this machine/);
    });

    test("tells what DNS says, and overrides it for a time", async () => {
        await geo.start();
        const states = () => ctl(["--json", "geo"]).lines()[0].geo.regions;
        const of = (name) => states().find((one) => one.name === name);
        const order = (...args) => ctl(["--by", "ben", "--reason", "a test", "geo", ...args]);
        await until("a report of the region", () => of("us-east").players !== undefined);
        assert.deepEqual(states().map(({ name }) => name).sort(), ["asia", "eu", "us-east", "us-west"]);
        assert.match(ctl(["geo"]).out, /^geo-1\.[^]*\nus-east +(up|down) +in/);
        for (const [args, code, text] of [
            [["geo", "override", "eu", "down", "--for", "1h"], 2, /--reason/], [["geo", "override", "eu", "down", "--reason", "x"], 2, /how long/],
            [["geo", "override", "eu", "sideways", "--for", "1h", "--reason", "x"], 2, /up, down, or share/],
            [["geo", "override", "eu", "share", "15", "--for", "1h", "--reason", "x"], 2, /10, 20/], [["geo", "override", "mars", "up", "--for", "1h", "--reason", "x"], 1, /no such region/],
            [["geo", "override", "eu", "up", "--for", "8d", "--reason", "x"], 1, /1 s to a week/], [["geo", "clear", "--reason", "x"], 2, /one name .* geo clear/],
            [["geo", "override", "eu", "--reason", "x"], 2, /takes up, down, or share/],
        ]) {
            const { code: got, err } = ctl(args);
            assert.equal(got, code, `${args}: ${err}`);
            assert.match(err, text);
        }
        assert.equal(ctl(["geo", "--timeout", "1", "--agent", "127.0.0.1:1"]).code, 3);
        assert.match(ctl(["geo"], { agents: "" }).err, /names no agent/);
        assert.match(order("override", "eu", "down", "--for", "1h", "--dry-run").out, /^dry run, nothing is changed: no new players for eu; \d+ % of the world/);
        assert.equal(of("eu").override, undefined);
        assert.equal(order("override", "eu", "down", "--for", "6s").code, 0);
        const eu = await until("eu is out", () => [of("eu")].find(({ out }) => out));
        assert.deepEqual([eu.override, eu.reason], ["down", "a test"]);
        assert.equal(eu.by, `ben (uid ${process.getuid()})`);
        await until("it is over by itself", () => of("eu").override === undefined);
        for (const name of ["eu", "asia", "us-west"]) order("override", name, "down", "--for", "1h", "--force");
        const last = order("override", "us-east", "down", "--for", "1h", "--force");
        assert.equal(last.code, 1);
        assert.match(last.err, /nobody would be left/);
        assert.equal(order("clear", "us-west").code, 0);
        assert.match(order("override", "us-west", "down", "--for", "1h").err, /only \d+ % of the world's room/);
        await geo.stop();
        await geo.start();
        assert.deepEqual(states().filter(({ override }) => override).map(({ name }) => name).sort(), ["asia", "eu"], "overrides outlive the agent");
        for (const name of ["eu", "asia"]) assert.equal(order("clear", name).code, 0);
        const lines = readFileSync(geo.journal, "utf8").trim().split("\n").map((line) => JSON.parse(line)).filter(({ event }) => event === "wish");
        assert.deepEqual([lines[0].wish, lines[1].by, lines.at(-1).wish], ["drain", "meridian-geo", "nothing"]);
    });

    test("tells of the region, and drains it when it must", async () => {
        const own = (lines) => lines[0].regions.regions[0];
        const told = ctl(["--json", "regions"]);
        assert.equal(told.code, 0, told.err);
        assert.deepEqual([own(told.lines()).name, own(told.lines()).mode, own(told.lines()).edgesReady], ["us-east", "active", 2]);
        assert.equal(ctl(["outbox", "mars"]).code, 1);
        assert.equal(ctl(["--region", "us-east", "edges"]).code, 0);
        const none = ctl(["--region", "eu", "edges"]);
        assert.deepEqual([none.code, none.err], [3, "meridianctl: no router of eu among those given\n"]);
        assert.equal(ctl(["outbox"]).code, 0);
        for (const [args, code, text] of [
            [["drain", "region", "us-east", "--reason", "x"], 2, /--dry-run says/], [["drain", "region", "us-east", "--yes"], 2, /--reason/],
            [["drain", "region", "us-east", "--reason", "x", "--yes"], 1, /no other region/], [["drain", "region", "eu", "--reason", "x", "--yes"], 1, /this is us-east/],
            [["undrain", "region", "us-east", "--reason", "x"], 0, /^$/], [["drain", "region", "us-east", "--reason", "x", "--yes", "--over", "10"], 2, /a time like/],
            [["edges", "--over", "10m"], 2, /--over is for/], [["drain", "region", "--reason", "x", "--yes"], 2, /one name/],
            [["drain", "region", "us-east", "--reason", "a\tb", "--yes"], 1, /control characters/],
        ]) {
            const { code: got, err } = ctl(args);
            assert.equal(got, code, `${args}: ${err}`);
            assert.match(err, text);
        }
        assert.deepEqual(ctl(["--json", "journal"]).lines()[0].journal.entries ?? [], [], "nothing was done yet");
        const go = ["--by", "ben", "--reason", "move of the racks", "drain", "region", "us-east", "--over", "10m", "--force"];
        const dry = ctl(["--dry-run", ...go]);
        assert.match(dry.out, /would drain: new players go elsewhere within 600 s: nobody is known/);
        assert.equal(own(ctl(["--json", "regions"]).lines()).mode, "active");
        const done = ctl(["--yes", ...go]);
        assert.equal(done.code, 0, done.err);
        const { mode, drain } = own(ctl(["--json", "regions"]).lines());
        assert.deepEqual([mode, drain.by, drain.reason, drain.overMs], ["draining", "ben", "move of the racks", 600_000]);
        assert.match(ctl(["regions"]).out, /drained by ben since \d+ s, over 10 min: move of the racks/);
        await until("geo heard of it", () => geo.of("us-east").draining);
        assert.match(ctl(["geo"]).out, /the region drains, by ben: move of the racks/);
        const client = await Client.connect(region().edges[0].ws, player());
        client.close();
    });

    test("a drained region stays so under another leader, and comes back", async () => {
        const leader = await until("a leader", () => ctl(["--json", "routers"]).lines().find(({ router }) => router.leader)?.router);
        process.kill(region().routers.find(({ id }) => id === leader.id).pid, "SIGKILL");
        const drained = await until("another leader", () => {
            const done = ctl(["--json", "--timeout", "1", "regions"]);
            return done.code === 0 && done.lines()[0].leader !== leader.incarnation && done.lines()[0].regions.regions[0];
        });
        assert.deepEqual([drained.mode, drained.drain?.by], ["draining", "ben"]);
        assert.ok(geo.of("us-east").draining);
        local("up", "--detach"); // the router again
        const back = ctl(["--by", "eva", "--reason", "racks stand", "undrain", "region", "us-east"]);
        assert.equal(back.code, 0, back.err);
        assert.equal(ctl(["--json", "regions"]).lines()[0].regions.regions[0].mode, "active");
        await until("geo heard of it", () => !geo.of("us-east").draining);
        await geo.stop();
        const entries = await until("the journal", () => {
            const { entries } = ctl(["--json", "journal"]).lines()[0].journal;
            return entries[0].result !== "" && entries;
        });
        assert.deepEqual(entries.map(({ number, what, target, by, reason, who }) => [number, what, target, by, reason, who]), [
            [2, "undrain region", "us-east", "eva", "racks stand", `uid ${process.getuid()}`],
            [1, "drain region", "us-east", "ben", "move of the racks", `uid ${process.getuid()}`],
        ]);
        assert.match(ctl(["journal"]).out, /drain region us-east {2}by ben \(uid \d+\): move of the racks\n {4}drains: new players go elsewhere within 600 s/);
    });

    test("takes a drain of an edge back, with those who are still there", async () => {
        const [keep, stay] = region().edges;
        const clients = [];
        for (let i = 0; i < 3 * PACE; i++) clients.push(await Client.connect(stay.ws, player()));
        const drain = ctl(["--by", "ben", "--reason", "wrong one", "drain", "edge", stay.id]);
        assert.equal(drain.code, 0, drain.err);
        assert.ok(await clients[0].next("server_maintenance"));
        const back = ctl(["--by", "ben", "--reason", "meant the other", "undrain", "edge", stay.id]); // on the way: it takes three seconds
        assert.equal(back.code, 0, back.err);
        assert.match(back.out, /takes players again/);
        assert.match(ctl(["--by", "ben", "--reason", "x", "undrain", "edge", keep.id]).out, /it does not drain/);
        const fresh = await Client.connect(stay.ws, player());
        await until("the report", () => !ctl(["--json", "edges"]).lines()[0].router.edges.find(({ id }) => id === stay.id).draining);
        await sleep(4000); // longer than their closes were spread over
        const kept = clients.filter((client) => !client.end).length;
        assert.ok(kept > 0, "those who were not sent away stay");
        process.kill(stay.pid, "SIGTERM");
        await until("it drains", () => ctl(["--json", "edges"]).lines()[0].router.edges.find(({ id }) => id === stay.id)?.draining);
        const late = ctl(["--by", "ben", "--reason", "x", "undrain", "edge", stay.id]);
        assert.equal(late.code, 1);
        assert.match(late.err, /SIGTERM|too late/);
        process.kill(stay.pid, "SIGKILL");
        for (const client of [fresh, ...clients]) client.socket.terminate();
        await until("it is gone", () => ctl(["--json", "edges"]).lines()[0].router.edges.length === 1);
        local("up", "--detach");
    });

    test("drains an edge, says so before, and it is written down", async () => {
        const [keep, go] = region().edges;
        const client = await Client.connect(go.ws, player());
        const dry = ctl(["--dry-run", "--reason", "new kernel", "drain", go.id]);
        assert.equal(dry.code, 0, dry.err);
        assert.match(dry.out, /would drain/);
        process.kill(go.pid, 0);
        const done = ctl(["--by", "ben", "--reason", "new kernel", "drain", go.id]);
        assert.equal(done.code, 0, done.err);
        process.kill(go.pid, "SIGTERM"); // systemctl stop, which waits: the drain goes on
        assert.ok(await client.next("server_maintenance"), "its players are told");
        await until("the edge has ended", () => {
            try {
                process.kill(go.pid, 0);
                return false;
            } catch {
                return true;
            }
        }, 60_000);
        for (const [name, event] of [[go.id, "drain.ordered"], [region().routers[0].id, "control.order"], [region().routers[1].id, "control.order"]]) {
            const log = readFileSync(path.join(state, "log", `${name}.log`), "utf8").split("\n").findLast((line) => line.includes(`"${event}"`) && line.includes("new kernel"));
            if (event === "control.order" && !log) continue; // of the two routers, the leader's
            assert.ok(log.includes('"ben"') && log.includes('"new kernel"'), log);
        }
        assert.match(readFileSync(path.join(state, "log", `${go.id}.log`), "utf8"), /"drain\.done"/, "to its end");
        await until("the router knows", () => ctl(["--json", "edges"]).lines()[0].router.edges.length === 1);
        const last = ctl(["--reason", "x", "drain", keep.id]);
        assert.equal(last.code, 1);
        assert.match(last.err, /no other edge/);
        process.kill(keep.pid, 0);
    });
});
