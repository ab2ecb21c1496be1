// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Plan, parseReason, STEPS_MS } from "../../../../edge/web/client/plan.js";

const most = () => 0.999999;

test("the steps are at once, 1, 2, 5, 10 and 30 seconds, and 30 repeats", () => {
    const plan = new Plan({ random: most });
    const delays = Array.from({ length: 8 }, () => Math.round(plan.next({ code: 1006 }).delayMs));
    assert.deepEqual(delays, [200, 1000, 2000, 5000, 10000, 30000, 30000, 30000]);
});

test("jitter spreads each wait over the upper half of its step", () => {
    for (const random of [() => 0, () => 0.5, most]) {
        const plan = new Plan({ random });
        for (const step of STEPS_MS) {
            const { delayMs } = plan.next({ code: 1006 });
            assert.ok(delayMs >= step / 2 && delayMs <= Math.max(step, 200), `${delayMs} for ${step}`);
        }
    }
});

test("a connection that stood starts over at once", () => {
    const plan = new Plan({ random: most });
    plan.next({ code: 1006 });
    plan.next({ code: 1006 });
    plan.settled();
    assert.ok(plan.next({ code: 1006 }).delayMs <= 200);
});

test("the server's hint is obeyed to the millisecond", () => {
    const next = new Plan().next({ code: 1012, reason: "restart;retry=4321" });
    assert.equal(next.delayMs, 4321);
    assert.equal(next.hinted, true);
    assert.equal(new Plan().next({ code: 1012, reason: "drain;retry=0" }).delayMs, 0);
});

test("each close code has its answer", () => {
    const table = [
        [1000, "stop"], [1001, "back"], [1008, "back"], [1011, "back"], [1012, "back"], [1013, "back"],
        [1005, "back"], [1006, "back"], [1015, "back"], [3001, "back"], [3004, "back"], [3007, "back"],
        [3400, "back"], [3500, "back"], [3501, "stop"], [3502, "stop"], [3508, "stop"], [3999, "stop"],
    ];
    for (const [code, wanted] of table) {
        assert.equal(new Plan().next({ code }).stop, wanted === "stop", `code ${code}`);
    }
});

test("a protocol error is tried again once and not twice", () => {
    for (const code of [1002, 1003, 1007, 1009]) {
        const plan = new Plan();
        assert.equal(plan.next({ code }).stop, false);
        assert.equal(plan.next({ code }).stop, true);
    }
});

test("after floods the client is quiet for at least 30 seconds whatever the hint", () => {
    assert.ok(new Plan({ random: () => 0 }).next({ code: 1008 }).delayMs >= 30000);
    assert.ok(new Plan().next({ code: 1008, reason: "flood;retry=10" }).delayMs >= 30000);
    assert.equal(new Plan().next({ code: 1008, reason: "flood;retry=60000" }).delayMs, 60000);
});

test("a refused token is replaced once, an expired one renewed", () => {
    const plan = new Plan();
    assert.equal(plan.next({ code: 3001 }).token, "expired");
    assert.equal(plan.next({ code: 3500 }).token, "rejected");
    assert.equal(plan.next({ code: 3500 }).stop, true);
});

test("it gives up after as many attempts as allowed", () => {
    const plan = new Plan({ maxAttempts: 2 });
    assert.deepEqual([1, 2, 3].map(() => plan.next({ code: 1006 }).stop), [false, false, true]);
});

test("a reason is read field by field and nonsense is left out", () => {
    assert.deepEqual(parseReason("moved;retry=50;region=eu-west;edge=e7"), {
        name: "moved", retryMs: 50, region: "eu-west", edge: "e7",
    });
    for (const bad of ["x;retry=-1", "x;retry=", "x;retry=1e9", "x;retry", "x;;=", "x;retry=99999999999"]) {
        assert.deepEqual(parseReason(bad), { name: "x" });
    }
    assert.deepEqual(parseReason(undefined), { name: "" });
});

test("where nobody could be reached it is not tried again at once, and a hint that all get alike is spread", () => {
    const plan = new Plan({ random: () => 0 });
    assert.equal(plan.next({ code: 4004 }).delayMs, 500);
    const hint = { code: 4004, reason: "overloaded;retry=1000" };
    assert.deepEqual([0, 0.5, most()].map((at) => Math.round(new Plan({ random: () => at }).next(hint).delayMs)), [1000, 1250, 1500]);
    assert.equal(new Plan().next(hint).hinted, true);
});

test("another address is better when the server leaves, is full or is not there", () => {
    const elsewhere = [1001, 1012, 1013, 4004], here = [1006, 1011, 3001, 3004];
    for (const code of elsewhere) assert.equal(new Plan().next({ code }).elsewhere, true, `code ${code}`);
    for (const code of here) assert.equal(new Plan().next({ code }).elsewhere, false, `code ${code}`);
});
