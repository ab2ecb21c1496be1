// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { INBOX_MS, Inbox } from "../../../../edge/web/client/inbox.js";
import { fakeTime } from "./fake_time.mjs";

let time;
let inbox;
let sent;
let up;
let settledSeq;

beforeEach(() => {
    time = fakeTime();
    sent = [];
    up = true;
    settledSeq = 100;
    inbox = new Inbox((message) => up && sent.push(message) > 0);
});
afterEach(() => {
    inbox.stop();
    time.restore();
});

const take = (...numbers) => numbers.flatMap((seq) => inbox.accept({ type: "message", seq, settledSeq }).map((message) => message.seq));
const ack = (seq, rest) => ({ type: "ack_messages", seq, ...(rest ? { rest } : {}) });

test("what comes in order is handed on at once and acknowledged together", async () => {
    assert.deepEqual(take(101, 102, 103), [101, 102, 103]);
    assert.deepEqual(sent, []);
    await time.pass(INBOX_MS.ack);
    assert.deepEqual(sent, [ack(103)]);
    await time.pass(60_000);
    assert.equal(sent.length, 1);
});

test("each is handed on once, however often it comes", () => {
    assert.deepEqual(take(101, 101, 102, 101, 102), [101, 102]);
});

test("a push that overtakes what waits is held, and the rest is asked for", async () => {
    assert.deepEqual(take(103), []);
    await time.pass(INBOX_MS.missing);
    assert.deepEqual(sent, [ack(100, true)]); // nothing is acknowledged that was not handed on
    assert.deepEqual(take(101, 102, 103), [101, 102, 103]);
});

test("one that is only late is not asked for", async () => {
    take(101, 103);
    await time.pass(INBOX_MS.missing - 1);
    assert.deepEqual(take(102), [102, 103]);
    await time.pass(60_000);
    assert.deepEqual(sent, [ack(103)]);
});

test("it asks again as long as one is missing", async () => {
    take(102);
    await time.pass(3 * INBOX_MS.missing);
    assert.equal(sent.length, 3);
});

test("what another device acknowledged is neither handed on nor missed", async () => {
    take(101);
    settledSeq = 105;
    assert.deepEqual(take(104, 106), [106]);
    await time.pass(60_000);
    assert.deepEqual(sent, [ack(106)]);
});

test("an inbox that began anew, at a larger number, goes on", () => {
    take(101);
    settledSeq = 1_795_326_777_205;
    assert.deepEqual(take(1_795_326_777_206), [1_795_326_777_206]);
});

test("without a connection nothing is acknowledged; what comes again is, and not handed on twice", async () => {
    take(101, 102);
    up = false;
    await time.pass(60_000);
    inbox.stop();
    up = true;
    assert.deepEqual(take(101, 102), []);
    await time.pass(INBOX_MS.ack);
    assert.deepEqual(sent, [ack(102)]);
});

test("an acknowledgement that was lost on its way is repeated", async () => {
    take(101);
    await time.pass(INBOX_MS.ack);
    inbox.stop();
    take(101); // the server has not heard of it
    await time.pass(INBOX_MS.ack);
    assert.deepEqual(sent, [ack(101), ack(101)]);
});

test("another user's inbox begins at its own numbers", () => {
    take(101, 102);
    inbox.clear();
    settledSeq = 7;
    assert.deepEqual(take(8), [8]);
});
