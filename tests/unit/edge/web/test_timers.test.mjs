// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Timers } from "../../../../edge/web/client/timers.js";
import { fakeTime } from "./fake_time.mjs";

let time;
beforeEach(() => {
    time = fakeTime();
});
afterEach(() => time.restore());

test("a timer fires once and is gone, so that it can be set from within", async () => {
    const timers = new Timers();
    const fired = [];
    timers.set("a", 10, () => {
        fired.push(timers.has("a"));
        if (fired.length < 2) timers.set("a", 10, () => fired.push("again"));
    });
    assert.ok(timers.has("a"));
    await time.pass(9);
    assert.deepEqual(fired, []);
    await time.pass(100);
    assert.deepEqual(fired, [false, "again"]);
    assert.ok(!timers.has("a"));
});

test("set again it replaces the first, and no other", async () => {
    const timers = new Timers();
    const fired = [];
    timers.set("a", 10, () => fired.push("first"));
    timers.set("b", 10, () => fired.push("other"));
    timers.set("a", 20, () => fired.push("second"));
    await time.pass(100);
    assert.deepEqual(fired, ["other", "second"]);
});

test("cleared, one by one or all, none fires", async () => {
    const timers = new Timers();
    const fired = [];
    for (const name of ["a", "b", "c"]) timers.set(name, 10, () => fired.push(name));
    timers.clear("a");
    timers.clear("unknown");
    assert.deepEqual(["a", "b", "c"].map((name) => timers.has(name)), [false, true, true]);
    await time.pass(10);
    for (const name of ["a", "b", "c"]) timers.set(name, 10, () => fired.push(name));
    timers.clearAll();
    await time.pass(100);
    assert.deepEqual(fired, ["b", "c"]);
});

test("a wait longer than setTimeout can take is the longest it can, not none", async () => {
    const timers = new Timers();
    let fired = false;
    timers.set("a", 2 ** 40, () => (fired = true));
    await time.pass(2 ** 31 - 2);
    assert.ok(!fired);
    await time.pass(1);
    assert.ok(fired);
});
