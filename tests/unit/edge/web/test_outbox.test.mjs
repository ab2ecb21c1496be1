// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../../../edge/web/client/outbox.js";

const move = (moveId) => ({ type: "move", gameId: "g", moveId, flip: { card: 0 } });

function fixture(options) {
    const sent = [];
    const line = { up: true };
    const outbox = new Outbox((message) => line.up && sent.push(message) > 0, options);
    return { outbox, sent, line };
}

test("requests made offline are sent in order once there is a connection", async () => {
    const { outbox, sent, line } = fixture();
    line.up = false;
    const answers = ["a", "b", "c"].map((id) => outbox.add(move(id)));
    assert.equal(sent.length, 0);
    line.up = true;
    outbox.flush();
    assert.deepEqual(sent.map((message) => message.moveId), ["a", "b", "c"]);
    for (const id of ["a", "b", "c"]) outbox.receive({ type: "move_ok", gameId: "g", moveId: id, version: 1 });
    await Promise.all(answers);
    assert.equal(outbox.size, 0);
});

test("what was not answered is sent again under the same id after a reconnect", () => {
    const { outbox, sent } = fixture();
    outbox.add(move("a"));
    outbox.hold();
    outbox.flush();
    assert.deepEqual(sent.map((message) => message.moveId), ["a", "a"]);
});

test("a full box says so at once", async () => {
    const { outbox } = fixture({ max: 2 });
    outbox.add(move("a"));
    outbox.add(move("b"));
    await assert.rejects(outbox.add(move("c")), { code: "outbox_full" });
    assert.equal(outbox.size, 2);
});

test("an error rejects the request it is about and no other", async () => {
    const { outbox } = fixture();
    const first = outbox.add(move("a"));
    outbox.add(move("b"));
    assert.equal(outbox.receive({ type: "error", code: "illegal_move", message: "no", re: "a" }), true);
    await assert.rejects(first, { code: "illegal_move" });
    assert.equal(outbox.size, 1);
    assert.equal(outbox.receive({ type: "error", code: "bad_json", message: "no" }), false);
});

