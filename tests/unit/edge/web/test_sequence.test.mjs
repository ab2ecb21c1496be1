// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Sequence } from "../../../../edge/web/client/sequence.js";

const at = (offset) => ({ type: "x", offset });
const offsets = (messages) => messages.map((message) => message.offset);

function started(offset = 0) {
    const sequence = new Sequence();
    sequence.start("s", 1, offset);
    return sequence;
}

test("messages in order pass one by one", () => {
    const sequence = started(4);
    assert.deepEqual(offsets(sequence.accept(at(5))), [5]);
    assert.deepEqual(offsets(sequence.accept(at(6))), [6]);
    assert.equal(sequence.offset, 6);
});

test("what comes twice is delivered once", () => {
    const sequence = started();
    sequence.accept(at(1));
    assert.deepEqual(sequence.accept(at(1)), []);
});

test("what follows a gap is held until it is filled, then comes in order", () => {
    const sequence = started();
    assert.deepEqual(sequence.accept(at(3)), []);
    assert.deepEqual(sequence.accept(at(2)), []);
    assert.equal(sequence.gap, true);
    assert.deepEqual(offsets(sequence.accept(at(1))), [1, 2, 3]);
    assert.equal(sequence.gap, false);
});

test("a message without an offset passes even during a gap", () => {
    const sequence = started();
    sequence.accept(at(2));
    assert.equal(sequence.accept({ type: "move_ok" }).length, 1);
});

test("every order of five messages ends in the same delivery", () => {
    const orders = permutations([1, 2, 3, 4, 5]);
    assert.equal(orders.length, 120);
    for (const order of orders) {
        const sequence = started();
        assert.deepEqual(offsets(order.flatMap((offset) => sequence.accept(at(offset)))), [1, 2, 3, 4, 5]);
    }
});

test("rewinding keeps the place and forgets what was held", () => {
    const sequence = started();
    sequence.accept(at(1));
    sequence.accept(at(3));
    sequence.rewind();
    assert.equal(sequence.gap, false);
    assert.deepEqual(offsets([2, 3].flatMap((offset) => sequence.accept(at(offset)))), [2, 3]);
});

function permutations(items) {
    if (items.length < 2) return [items];
    return items.flatMap((item, index) =>
        permutations(items.filter((_, at) => at !== index)).map((rest) => [item, ...rest]),
    );
}
