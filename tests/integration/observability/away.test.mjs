// SPDX-License-Identifier: Apache-2.0
// How long players are away until they are back (R36) is counted by the edge that held their session, wherever they come back.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player, readEndpoints, sleep } from "../outside/footprint.mjs";

const [here, there] = readEndpoints().regions[0].edges;
const AWAY_MS = 400;
after(() => Client.dropAll());

async function away() {
    const values = await metrics(here.admin);
    return { count: values.meridian_edge_session_away_seconds_count, sum: values.meridian_edge_session_away_seconds_sum };
}

for (const [where, edge] of [["to the same edge", here], ["to another edge", there]])
    test(`a player who comes back ${where}`, async () => {
        const { token } = player();
        const client = await Client.connect(here.ws, { token, device: "phone" });
        const before = await away();
        const { state } = client;
        client.socket.terminate();
        await client.closed;
        await sleep(AWAY_MS);
        assert.deepEqual(await away(), before);
        const again = await Client.connect(edge.ws, { token, device: "phone", resume: state });
        assert.equal(again.connected.resume, "replayed");
        const now = await away();
        assert.equal(now.count, before.count + 1);
        assert.ok(now.sum - before.sum >= AWAY_MS / 1000 && now.sum - before.sum < 5, `${now.sum - before.sum} s`);
    });
