// SPDX-License-Identifier: Apache-2.0
// What the pages of runbooks/ name exists: pages, metrics, commands of meridianctl, and the words of tools.sh, which the README explains.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";

const root = path.resolve(import.meta.dirname, "../..");
const runbooks = path.join(root, "runbooks");
const read = (...at) => readFileSync(path.join(root, ...at), "utf8");
const walkable = ["procedures", "diagnosis"].flatMap((folder) => readdirSync(path.join(runbooks, folder)).sort().map((file) => `${folder}/${file}`));
const pages = ["README.md", ...readdirSync(path.join(runbooks, "alerts")).map((file) => `alerts/${file}`), ...walkable];
const text = Object.fromEntries(pages.map((page) => [page, read("runbooks", page)]));
const readme = text["README.md"];
const tools = read("runbooks/tools.sh");
const words = [...tools.matchAll(/^([a-z_]+)\(\)/gm)].map((match) => match[1]).filter((word) => !word.startsWith("tools_"));
const explained = readme.slice(readme.indexOf("\n## Words"), readme.indexOf("\n## The first five"));

function sources(folder) {
    return readdirSync(path.join(root, folder), { recursive: true }).filter((file) => /\.[ch]$/.test(file)).map((file) => read(folder, file)).join("\n");
}

describe("runbooks", () => {
    test("every link leads somewhere", () => {
        for (const page of pages)
            for (const [, target] of text[page].matchAll(/\]\(([^)#]+)[^)]*\)/g))
                assert.ok(/^https?:/.test(target) || existsSync(path.join(runbooks, path.dirname(page), target)), `${page}: ${target}`);
    });
    test("the README leads to every procedure and diagnosis", () => {
        for (const page of walkable) assert.ok(readme.includes(`](${page})`), page);
    });
    test("the README says how long each procedure took when it was last done", () => {
        for (const page of walkable.filter((one) => one.startsWith("procedures/"))) {
            const [, seconds] = /^Last drill: .*?, ([0-9.]+) s[;.]/m.exec(text[page]) ?? [];
            assert.match(readme, new RegExp(`\\]\\(${page}\\) \\|.*\\| ${seconds} s \\|$`, "m"), page);
        }
    });
    test("every diagnosis leads to alerts or procedures", () => {
        for (const page of walkable.filter((one) => one.startsWith("diagnosis/"))) assert.match(text[page], /\]\(\.\.\/(alerts|procedures)\//, page);
    });
    // Names are written whole, or by a macro that puts the service before them.
    test("every metric is one that the code counts", () => {
        const code = ["edge", "region-router", "geo", "infra/platform"].map(sources).join("\n");
        for (const page of pages)
            for (const [name] of text[page].matchAll(/\bmeridian_[a-z0-9_]*[a-z0-9]\b(?!\()/g)) {
                const plain = name.replace(/_(bucket|sum|count)$/, "");
                const rest = plain.replace(/^meridian_(edge|router|geo|link_[a-z]+)_/, "");
                assert.ok(code.includes(`"${plain}"`) || code.includes(`"${rest}"`), `${page}: ${name}`);
            }
    });
    test("every command of meridianctl is one", () => {
        const commands = [...sources("region-router/ctl").matchAll(/\{\{"([a-z]+)"/g)].map((match) => match[1]);
        assert.ok(commands.length > 10);
        for (const page of pages)
            for (const [, command] of text[page].matchAll(/meridianctl (?:--\S+ )*([a-z]+)\b/g)) assert.ok(commands.includes(command), `${page}: ${command}`);
    });
    test("every word of tools.sh is explained there and in the README", () => {
        const head = tools.slice(0, tools.indexOf("MERIDIAN_ROOT="));
        for (const word of words) {
            assert.match(explained, new RegExp(`\`${word}[ \`]`), `README: ${word}`);
            assert.match(head, new RegExp(`[ ,]${word}\\b`), `tools.sh: ${word}`);
        }
    });
    test("pages use these words, not what lies behind them", () => {
        for (const page of walkable)
            for (const [, code] of text[page].matchAll(/^```sh [^\n]*\n([\s\S]*?)^```$/gm)) assert.doesNotMatch(code, /\btools_|REGION_STATE|MERIDIAN_LOCAL/, page);
    });
});
