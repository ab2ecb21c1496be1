// SPDX-License-Identifier: Apache-2.0
// The judge sees what is wrong: a small true story passes, and every way to doctor it is found, and found as what it is.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Judge } from "./check.mjs";
import { plan } from "./faults.mjs";
import { Figures } from "./figures.mjs";
import { readRecord } from "./record.mjs";
import { parse } from "./resp.mjs";

const words = (kind, seat, cards = "0,0") => `${kind} seat ${seat} cards ${cards} face 7`;
const table = "dddd scores 0 0";

// Two players, one game: seat 0 turns card 3 (version 2), seat 0 turns card 1 (version 3), both are told; over with version 4.
function story() {
    const lines = [];
    const both = (line) => [0, 1].forEach((seat) => lines.push({ ...line, p: 10 + seat, s: seat }));
    both({ k: "up", user: "u", edge: "e1", resume: "new" });
    both({ k: "sit", g: "G" });
    both({ k: "state", g: "G", v: 1, over: 0, what: table });
    [["m1", 3, 2], ["m2", 1, 3]].forEach(([id, card, v]) => {
        lines.push({ k: "move", p: 10, g: "G", s: 0, id, card, due: v * 10 }, { k: "ok", p: 10, g: "G", id, v });
        both({ k: "told", g: "G", v, what: words("card_flipped", 0, `${card},0`) });
    });
    both({ k: "told", g: "G", v: 3, what: words("pair_missed", 0, "3,1") });
    both({ k: "told", g: "G", v: 4, what: words("game_over", 0) });
    both({ k: "leave", g: "G" });
    const record = { seats: [{ user: "a", answered: [{ id: "m1", v: 2 }, { id: "m2", v: 3 }] }, { user: "b", answered: [] }] };
    return { lines, facts: { stored: new Map([["G", { v: 4, over: true, o: "", record }]]), living: new Set(["e1.x"]), fences: [], adoptions: [] } };
}

function judged(doctor = () => {}) {
    const { lines, facts } = story();
    doctor(lines, facts);
    const judge = new Judge();
    lines.forEach((line) => judge.line({ t: 0, ...line }));
    return judge.verdict(facts);
}
const kindsOf = (verdict) => [...new Set(verdict.violations.map((one) => one.kind))].sort();
const drop = (lines, wanted) => lines.splice(lines.findIndex(wanted), 1);
const find = (lines, wanted) => lines.find(wanted);

test("a true story passes", () => {
    const verdict = judged();
    assert.deepEqual(verdict.violations, []);
    assert.equal(verdict.counts.acknowledged, 2);
});

