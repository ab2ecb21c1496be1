// SPDX-License-Identifier: Apache-2.0
// The dashboards as data: linted (lint.mjs), every query one that Prometheus takes, the limits they draw those that alarm. That their metrics
// exist is seen.test.mjs' business.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { lint } from "./lint.mjs";
import { alertsOf, expressions, folder, groups } from "./rules.mjs";

const dashboards = path.join(folder, "dashboards");
const files = readdirSync(dashboards).sort();
const read = (file) => JSON.parse(readFileSync(path.join(dashboards, file), "utf8"));

// One deliberate mistake each, and what must be said of it.
const mistakes = [
    [(b) => { b.schemaVersion = 16; }, /schema version 16/],
    [(b) => { b.editable = true; }, /template-uneditable-rule/],
    [(b) => { b.templating.list = b.templating.list.filter((one) => one.name !== "datasource"); }, /template-datasource-rule/],
    [(b) => { b.templating.list.find((one) => one.name === "region").refresh = 1; }, /template-on-time-change-reload-rule/],
    [(b) => { b.templating.list.find((one) => one.name === "region").query = "label_values(up"; }, /template-label-promql-rule/],
    [(b) => { b.panels[1].id = b.panels[0].id; }, /two panels of one id/],
    [(b) => { b.panels[1].gridPos = b.panels[0].gridPos; }, /lies on another panel/],
    [(b) => { b.panels[1].gridPos.x = 20; }, /outside of the grid/],
    [(b) => { b.panels[0].description = " "; }, /panel-title-description-rule/],
    [(b) => { b.panels[0].datasource.uid = "P1809F7CD0C75ACF3"; }, /panel-datasource-rule/],
    [(b) => { delete b.panels[0].fieldConfig.defaults.unit; }, /panel-units-rule/],
    [(b) => { b.panels[0].fieldConfig.defaults.unit = "seconds"; }, /panel-units-rule: seconds/],
    [(b) => { b.panels[0].targets = []; }, /a panel without a query/],
    [(b) => { b.panels[0].targets.push(b.panels[0].targets[0]); }, /two targets of one name/],
    [(b) => { b.panels[0].targets[0].legendFormat = ""; }, /no legend/],
    [(b) => { b.panels[0].targets[0].legendFormat = "{{pod}}"; }, /the legend names pod/],
    [(b) => { b.panels[4].targets[0].expr = b.panels[4].targets[0].expr.replace("$__rate_interval", "1m"); }, /target-rate-interval-rule/],
    [(b) => { b.panels[0].targets[0].expr = "host:connections:sum"; }, /target-required-matchers-rule/],
    [(b) => { b.panels[0].links = []; }, /links to  and not to HostConnectionsHigh/],
    [(b) => { b.panels[0].links[0].url = "https://example.com/"; }, /links to https/],
];

describe("dashboards", () => {
    for (const file of files) test(`${file} has no fault that a linter finds`, () => assert.deepEqual(lint(read(file)), []));

    test("there are six, each called like its file", () => {
        assert.deepEqual(files.map((file) => `${read(file).uid}.json`), files);
        assert.equal(files.length, 6);
    });

    test("every deliberate mistake is found", () => {
        for (const [make, said] of mistakes) {
            const board = read("meridian-edge.json");
            make(board);
            const wrong = lint(board);
            assert.ok(wrong.some((one) => said.test(one)), `${said} is not among ${JSON.stringify(wrong)}`);
        }
    });

    test("the limits they draw are those that alarm", () => {
        const alerts = alertsOf(groups());
        let seen = 0;
        for (const { panels } of files.map(read))
            for (const { title, fieldConfig, targets } of panels)
                for (const { expr } of targets) {
                    const drawn = fieldConfig.defaults.thresholds.steps.at(-1).value;
                    const series = expr.match(/^([a-z]+:[\w:]+)\{[^}]*\}$/)?.[1];
                    const alarmed = series && drawn !== null && alerts.find((alert) => alert.expr.startsWith(`${series} > `));
                    if (alarmed) assert.equal(drawn, Number.parseFloat(alarmed.expr.split(" > ")[1]), `${title} and ${alarmed.name}`), seen++;
                }
        assert.ok(seen >= 7, `only ${seen} limits are drawn`);
    });

    const promtool = spawnSync("promtool", ["--version"]).status === 0;
    if (!promtool) console.error("SKIPPED: promtool missing: infra/local/install test brings it");
    test("Prometheus takes every query", { skip: !promtool }, () => {
        const work = mkdtempSync(path.join(os.tmpdir(), "queries"));
        const check = (exprs) => {
            const rules = exprs.map((expr, i) => ({ record: `query:${i}:drawn`, expr }));
            writeFileSync(path.join(work, "queries.yml"), JSON.stringify({ groups: [{ name: "queries", rules }] }));
            return spawnSync("promtool", ["check", "rules", path.join(work, "queries.yml")], { encoding: "utf8" });
        };
        const drawn = expressions().filter(({ where }) => where.includes(".json")).map(({ expr }) => expr);
        assert.ok(drawn.length > 60, `only ${drawn.length} queries`);
        const done = check(drawn);
        assert.equal(done.status, 0, done.stderr);
        assert.notEqual(check([...drawn, "sum by (region (up)"]).status, 0);
        rmSync(work, { recursive: true, force: true });
    });
});
