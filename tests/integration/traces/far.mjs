// SPDX-License-Identifier: Apache-2.0
// A trace through two regions. Run by ../cross/cross.test.mjs, on its regions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { meet, move, turn } from "./moves.mjs";
import { INTERNAL, ledTo, named, only } from "./receiver.mjs";

const elsewhere = (span) => span["meridian.outcome"] === "matched elsewhere";

// The ticket of who sits in the game of another region, and of who sits in his own's.
async function tickets(receiver, people, names, host) {
    const home = names.find((name) => name !== host);
    const inRegion = (spans, region) => spans.find(({ resource }) => resource["cloud.region"] === region);
    for (const { at, view, found: { trace, parent } } of people) {
        const away = names[at] === home;
        // seat_open is told through both routers; what waits until two edges know of each other goes without its trace. The other region is told of
        // the ticket of who sits at home, unless whom he meets was known at home before him.
        const spans = await receiver.whole(trace, away ? 6 : 5, (span) => span.name !== "relay" && !elsewhere(span) && ledTo(view.gameId)(span));
        const [asked, seat, born, put] = ["find_match", "seat_offer", "create game", "redis mer1_create"].map((name) => only(spans, name));
        const near = inRegion(named(spans, "match"), names[at]);
        const there = away ? [inRegion(named(spans, "match"), host)] : receiver.of(trace, elsewhere);
        assert.deepEqual([asked.parent, near.parent, born.parent, put.parent], [parent, asked.id, seat.parent, born.id]);
        assert.deepEqual(there.map((span) => [span.parent, span.resource["cloud.region"]]), there.map(() => [near.id, away ? host : home]));
        const match = away ? there[0] : near;
        assert.equal(seat.parent, match.id, "the seat is the host's to offer");
        assert.equal(match["meridian.outcome"], "matched");
        if (away) assert.deepEqual([near["meridian.outcome"], near["meridian.lent_to"]], ["lent", host]);
        assert.deepEqual([asked, seat, born, put].map(({ resource }) => resource["cloud.region"]), [names[at], names[at], host, host]);
        for (const span of [asked, seat, born, put, match]) assert.equal(span["meridian.game"], view.gameId);
    }
}

export function traces(pair, receiver, { connect }) {
    test("traces: a ticket and a move to another region go through both routers, and the move's answer comes back through them", async () => {
        const people = await meet(await Promise.all([0, 1].map(async (at) => ({ at, client: await connect(at) }))));
        const host = people[0].view.gameId.split(".")[0];
        const home = pair.names.find((name) => name !== host);
        await tickets(receiver, people, pair.names, host);
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
