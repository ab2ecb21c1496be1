// SPDX-License-Identifier: Apache-2.0
// An alert's page as a drill does it: what goes wrong (`sh fault`, at the page's end, out of the way of who is in a hurry), and then, when the
// alert fires, what an operator does (`sh run`), each with what must be seen. The form is that of the procedures: tests/drills/page.mjs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { namesSet, notSeen, parsePage } from "../../drills/page.mjs";
import { root } from "./rules.mjs";

const STEP_MS = 180_000;

// Its commands are about the footprint that env names (MERIDIAN_LOCAL), with the programs in its PATH.
export function walk(alert, env) {
    const file = path.join(root, "runbooks/alerts", `${alert}.md`);
    const { steps } = parsePage(readFileSync(file, "utf8"), `${alert}.md`);
    const given = [];
    const shell = ({ code }) => {
        const whole = [`. '${root}/runbooks/tools.sh'`, ...given, code].join("\n");
        const done = spawnSync("bash", ["-euo", "pipefail", "-c", whole], { env, cwd: root, encoding: "utf8", timeout: STEP_MS });
        return { code: done.status, output: done.stdout, said: done.stdout + done.stderr };
    };
    for (const { code, line } of steps.filter((step) => step.kind === "set")) {
        const done = shell({ code: [code, ...namesSet(code).map((name) => `declare -p ${name}`)].join("\n") });
        assert.equal(done.code, 0, `${alert}.md:${line}: ${done.said}`);
        given.push(done.output.replace(/^declare -[-x]+ /gm, ""));
    }
    const step = async (one) => {
        for (const until = Date.now() + one.within * 1000; ;) {
            const done = shell(one);
            const missing = done.code === 0 ? notSeen(one.see ?? [], done.output) : "exit code 0";
            if (missing === undefined) return;
            if (Date.now() >= until) assert.fail(`${alert}.md:${one.line}: ${one.kind} ${one.code}\nnot seen: ${missing}\nbut: (${done.code}) ${done.said}`);
            await new Promise((resolve) => setTimeout(resolve, 500));
        }
    };
    const all = async (kind) => {
        for (const one of steps) if (one.kind === kind) await step(one);
    };
    assert.ok(steps.some((one) => one.kind === "fault"), `${alert}.md: nothing goes wrong`);
    return { file, hurt: () => all("fault"), mend: () => all("run") };
}
