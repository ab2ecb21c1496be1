// SPDX-License-Identifier: Apache-2.0
// A page of runbooks/procedures as a drill reads it: text for people, and fenced blocks in the order in which they are done.
//
//   ```sh set                 variables for the rest of the page, worked out once; an operator puts his own
//   ```sh fault               what goes wrong, on a game day; in earnest it has happened already
//   ```sh run [within=20]     what an operator does; with `within` it is a question, asked again until the answer is as it must be
//   ```see                    follows each `run` and says what must be seen: these lines, in this order, with others between; ... is any text
//
// The first line after the title says in which regions people play meanwhile; none of them may lose a game or an acknowledged move:
//   <!-- drill players=us-east,eu -->
// With `alone` the page gets a footprint of its own, because afterwards other regions are there than before:
//   <!-- drill players=us-east,eu alone -->
import assert from "node:assert/strict";

const OPENING = /^```sh (set|fault|run)(?: within=(\d+))?$/;

export function parsePage(text, name) {
    const lines = text.split("\n");
    const wrong = (at, what) => assert.fail(`${name}:${at + 1}: ${what}`);
    if (!/^# .+/.test(lines[0])) wrong(0, "a page begins with its title");
    const head = /^<!-- drill players=([a-z0-9,-]*)( alone)? -->$/.exec(lines[1]) ?? wrong(1, "the line that tells the drill is missing");
    const steps = [];
    const block = (at) => {
        const end = lines.indexOf("```", at + 1);
        if (end < 0) wrong(at, "a block without an end");
        return [lines.slice(at + 1, end), end];
    };
    for (let at = 2; at < lines.length; at++) {
        if (!lines[at].startsWith("```")) continue;
        const [body, end] = block(at);
        const opening = OPENING.exec(lines[at]);
        const last = steps.at(-1);
        if (lines[at] === "```see") {
            if (last?.kind !== "run" || last.see) wrong(at, "nothing was run of which this could be seen");
            if (!body.some((line) => line.trim())) wrong(at, "nothing to see");
            last.see = body.filter((line) => line.trim());
        } else if (opening) {
            if (last?.kind === "run" && !last.see) wrong(last.line - 1, "what must be seen of this is not told");
            if (opening[2] && opening[1] !== "run") wrong(at, "only a question is asked again");
            steps.push({ kind: opening[1], line: at + 1, code: body.join("\n"), within: Number(opening[2] ?? 0) });
        } else wrong(at, `neither \`sh set\`, \`sh fault\`, \`sh run\` nor \`see\`: ${lines[at]}`);
        at = end;
    }
    const last = steps.at(-1);
    if (last?.kind === "run" && !last.see) wrong(last.line - 1, "what must be seen of this is not told");
    if (!steps.some((step) => step.kind === "run")) wrong(0, "nothing is done on this page");
    return { players: head[1] ? head[1].split(",") : [], alone: head[2] !== undefined, steps };
}

// The names that a `set` gives values to.
export const namesSet = (code) => [...code.matchAll(/(?:^|[\s;])([A-Z][A-Z0-9_]*)=/g)].map((match) => match[1]);

const words = (line) => line.trim().replace(/\s+/g, " ");
function fits(pattern, line) {
    const parts = words(pattern).split("...").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`).test(words(line));
}

// The first line of `see` that is not there, or undefined.
export function notSeen(see, output) {
    const lines = output.split("\n");
    let at = 0;
    for (const pattern of see) {
        const found = lines.findIndex((line, i) => i >= at && fits(pattern, line));
        if (found < 0) return pattern;
        at = found + 1;
    }
    return undefined;
}

const STAMP = /^Last drill: .*$/m;
export const stamped = (text, words) => (STAMP.test(text) ? text.replace(STAMP, `Last drill: ${words}`) : undefined);
// How long a procedure took, in the README's table.
export const tabled = (readme, page, seconds) => readme.replace(new RegExp(`^(\\| \\[${page}\\]\\(procedures/.* \\| )[0-9.]+ s \\|$`, "m"), `$1${seconds} s |`);
