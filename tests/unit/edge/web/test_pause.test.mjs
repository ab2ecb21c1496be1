// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { ending, pauseWords } from "../../../../edge/web/page/pause.js";

const game = (states, more) => ({
    seat: 0,
    players: states.map((_, seat) => ({ seat, name: ["Ann", "Bea", "Cy"][seat], user: `u${seat}`, kind: "human" })),
    seats: states.map((state, seat) => ({ seat, state })),
    ...more,
});

test("a pause names those who are waited for, and never the player himself", () => {
    const waits = (...states) => pauseWords(game(states, { pause: { reason: "player" } }));
    assert.equal(waits("seated", "grace"), "Paused. Waiting for Bea.");
    assert.equal(waits("seated", "paused", "grace"), "Paused. Waiting for Bea and Cy.");
    assert.equal(waits("grace", "seated", "bot"), "Paused. Waiting for a player.");
});

test("a pause of ours says that nothing is lost", () => {
    for (const reason of ["storage", "link"]) assert.match(pauseWords(game(["seated"], { pause: { reason } })), /^Paused\. .*Nothing is lost\.$/);
    assert.match(pauseWords(game(["seated"], { pause: { reason: null } })), /^Paused\./);
});

test("each end has its words, seen from the player's seat", () => {
    const end = (reason, ...states) => ending(game(states, { result: { reason } }));
    assert.equal(end("finished", "seated", "seated"), "All pairs are found.");
    assert.equal(end("resigned", "seated", "left"), "The others left the table.");
    assert.equal(end("resigned", "left", "seated"), "You left the table.");
    assert.match(end("abandoned", "seated", "left"), /did not come back/);
    assert.match(end("abandoned", "left", "seated"), /away for too long/);
    assert.equal(end("something new", "seated"), "The game is over.");
});