const doctored = [
    ["an acknowledged move beyond what is stored", ["lost", "vanished"], (lines, facts) => (facts.stored.get("G").v = 2)],
    ["an end by inbox of a game that goes on", ["vanished"], (lines, facts) => {
        lines.push({ k: "result", p: 10, g: "G", s: 0 });
        Object.assign(facts.stored.get("G"), { over: false, o: "e1.x" });
    }],
    ["a game that is not in the store", ["lost"], (lines, facts) => facts.stored.delete("G")],
    ["another change where the acknowledged move should be", ["doubled", "lost"], (lines) =>
        lines.filter((one) => one.v === 2 && one.k === "told").forEach((one) => (one.what = words("card_flipped", 0, "2,0")))],
    ["an acknowledged move that the record has forgotten", ["lost"], (lines, facts) => facts.stored.get("G").record.seats[0].answered.shift()],
    ["a record that says another version", ["doubled"], (lines, facts) => (facts.stored.get("G").record.seats[0].answered[0].v = 3)],
    ["a move twice in the record", ["doubled"], (lines, facts) => facts.stored.get("G").record.seats[0].answered.push({ id: "m1", v: 2 })],
    ["a move acknowledged with two versions", ["doubled"], (lines) => lines.push({ k: "ok", p: 10, g: "G", id: "m1", v: 3 })],
    ["two moves acknowledged with one version", ["doubled", "lost"], (lines, facts) => {
        find(lines, (one) => one.k === "ok" && one.id === "m2").v = 2;
        facts.stored.get("G").record.seats[0].answered[1].v = 2;
    }],
    ["an acknowledgement of a move nobody made", ["doubled"], (lines) => lines.push({ k: "ok", p: 10, g: "G", id: "m9", v: 4 })],
    ["a card turned without a move", ["doubled"], (lines) => [0, 1].forEach((seat) =>
        lines.splice(-4, 0, { k: "told", p: 10 + seat, g: "G", s: seat, v: 3.5, what: words("card_flipped", 1, "2,0") }))],
    ["a move without an answer that was made twice", ["doubled"], (lines) => {
        drop(lines, (one) => one.k === "ok" && one.id === "m1");
        drop(lines, (one) => one.k === "ok" && one.id === "m2");
        lines.filter((one) => one.k === "told" && one.v === 3 && /flipped/.test(one.what)).forEach((one) => (one.what = words("card_flipped", 0, "3,0")));
    }],
    ["two players told different cards", ["differ"], (lines) => (lines.filter((one) => one.k === "told" && one.v === 2)[1].what = words("card_flipped", 0, "2,0"))],
    ["one player told less", ["differ"], (lines) => drop(lines, (one) => one.p === 11 && one.k === "told" && /pair_missed/.test(one.what))],
    ["two players told in another order", ["differ"], (lines) => {
        const [first, second] = lines.filter((one) => one.p === 11 && one.k === "told" && one.v === 3);
        [first.what, second.what] = [second.what, first.what];
    }],
    ["snapshots of one version that differ", ["differ"], (lines) => (find(lines, (one) => one.k === "state" && one.p === 11).what = "uddd scores 0 0")],
    ["a player set back", ["vanished"], (lines) => lines.splice(-2, 0, { k: "state", p: 10, g: "G", s: 0, v: 2, over: 1, what: table })],
    ["a version told that is not stored", ["lost", "vanished"], (lines, facts) => Object.assign(facts.stored.get("G"), { v: 2 })],
    ["a hole that nothing closed", ["hole", "untold"], (lines) => {
        for (const v of [3, 3]) drop(lines, (one) => one.p === 11 && one.k === "told" && one.v === v);
        drop(lines, (one) => one.p === 11 && one.k === "leave");
    }],
    ["a version told again", ["differ", "doubled"], (lines) => lines.splice(-4, 0, { k: "told", p: 10, g: "G", s: 0, v: 2, what: words("card_flipped", 0, "3,0") })],
    ["a live game whose owner is dead", ["stray"], (lines, facts) => facts.stored.set("H", { v: 1, over: false, o: "e2.y" })],
    ["a player whose game is not known", ["stray"], (lines) => lines.push({ k: "gone", p: 10, g: "G" })],
    ["two owners under one fence", ["owners"], (lines, facts) => facts.fences.push({ gid: "G", g: "1", e: "2", n: "3", o: "a" }, { gid: "G", g: "1", e: "2", n: "3", o: "b" })],
    ["two edges that took one epoch", ["owners"], (lines, facts) => facts.adoptions.push({ game: "G", epoch: 2, edge: "a" }, { game: "G", epoch: 2, edge: "b" })],
    ["a ticket that never ended", ["ticket"], (lines) => lines.push({ k: "seek", p: 11 }, { k: "ticket", p: 11, id: "t", state: "waiting" })],
    ["an end that one player was never told", ["untold"], (lines) => {
        drop(lines, (one) => one.p === 11 && one.k === "told" && one.v === 4);
        drop(lines, (one) => one.p === 11 && one.k === "leave");
    }],
];
for (const [what, kinds, doctor] of doctored) {
    test(`found: ${what}`, () => {
        const found = kindsOf(judged(doctor));
        assert.ok(found.length > 0, "nothing was found");
        assert.deepEqual(found.filter((kind) => !kinds.includes(kind)), [], `found as ${found}`);
        assert.ok(found.includes(kinds.at(-1)) || found.includes(kinds[0]));
    });
}

test("what a broken connection leaves in pieces is no difference, what contradicts is", () => {
    const pieces = (more) => judged((lines) => {
        const at = lines.findIndex((one) => one.p === 11 && one.k === "told" && /pair_missed/.test(one.what));
        lines.splice(at, 1, { k: "down", p: 11 }, { k: "up", p: 11, resume: "snapshot" }, { k: "state", p: 11, g: "G", s: 1, v: 3, over: 0, what: table }, ...more);
    });
    assert.deepEqual(pieces([]).violations, []);
    assert.deepEqual(kindsOf(pieces([{ k: "told", p: 11, g: "G", s: 1, v: 3, what: words("pair_found", 0, "3,1") }])), ["differ"]);
});

test("a ticket ends with its edge, unless it is told again", () => {
    const wait = (resume, ...more) => judged((lines) => lines.push({ k: "seek", p: 11 }, { k: "ticket", p: 11, id: "t", state: "waiting" },
        { k: "down", p: 11 }, { k: "up", p: 11, resume }, ...more));
    assert.deepEqual(wait("snapshot").violations, []);
    assert.deepEqual(kindsOf(wait("replayed")), ["ticket"]);
    assert.deepEqual(kindsOf(wait("snapshot", { k: "ticket", p: 11, id: "t", state: "waiting" })), ["ticket"]);
});