test("try_again sends the same move again after the time the server named", async () => {
    const { outbox, sent } = fixture();
    const answer = outbox.add(move("a"));
    outbox.receive({ type: "error", code: "try_again", message: "later", re: "a", retryAfterMs: 5 });
    assert.equal(sent.length, 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(sent.map((message) => message.moveId), ["a", "a"]);
    outbox.receive({ type: "move_ok", gameId: "g", moveId: "a", version: 2 });
    assert.equal((await answer).version, 2);
});

test("a move in a paused game is sent again as soon as the game goes on", async () => {
    const ends = [
        [{ type: "game_paused", gameId: "g", version: 4, reason: "player" }, { type: "game_resumed", gameId: "g", version: 5 }],
        [{ type: "game_state", gameId: "g", version: 4, status: "paused" }, { type: "game_state", gameId: "g", version: 5, status: "playing" }],
    ];
    for (const [paused, resumed] of ends) {
        const { outbox, sent } = fixture();
        outbox.receive(paused);
        const answers = ["a", "b"].map((id) => outbox.add(move(id)));
        const other = outbox.add({ ...move("c"), gameId: "another" });
        for (const re of ["a", "b", "c"]) outbox.receive({ type: "error", code: "try_again", message: "later", re, retryAfterMs: 120_000 });
        outbox.receive({ type: "game_resumed", gameId: "somebody's", version: 9 });
        assert.equal(sent.length, 3);
        outbox.receive(resumed);
        assert.deepEqual(sent.slice(3).map((message) => message.moveId), ["a", "b"]);
        outbox.receive(resumed); // said twice: what is on its way is not sent again
        assert.equal(sent.length, 5);
        for (const moveId of ["a", "b"]) outbox.receive({ type: "move_ok", gameId: "g", moveId, version: 6 });
        await Promise.all(answers);
        outbox.fail(new Error("the end"));
        await assert.rejects(other);
    }
});

test("a game that was not paused hurries nothing", async () => {
    const { outbox, sent } = fixture();
    const answer = outbox.add(move("a"));
    outbox.receive({ type: "error", code: "overloaded", message: "later", re: "a", retryAfterMs: 120_000 });
    outbox.receive({ type: "game_state", gameId: "g", version: 5, status: "playing" });
    assert.equal(sent.length, 1);
    outbox.fail(new Error("the end"));
    await assert.rejects(answer);
});

test("try_again for ever is told to the caller in the end", async () => {
    const { outbox, sent } = fixture();
    const answer = outbox.add(move("a"));
    const refuse = setInterval(
        () => outbox.receive({ type: "error", code: "try_again", message: "later", re: "a", retryAfterMs: 1 }),
        3,
    );
    await assert.rejects(answer, { code: "try_again" });
    clearInterval(refuse);
    assert.equal(sent.length, 9);
});

test("each request is settled by its own kind of answer", async () => {
    const table = [
        [{ type: "find_match" }, { type: "ticket", ticketId: "t", state: "waiting" }],
        [{ type: "find_match" }, { type: "matched", gameId: "g" }],
        [{ type: "cancel_match", ticketId: "t" }, { type: "ticket", ticketId: "t", state: "cancelled" }],
        [{ type: "explain_match", ticketId: "t" }, { type: "ticket", ticketId: "t", state: "waiting" }],
        [{ type: "leave_game", gameId: "g" }, { type: "seat_left", gameId: "g" }],
        [{ type: "leave_game", gameId: "g" }, { type: "game_over", gameId: "g" }],
        [{ type: "get_game", gameId: "g" }, { type: "game_state", gameId: "g" }],
    ];
    for (const [request, answer] of table) {
        const { outbox } = fixture();
        const settled = outbox.add(request);
        outbox.receive({ type: "game_state", gameId: "other" });
        outbox.receive({ type: "ticket", ticketId: "other", state: "cancelled" });
        assert.equal(outbox.size, 1, request.type);
        outbox.receive(answer);
        assert.equal(await settled, answer);
    }
});

test("an answer cannot settle what was never sent", () => {
    const { outbox, line } = fixture();
    line.up = false;
    outbox.add({ type: "get_game", gameId: "g" });
    outbox.receive({ type: "game_state", gameId: "g" });
    assert.equal(outbox.size, 1);
});

test("refused without a word of what: whatever has no answer is sent again, in order and not all at once", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { outbox, sent } = fixture();
    const answers = ["a", "b", "c"].map((id) => outbox.add(move(id)));
    assert.equal(outbox.receive({ type: "error", code: "rate_limited", message: "too many messages", retryAfterMs: 1000 }), true);
    outbox.receive({ type: "move_ok", gameId: "g", moveId: "a", version: 1 }); /* this one was taken */
    t.mock.timers.tick(1100);
    assert.deepEqual(sent.slice(3).map(({ moveId }) => moveId), ["b"]);
    t.mock.timers.tick(100);
    assert.deepEqual(sent.slice(3).map(({ moveId }) => moveId), ["b", "c"]);
    for (const id of ["b", "c"]) outbox.receive({ type: "move_ok", gameId: "g", moveId: id, version: 2 });
    assert.equal((await Promise.all(answers)).length, 3);
    assert.equal(outbox.receive({ type: "error", code: "rate_limited", message: "too many messages", retryAfterMs: 1000 }), false, "of none of these");
});

test("what has no answer for long is sent again, and only that", () => {
    let now = 0;
    const { outbox, sent, line } = fixture({ now: () => now });
    outbox.add(move("a")).catch(() => {});
    now = 6000;
    outbox.add(move("b")).catch(() => {});
    now = 10000;
    outbox.repeat(10000);
    assert.deepEqual(sent.slice(2).map(({ moveId }) => moveId), ["a"]);
    outbox.repeat(10000);
    assert.equal(sent.length, 3, "it has its time anew");
    line.up = false;
    outbox.hold();
    now = 60000;
    outbox.repeat(10000);
    assert.equal(sent.length, 3);
    outbox.fail(new Error("the end"));
});

test("what is no request is refused", async () => {
    await assert.rejects(fixture().outbox.add({ type: "ack", offset: 1 }), { code: "unknown_type" });
});
