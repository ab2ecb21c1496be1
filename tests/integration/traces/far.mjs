// SPDX-License-Identifier: Apache-2.0
// A trace through two regions. Run by ../cross/cross.test.mjs, on its regions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { meet, move, turn } from "./moves.mjs";
import { INTERNAL, named, only } from "./receiver.mjs";

export function traces(pair, receiver, { connect }) {
    test("traces: a move to another region goes through both routers, and its answer comes back through them", async () => {
        const people = await meet(await Promise.all([0, 1].map(async (at) => ({ at, client: await connect(at) }))));
        const host = people[0].view.gameId.split(".")[0];
        const home = pair.names.find((name) => name !== host);
        const mover = await turn(people, ({ at }) => pair.names[at] === home);
        const { trace, parent } = await move(mover.client, mover.view);
        const spans = await receiver.whole(trace, 7);
        const [asked, owner, put] = ["move", "game move", "redis mer1_put"].map((name) => only(spans, name));
        assert.deepEqual([asked.parent, owner.parent, put.parent], [parent, asked.id, owner.id]);
        assert.deepEqual([asked, owner, put].map(({ resource }) => resource["cloud.region"]), [home, host, host]);
        const relays = (from, to) => {
            const both = named(spans, "relay").filter((span) => span["meridian.from_region"] === from && span["meridian.to_region"] === to);
            assert.deepEqual(both.map(({ kind, resource }) => `${kind} ${resource["service.name"]}`), Array(2).fill(`${INTERNAL} meridian-router`));
            return [from, to].map((name) => both.find(({ resource }) => resource["cloud.region"] === name));
        };
        const there = relays(home, host), back = relays(host, home);
        assert.deepEqual(there.map((span) => span.parent), [asked.id, there[0].id]);
        assert.deepEqual(back.map((span) => span.parent), [owner.id, back[0].id]);
        assert.deepEqual(receiver.wrong, []);
        for (const { client } of people) await client.close();
    });
}
