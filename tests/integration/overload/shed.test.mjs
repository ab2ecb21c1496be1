// SPDX-License-Identifier: Apache-2.0
// A saturated edge, made so by a memory ceiling that it exceeds from the start: who is let in, what is refused, and how it is said (R25).
// That games in play keep their pace is tests/bench/overload's to show.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { Footprint, until } from "../faults/own.mjs";
import { frame, upgradeHead, Wire } from "../hostile/raw.mjs";
import { Client } from "../outside/client.mjs";
import { metrics, player } from "../outside/footprint.mjs";

const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 1200);
let edge;

before(async () => {
    print.up("--edges", "1", "--replicas", "0", "--edge-set", "max_memory_bytes=1048576");
    [edge] = print.region.edges;
    await until("the memory is seen", async () => (await metrics(edge.admin)).meridian_edge_load_level === 2);
}, { timeout: 240_000 });
after(() => {
    Client.dropAll();
    print.down();
});

const someone = () => player(undefined, { dir: print.state });
const isWait = (ms) => Number.isInteger(ms) && ms >= 1000 && ms <= 30_000;
// A client who says that he comes back; nobody checks that before he resumes.
const returning = async () => {
    const client = new Client(`${edge.ws}?session=s.0000000000000001&`, { ...someone(), first: true });
    await client.begin();
    return client;
};

async function upgrade(query) {
    const wire = new Wire({ host: "127.0.0.1", port: Number(new URL(edge.url).port) });
    await wire.ready;
    wire.send(upgradeHead({ line: `GET /v1/ws${query} HTTP/1.1` }));
    await wire.look(() => (wire.in.includes("\r\n\r\n") && (wire.in.includes("}}") || wire.in.includes(" 101 "))) || undefined, 30_000);
    wire.end();
    const [head, body] = wire.in.toString("latin1").split("\r\n\r\n");
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), seconds: Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1]), body };
}

describe("a saturated edge", { timeout: 60_000 }, () => {
    test("answers a stranger's upgrade with 503 and a time", async () => {
        for (let i = 0; i < 20; i++) {
            const { status, seconds, body } = await upgrade(`?token=${someone().token}`);
            assert.equal(status, 503);
            const { error } = JSON.parse(body);
            assert.equal(error.code, "overloaded");
            assert.ok(isWait(error.retryAfterMs), body);
            assert.equal(seconds, Math.ceil(error.retryAfterMs / 1000));
        }
    });

    test("closes a stranger who tells his name only afterwards with 1013 and a time", async () => {
        const client = new Client(edge.ws, { ...someone(), first: true });
        const { code, reason } = await client.closed;
        assert.equal(code, 1013);
        assert.ok(isWait(Number(/^overload;retry=(\d+)$/.exec(reason)?.[1])), reason);
    });

    test("lets in who comes back, and who is here already with another device", async () => {
        const client = await returning();
        const again = await Client.connect(edge.ws, { token: player(client.connected.user, { dir: print.state }).token, device: "other" });
        assert.equal(again.connected.user, client.connected.user);
        assert.equal((await upgrade("?session=s.0000000000000001")).status, 101);
        await Promise.all([client.close(), again.close()]);
    });

    test("takes on no new game, and answers a question", async () => {
        const client = await returning();
        client.send("find_match", { game: "memory" });
        const refused = await client.next("error");
        assert.equal(refused.code, "overloaded");
        assert.equal(refused.re, "find_match");
        assert.ok(isWait(refused.retryAfterMs));
        client.send("get_game", { gameId: "g-none" });
        assert.equal((await client.next("error")).code, "no_such_game");
        client.send("ping", {});
        await client.next("pong");
        assert.deepEqual(client.problems, []);
        await client.close();
    });

    test("has no tokens for guests, but a page for everybody", async () => {
        const guest = await fetch(`${edge.url}/v1/guest`, { method: "POST", body: "{}" });
        assert.equal(guest.status, 503);
        assert.ok(Number(guest.headers.get("retry-after")) >= 1);
        assert.ok(isWait((await guest.json()).error.retryAfterMs));
        assert.equal((await fetch(edge.url)).status, 200);
        assert.equal((await fetch(`${edge.url}/v1/ping`)).status, 204);
    });

    test("closes who does not read what he is sent, and keeps no more of it than it may", async () => {
        const slow = async () => (await metrics(edge.admin)).meridian_edge_connections_slow_total;
        const before = await slow(), client = await returning();
        const socket = net.connect({ host: "127.0.0.1", port: Number(new URL(edge.url).port) });
        socket.on("error", () => {});
        socket.write(upgradeHead({ line: "GET /v1/echo?session=s.0000000000000001 HTTP/1.1" }));
        await new Promise((resolve) => socket.once("data", resolve));
        socket.pause();
        const one = frame(0x1, "x".repeat(8192));
        for (let sent = 0; sent < 48 << 20 && await slow() === before; sent += 64 * one.length) {
            for (let i = 0; i < 63; i++) socket.write(one);
            await new Promise((resolve) => socket.write(one, resolve));
        }
        assert.equal(await slow(), before + 1);
        client.send("ping", {});
        await client.next("pong");
        socket.destroy();
        await client.close();
    });

    test("tells of it in its metrics", async () => {
        const seen = await metrics(edge.admin);
        assert.equal(seen["meridian_edge_load_levels_total{to=\"saturated\"}"], 1);
        for (const work of ["newcomer", "guest", "match"]) assert.ok(seen[`meridian_edge_work_refused_total{work="${work}"}`] >= 1, work);
        assert.ok(seen["meridian_edge_connections_refused_total{cause=\"load\"}"] >= 20);
        assert.equal(seen.meridian_edge_memory_limit_bytes, 1048576);
    });
});
