// SPDX-License-Identifier: Apache-2.0
// meridian-keys as an operator calls it: pairs are made, public halves come and go, and nothing is lost by a slip.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";

const root = path.resolve(import.meta.dirname, "../../../../..");
const program = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/test"), "infra/platform/tools/meridian-keys");
let dir;
const at = (name) => path.join(dir, name);
const keys = (...words) => spawnSync(program, words, { encoding: "utf8", cwd: dir });
const kids = () => JSON.parse(readFileSync(at("public.jwks"), "utf8")).keys.map((key) => key.kid);

describe("meridian-keys", () => {
    before(() => { dir = mkdtempSync(path.join(os.tmpdir(), "keys-")); });
    after(() => rmSync(dir, { recursive: true, force: true }));

    test("a pair: one half for the owner alone, the other for everybody", () => {
        assert.equal(keys("ES256", "old", "old.jwks", "public.jwks").status, 0);
        assert.equal(statSync(at("old.jwks")).mode & 0o777, 0o600);
        assert.deepEqual(kids(), ["old"]);
        assert.doesNotMatch(readFileSync(at("public.jwks"), "utf8"), /"d"/);
    });
    test("the last half stays", () => {
        const { status, stderr } = keys("drop", "old", "public.jwks");
        assert.equal(status, 1);
        assert.match(stderr, /no other key/);
        assert.deepEqual(kids(), ["old"]);
    });
    test("a new half beside the old one, then the old one goes", () => {
        assert.equal(keys("EdDSA", "new", "new.jwks", "public.jwks").status, 0);
        assert.deepEqual(kids(), ["old", "new"]);
        assert.equal(keys("drop", "old", "public.jwks").status, 0);
        assert.deepEqual(kids(), ["new"]);
    });
    for (const [what, words, says, code] of [
        ["a kid that is there", ["ES256", "new", "more.jwks", "public.jwks"], /of that kid already/, 1],
        ["a private half that is there", ["ES256", "more", "new.jwks", "public.jwks"], /new\.jwks/, 1],
        ["another algorithm", ["RS256", "more", "more.jwks", "public.jwks"], /ES256 or EdDSA/, 1],
        ["a kid that is not there", ["drop", "old", "public.jwks"], /no key of that kid/, 1],
        ["a file that is no set", ["drop", "old", "/dev/null"], /not a JWKS/, 1],
        ["too few words", ["drop", "old"], /^usage/, 2],
    ]) test(`${what} is refused and changes nothing`, () => {
        const files = readdirSync(dir).sort();
        const { status, stderr } = keys(...words);
        assert.equal(status, code);
        assert.match(stderr, says);
        assert.deepEqual(kids(), ["new"]);
        assert.deepEqual(readdirSync(dir).sort(), files);
    });
});
