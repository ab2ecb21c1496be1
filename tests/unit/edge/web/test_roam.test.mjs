// SPDX-License-Identifier: Apache-2.0
// Home and away: every cell of the machine, and how a crowd's way home is spread.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Roam } from "../../../../edge/web/client/roam.js";

const SPREAD = 1000;

/* A player whose home is `us`, brought into a state. */
function inState(state, random = () => 0.5) {
    const roam = new Roam({ random, times: { homeward: SPREAD } });
    roam.arrived("us");
    if (state !== "home") roam.arrived("eu");
    if (state === "due") for (const _ of "12") roam.heard(true, 0);
    assert.equal(roam.state, state);
    return roam;
}

const EVENTS = {
    "taken in at home": (roam) => roam.arrived("us"),
    "taken in elsewhere": (roam) => roam.arrived("asia"),
    "home answered often enough": (roam) => (roam.heard(true, 0), roam.heard(true, 0)),
    "home was silent": (roam) => roam.heard(false, 0),
    "sent elsewhere for good": (roam) => roam.arrived("asia", true),
};

const CELLS = [
    /*         here    there   good    silent  sent */
    ["home", ["home", "away", "home", "home", "home"]],
    ["away", ["home", "away", "due", "away", "home"]],
    ["due", ["home", "due", "due", "away", "home"]],
];

for (const [state, row] of CELLS) {
    for (const [i, [what, act]] of Object.entries(EVENTS).entries()) {
        test(`${state}, ${what}: ${row[i]}`, () => {
            const roam = inState(state);
            act(roam);
            assert.equal(roam.state, row[i]);
            assert.equal(roam.dueAtMs !== null, roam.state === "due", "a time is set only while it is due");
        });
    }
}

test("the first region that takes him in is home, until his server says otherwise", () => {
    const roam = new Roam();
    assert.equal(roam.home, null);
    roam.arrived("us");
    roam.arrived("eu");
    assert.equal(roam.home, "us");
    roam.arrived("asia", true);
    assert.equal(roam.home, "asia");
});

test("one good answer between silences brings nobody home", () => {
    const roam = inState("away");
    for (let i = 0; i < 20; i++) roam.heard(i % 2 === 0, i);
    assert.equal(roam.state, "away");
});

test("the time to go is set once, by chance, and is not put off", () => {
    const roam = inState("due", () => 0.25);
    assert.equal(roam.dueAtMs, 250);
    roam.heard(true, 200);
    assert.equal(roam.dueAtMs, 250);
    assert.deepEqual([roam.isDue(249), roam.isDue(250)], [false, true]);
});

test("who heard nothing from home starts over", () => {
    const roam = inState("due");
    roam.heard(false, 100);
    roam.heard(true, 200);
    assert.equal(roam.state, "away");
    roam.heard(true, 300);
    assert.deepEqual([roam.state, roam.dueAtMs], ["due", 800]);
});

test("ten thousand go home evenly over the time given", () => {
    const tenths = new Array(10).fill(0);
    for (let i = 0; i < 10000; i++) tenths[Math.floor(inState("due", Math.random).dueAtMs / (SPREAD / 10))] += 1;
    for (const count of tenths) assert.ok(count > 850 && count < 1150, tenths.join(" "));
});
