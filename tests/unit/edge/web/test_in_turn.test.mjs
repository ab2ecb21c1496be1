// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn } from "../../../../edge/web/client/in_turn.js";

/* Who answers what, after how long: {a: [ms, yes]}; `asked` tells when each was asked. */
function those(answers) {
    const began = performance.now();
    const asked = {};
    const ask = (name) => {
        asked[name] = performance.now() - began;
        const [ms, yes] = answers[name];
        return new Promise((resolve) => setTimeout(() => resolve(yes), ms));
    };
    return { ask, asked };
}

test("who answers in time is the only one that is asked", async () => {
    const { ask, asked } = those({ a: [10, true], b: [0, true] });
    assert.equal(await inTurn(["a", "b"], 100, ask), "a");
    assert.deepEqual(Object.keys(asked), ["a"]);
});

test("who says no costs no time", async () => {
    const { ask, asked } = those({ a: [0, false], b: [0, false], c: [0, true] });
    assert.equal(await inTurn(["a", "b", "c"], 5000, ask), "c");
    assert.ok(asked.c < 1000);
});

test("who is silent is not waited for, and may still be the first", async () => {
    const silent = those({ a: [5000, false], b: [0, true], c: [0, true] });
    assert.equal(await inTurn(["a", "b", "c"], 50, silent.ask), "b");
    assert.ok(silent.asked.b >= 45 && !("c" in silent.asked));
    const slow = those({ a: [100, true], b: [5000, true], c: [5000, true] });
    assert.equal(await inTurn(["a", "b", "c"], 60, slow.ask), "a");
    assert.deepEqual(Object.keys(slow.asked), ["a", "b"], "and ends the asking");
});

test("all say no, or there is nobody", async () => {
    assert.equal(await inTurn(["a", "b"], 5, those({ a: [30, false], b: [0, false] }).ask), null);
    assert.equal(await inTurn([], 5, those({}).ask), null);
});