test("a move whose answer was lost may have been made, and a bot's moves need none", () => {
    assert.deepEqual(judged((lines) => drop(lines, (one) => one.k === "ok" && one.id === "m2")).violations, []);
    const bot = (lines) => lines.filter((one) => one.k === "told" && one.v === 2).forEach((one) => {
        lines.splice(lines.indexOf(one), 0, { ...one, what: words("seat_taken_over", 0) });
    });
    assert.deepEqual(judged((lines) => {
        bot(lines);
        drop(lines, (one) => one.k === "move" && one.id === "m2");
        drop(lines, (one) => one.k === "ok" && one.id === "m2");
    }).violations, []);
});

test("the same seed plans the same faults, and all that were asked for", () => {
    const asked = { edgeKills: 5, edgePauses: 2, routerKills: 3, routerPauses: 1, redisFaults: 9, cuts: true };
    const [one, again, other] = [7, 7, 8].map((seed) => plan(seed, asked));
    assert.deepEqual([one.servers, one.redis], [again.servers, again.redis]);
    assert.notDeepEqual([one.servers, one.redis], [other.servers, other.redis]);
    assert.equal(one.servers.filter((kind) => kind === "edge-kill").length, 5);
    assert.equal(one.redis.length, 9);
});

test("figures: moves count for the fault they fell into, and a lost turn from the loss", () => {
    const figures = new Figures();
    [
        { t: 0, k: "sit", p: 1, g: "G" }, { t: 10, k: "move", p: 1, g: "G", id: "a", due: 10 }, { t: 20, k: "ok", p: 1, g: "G", id: "a", v: 2 },
        { t: 30_000, k: "down", p: 1 }, { t: 31_000, k: "up", p: 1, resume: "snapshot" }, { t: 31_100, k: "state", p: 1, g: "G", v: 2 },
        { t: 31_101, k: "move", p: 1, g: "G", id: "b", due: 30_000 }, { t: 31_200, k: "ok", p: 1, g: "G", id: "b", v: 3 },
    ].forEach((line) => figures.line(line));
    const rows = figures.table([{ kind: "edge-kill", t0: 29_990, t1: 31_000 }], 60_000);
    const row = (kind) => rows.find((one) => one.kind === kind);
    assert.deepEqual([row("calm").within, row("edge-kill").later, row("edge-kill").share], [1, 1, 0]);
    assert.deepEqual([row("edge-kill").back.p50, row("edge-kill").first.p50], [1100, 1200]);
});

test("figures: what met two kinds of fault at once is in neither's own row", () => {
    const figures = new Figures();
    [[100, "a"], [20_000, "b"], [40_000, "c"]].forEach(([due, id]) => {
        figures.line({ t: due, k: "move", p: 1, g: "G", id, due });
        figures.line({ t: due + 10, k: "ok", p: 1, g: "G", id, v: 2 });
    });
    const faults = [{ kind: "edge-kill", t0: 0, t1: 10 }, { kind: "edge-kill", t0: 19_000, t1: 19_500 }, { kind: "redis-kill", t0: 19_900, t1: 20_000 }];
    const moves = (which) => Object.fromEntries(figures.table(faults, 60_000, which).map((row) => [row.kind, row.moves]));
    assert.deepEqual(moves(), { calm: 1, "edge-kill": 2, "redis-kill": 1, all: 3 });
    assert.deepEqual(moves({ alone: true }), { calm: 1, "edge-kill": 1, "redis-kill": 0, all: 2 });
});

test("replies and records are read from their bytes", () => {
    assert.deepEqual(parse(Buffer.from("*2\r\n$1\r\n0\r\n*1\r\n$3\r\nabc\r\n"))[0].map(String), ["0", "abc"]);
    assert.equal(parse(Buffer.from("$3\r\nab")), null);
    const seat = [0x0a, 1, 0x61, 0x12, 1, 0x61, 0x18, 1, 0x20, 1, 0x28, 0, 0x32, 8, 0x0a, 2, 0x6d, 0x31, 0x10, 2, 0x1a, 0];
    const record = readRecord(Buffer.from([0x0a, 1, 0x47, 0x12, 1, 0x6d, 0x18, 0xac, 0x02, 0x22, seat.length, ...seat, 0x38, 1]));
    assert.deepEqual(record, { version: 300, over: true, seats: [{ user: "a", bot: false, answered: [{ id: "m1", v: 2 }] }] });
});
