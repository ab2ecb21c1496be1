// SPDX-License-Identifier: Apache-2.0
// Playing a game to its end, calmly: one move at a time, only when it is our turn, by somebody who forgets nothing.
import assert from "node:assert/strict";

// known: shared by players who help each other, so that games end soon. stop(view): leave off early. Returns the acknowledged moves.
export async function play(client, view, { known = view.faces, stop = () => false, ms = 240_000 } = {}) {
    const acked = [];
    const deadline = Date.now() + ms;
    while (!view.over && !stop(view)) {
        await client.until(() => view.over || view.mine || stop(view), `my turn in ${view.gameId}`, deadline - Date.now());
        if (view.over || stop(view)) break;
        const card = view.choose(known);
        const moveId = client.flip(view.gameId, card);
        const answer = await client.answer(moveId);
        assert.equal(answer.type, "move_ok", JSON.stringify(answer));
        await client.until(() => view.version >= answer.version, "the move's own events");
        acked.push({ moveId, card, version: answer.version });
        known.set(card, view.faces.get(card));
    }
    return acked;
}

// Every acknowledged move is in the game, once, at its version.
export function assertMovesStored(view, acked) {
    assert.equal(new Set(acked.map((move) => move.version)).size, acked.length);
    for (const { card, version } of acked) {
        const flips = view.byVersion.get(version)?.filter((event) => event.type === "card_flipped" && event.seat === view.seat) ?? [];
        assert.deepEqual(flips.map((event) => event.card), [card], `the move stored as version ${version}`);
    }
}
