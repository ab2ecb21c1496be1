// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { namesSet, notSeen, parsePage, stamped, tabled } from "./page.mjs";

const page = (...lines) => ["# A page", "<!-- drill players=eu -->", ...lines].join("\n");
const run = ["```sh run within=5", "date", "```"];
const see = ["```see", "20...", "```"];

describe("a page", () => {
    test("is who plays, and what is done in order", () => {
        const { players, alone, steps } = parsePage(page("Text.", "```sh set", "A=1", "```", ...run, ...see, "```sh fault", "kill", "it", "```"), "a.md");
        assert.deepEqual([players, alone], [["eu"], false]);
        assert.equal(parsePage(page(...run, ...see).replace("players=eu", "players=eu alone"), "a.md").alone, true);
        assert.deepEqual(steps, [
            { kind: "set", line: 4, code: "A=1", within: 0 },
            { kind: "run", line: 7, code: "date", within: 5, see: ["20..."] },
            { kind: "fault", line: 13, code: "kill\nit", within: 0 },
        ]);
    });
    for (const [what, text, says] of [
        ["no title", "A page", /a\.md:1: a page begins/],
        ["no line for the drill", "# A page\n\n", /a\.md:2: .*missing/],
        ["a word for the drill that is none", page().replace("players=eu", "players=eu lost=3"), /a\.md:2/],
        ["nothing done", page("Words."), /nothing is done/],
        ["a run of which nothing is seen", page(...run), /a\.md:3: what must be seen/],
        ["a run before another without a look", page(...run, ...run, ...see), /a\.md:3: what must be seen/],
        ["a look at nothing", page(...see), /nothing was run/],
        ["an empty look", page(...run, "```see", "", "```"), /nothing to see/],
        ["a block without an end", page("```sh run", "date"), /without an end/],
        ["a block of another kind", page("```text", "date", "```"), /neither/],
        ["a fault that is asked again", page("```sh fault within=3", "kill", "```"), /only a question/],
    ]) test(`with ${what} is refused with its line`, () => assert.throws(() => parsePage(text, "a.md"), says));
});

test("names that are set are found", () => {
    assert.deepEqual(namesSet("REGION=eu NETWORK=1.2.3.0/24\nregion $REGION; LOST=$(redis_primaries | head -n 1)"), ["REGION", "NETWORK", "LOST"]);
    assert.deepEqual(namesSet('[ "$A" = b ] || c --key=D'), []);
});

describe("what is seen", () => {
    const output = "edge        state\neu-1.abc    drains\neu-2.def    takes players\n";
    for (const [what, lines, missing] of [
        ["whole lines, blanks aside", ["edge state"]],
        ["any text for ...", ["eu-1... drains", "eu-2... takes players"]],
        ["the order counts", ["eu-2... takes players", "eu-1... drains"], "eu-1... drains"],
        ["one line is not two", ["eu-1... drains", "eu-1... drains"], "eu-1... drains"],
        ["a part of a line is not the line", ["eu-1"], "eu-1"],
        ["a dot is a dot", ["eu-1.abc drain."], "eu-1.abc drain."],
    ]) test(what, () => assert.equal(notSeen(lines, output), missing));
    test("the day is written where there is a place for it", () => {
        assert.equal(stamped("# A\nLast drill: never\n", "today"), "# A\nLast drill: today\n");
        assert.equal(stamped("# A\n", "today"), undefined);
        const table = (seconds) => `| [b](procedures/b.md) | when | 2.0 s |\n| [a](procedures/a.md) | when | ${seconds} s |\n`;
        assert.equal(tabled(table("1.5"), "a", "17.3"), table("17.3"));
        assert.equal(tabled(table("1.5"), "diagnosis/a", "17.3"), table("1.5"));
    });
});
