// SPDX-License-Identifier: Apache-2.0
// A Redis primary that hangs (SIGSTOP, nobody to take its place): players who ask for what it holds are told "try again" at once instead of
// each waiting for a time-out, those of other primaries notice nothing, and when it is back all is as before (R25).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Footprint, until } from "../faults/own.mjs";
import { Client } from "../outside/client.mjs";
import { metrics, player } from "../outside/footprint.mjs";

const PLAYERS = 90; // about a third of them belong to each of the three primaries: fewer than the eight time-outs that open a breaker is one in ten millions
const TIMEOUT_MS = 1500; // of a call to the store
const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 900);
let edge, clients, stopped;

before(async () => {
    print.up("--edges", "1", "--replicas", "0");
    [edge] = print.region.edges;
    clients = await Promise.all(Array.from({ length: PLAYERS }, () => Client.connect(edge.ws, player(undefined, { dir: print.state }))));
}, { timeout: 240_000 });
after(() => {
    if (stopped) process.kill(stopped, "SIGCONT");
    Client.dropAll();
    print.down();
});

// Each asks about a ticket that is not his: the edge must look into his record. How many got which answer, and the slowest of each.
async function askAll(round) {
    const seen = {};
    await Promise.all(clients.map(async (client, i) => {
        const ticketId = `t-${round}-${i}`, began = Date.now();
        client.send("explain_match", { ticketId });
        const { code } = await client.next("error", (message) => message.re === ticketId);
        seen[code] ??= { count: 0, slowestMs: 0 };
        seen[code].count++;
        seen[code].slowestMs = Math.max(seen[code].slowestMs, Date.now() - began);
    }));
    return seen;
}
const value = async (name) => (await metrics(edge.admin))[name];

test("a primary that hangs is not asked by everybody", { timeout: 60_000 }, async (t) => {
    const calm = await askAll(0);
    assert.deepEqual(Object.keys(calm), ["no_such_ticket"]);

    stopped = print.redisPid(print.ports[0]);
    process.kill(stopped, "SIGSTOP");
    const first = await askAll(1);
    t.diagnostic(`its calls time out: ${JSON.stringify(first)}`);
    assert.equal(first.no_such_ticket.count + first.try_again.count, PLAYERS);
    assert.ok(first.try_again.count >= 8, "too few for the test to mean anything");
    assert.equal(await value("meridian_redis_breaker_opened_total"), 1);

    const second = await askAll(2);
    t.diagnostic(`open: ${JSON.stringify(second)}`);
    assert.equal(second.try_again.count, first.try_again.count);
    assert.ok(await value("meridian_redis_breaker_refused_total") >= first.try_again.count - 2, "all but a probe or two");
    assert.ok(second.no_such_ticket.slowestMs < TIMEOUT_MS, `${second.no_such_ticket.slowestMs} ms: they waited, too`);

    process.kill(stopped, "SIGCONT");
    stopped = undefined;
    let round = 3;
    await until("its answers", async () => !(await askAll(round++)).try_again);
    for (const client of clients) assert.deepEqual(client.problems, []);
});
