// SPDX-License-Identifier: Apache-2.0
// The rules as data: every alert fires on the series that mean it and not just below (promtool), has words, a page and a route (amtool), and
// R36's thresholds are those of the requirements. Without promtool and amtool (infra/local/install test) these tests are skipped, loudly.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { parsePage, stamped } from "../../drills/page.mjs";
import { cases } from "./cases.mjs";
import { alertsOf, excerpt, folder, groups, pages, root } from "./rules.mjs";

const has = (program) => spawnSync(program, ["--version"]).status === 0;
const missing = ["promtool", "amtool"].filter((program) => !has(program));
const skip = missing.length > 0 && `${missing.join(" and ")} missing: infra/local/install test brings them`;
if (skip) console.error(`SKIPPED: ${skip}`);
const work = mkdtempSync(path.join(os.tmpdir(), "rules"));
after(() => rmSync(work, { recursive: true, force: true }));

function tool(program, ...options) {
    const done = spawnSync(program, options, { encoding: "utf8", cwd: work });
    return { code: done.status, said: done.stdout + done.stderr };
}
const seriesText = (metric, labels) => `${metric}{${Object.entries(labels).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(", ")}}`;

// One test of promtool, which reads JSON as the YAML it is: is ALERTS of this alert in the state firing at that time, and with which labels?
function unit(name, labels, at, series, fires) {
    const alert = { alertname: name, alertstate: "firing" };
    return {
        name: `${name} ${fires ? "fires" : "stays silent just below"}`,
        interval: "15s",
        input_series: series.map((one) => ({ series: seriesText(one.metric, one.labels), values: one.values.replace(/(^| )([\d.]+)x/g, "$1$2+0x") })),
        promql_expr_test: [{
            expr: seriesText("ALERTS", alert),
            eval_time: at,
            exp_samples: fires ? [{ labels: seriesText("ALERTS", { ...alert, ...labels }), value: 1 }] : [],
        }],
    };
}
// [[alert, [unit, ...]], ...]: each alert with the rules it needs and no others, which is 50 times as fast as all rules for each.
function promtool(all) {
    const files = all.map(([name, tests]) => {
        writeFileSync(path.join(work, `${name}.rules.yml`), excerpt(name));
        writeFileSync(path.join(work, `${name}.yml`), JSON.stringify({ rule_files: [`${name}.rules.yml`], evaluation_interval: "15s", tests }));
        return `${name}.yml`;
    });
    return tool("promtool", "test", "rules", ...files);
}

describe("rules", { skip }, () => {
    const alerts = alertsOf(groups());
    const severity = Object.fromEntries(alerts.map((alert) => [alert.name, alert.severity]));

    test("Prometheus takes them, and its configuration", () => {
        const config = spawnSync("promtool", ["check", "config", "prometheus.yml"], { encoding: "utf8", cwd: folder });
        assert.equal(config.status, 0, config.stderr);
        assert.equal(spawnSync("promtool", ["check", "config", "--agent", "agent.yml"], { encoding: "utf8", cwd: folder }).status, 0);
    });

    test("every alert has a case", () => {
        assert.deepEqual(alerts.map((alert) => alert.name).sort(), cases.map(([name]) => name).sort());
    });

    test("every alert fires, and none just below", () => {
        const { code, said } = promtool(cases.map(([name, labels, at, fire, quiet]) => {
            const all = { severity: severity[name], ...labels };
            return [name, [unit(name, all, at, fire, true), ...(quiet ? [unit(name, all, at, quiet, false)] : [])]];
        }));
        assert.equal(code, 0, said);
    });

    test("a region alone, without a certificate for others, does not miss one", () => {
        const series = [{ metric: "meridian_router_mesh_certificate_left_seconds", values: "0x60", labels: { job: "router", region: "eu", instance: "r1" } }];
        const names = ["MeshCertificateExpiring", "MeshCertificateEnds"];
        const { code, said } = promtool(names.map((name) => [name, [unit(name, {}, "10m", series, false)]]));
        assert.equal(code, 0, said);
    });

    // So their pages say: they end although nobody came.
    for (const [name, metric, job] of [["HostSilent", "up", "redis"], ["HostVanished", "meridian_process_state", "edge"]])
        test(`${name} begins five minutes after the last word and ends a quarter of an hour later`, () => {
            const labels = { severity: severity[name], region: "eu", host: "h1" };
            const series = [{ metric, values: "1x80", labels: { job, region: "eu", host: "h1", instance: "a" } }];
            const times = { "24m": false, "26m": true, "39m": true, "41m": false };
            const { code, said } = promtool([[name, Object.entries(times).map(([at, fires]) => unit(name, labels, at, series, fires))]]);
            assert.equal(code, 0, said);
        });

    // Two edges of a host: what each opens in 15 s, when asked, and whether that is a storm.
    const comes = {
        "more than half of what their cores can do is a storm": ["0+9615x60", "10m", true],
        "a little less is none": ["0+9585x60", "10m", false],
        "nor is it when all come at once whom an edge was seen to hold": ["0x20 19000x40", "5m45s", false],
        "a storm is told of when it has lasted": ["0x20 0+15000x40", "6m30s", true],
        "and not before": ["0x20 0+15000x40", "6m", false],
    };
    for (const [what, [values, at, fires]] of Object.entries(comes))
        test(`ThunderingHerd: ${what}`, () => {
            const series = ["a", "b"].map((instance) => ({ metric: "meridian_edge_connections_opened_total", values, labels: { job: "edge", region: "eu", host: "h1", instance } }));
            const { code, said } = promtool([["ThunderingHerd", [unit("ThunderingHerd", { severity: "page", region: "eu", host: "h1" }, at, series, fires)]]]);
            assert.equal(code, 0, said);
        });

    test("what an edge of a host may be given to do is half of what was measured, and more than any plan gives it", () => {
        const [, limit] = alerts.find((alert) => alert.name === "ThunderingHerd").expr.match(/> (\d+) \* host:edges:count$/);
        const [, cost] = readFileSync(path.join(root, "infra/planner/measured.yaml"), "utf8").match(/^handshake_us: \{value: (\d+),/m);
        assert.ok(Math.abs(limit / (0.5e6 / cost) - 1) < 0.05, `${limit} a second, and half a core does ${0.5e6 / cost}`);
        const plan = JSON.parse(readFileSync(path.join(root, "tests/golden/planner/10m.json"), "utf8"));
        for (const { name, lostConnectsCoreSecond } of plan.regions) assert.ok(lostConnectsCoreSecond < limit / 2, `${name}: ${lostConnectsCoreSecond}`);
    });

    test("a case that does not hold is told", () => {
        const [name, labels, at, , quiet] = cases[0];
        const { code, said } = promtool([[name, [unit(name, { severity: severity[name], ...labels }, at, quiet, true)]]]);
        assert.notEqual(code, 0);
        assert.match(said, /HostConnectionsHigh/);
    });

    test("R36's thresholds, word for word", () => {
        const r36 = {
            HostConnectionsHigh: /> 600000$/, ThunderingHerd: /:rate1m > 10000 or /, HeartbeatFailures: /> 0\.01$/, MoveLatencyHigh: /:p99 > 2$/,
            MemoryHigh: /> 0\.85$/, DescriptorsHigh: /> 800000$/, ReconnectionSlow: /:mean5m > 30$/,
        };
        for (const [name, threshold] of Object.entries(r36)) assert.match(alerts.find((alert) => alert.name === name).expr, threshold, name);
    });

    test("every alert has words and a page, and every page an alert", () => {
        const headings = ["Meaning", "Impact", "Verify", "Do now", "Diagnose", "Undo", "Escalate", "After"];
        for (const alert of alerts) {
            assert.ok(["page", "ticket", "watchdog"].includes(alert.severity), alert.name);
            for (const text of [alert.summary, alert.description]) assert.ok(text?.length > 10 && text.length < 160, `${alert.name}: ${text}`);
            assert.equal(alert.runbook, `runbooks/alerts/${alert.name}.md`);
            const page = readFileSync(path.join(root, alert.runbook), "utf8");
            assert.match(page, new RegExp(`^# ${alert.name}\n`));
            assert.deepEqual([...page.matchAll(/^## (.*)$/gm)].map((match) => match[1]), headings, alert.name);
            assert.ok(page.split("\n").indexOf("## Do now") < 32, `${alert.name}: what to do is not on the first screen`);
        }
        assert.deepEqual(pages(), alerts.map((alert) => alert.name).sort());
    });

    test("a page with commands is one that a drill can do", () => {
        const drilled = pages().filter((name) => readFileSync(path.join(root, "runbooks/alerts", `${name}.md`), "utf8").includes("```sh"));
        assert.ok(drilled.length >= 8, `only ${drilled}`);
        for (const name of drilled) {
            const text = readFileSync(path.join(root, "runbooks/alerts", `${name}.md`), "utf8");
            const { steps } = parsePage(text, `${name}.md`);
            assert.ok(steps.some((step) => step.kind === "fault") && stamped(text, "") !== undefined, `${name}: no cause, or no line for the last drill`);
        }
    });

    test("agents scrape what Prometheus scrapes", () => {
        const scrape = (file) => readFileSync(path.join(folder, file), "utf8").split(/^scrape_configs:\n/m)[1];
        assert.equal(scrape("agent.yml"), scrape("prometheus.yml"));
    });

    test("Alertmanager sends each severity where it belongs", () => {
        const config = path.join(folder, "alertmanager.yml");
        assert.equal(tool("amtool", "check-config", config).code, 0);
        const receiver = { page: "pager", ticket: "tickets", watchdog: "watchdog" };
        for (const one of [alerts.find((a) => a.severity === "page"), alerts.find((a) => a.severity === "ticket"), alerts.find((a) => a.name === "Watchdog")]) {
            const { code, said } = tool("amtool", "config", "routes", "test", `--config.file=${config}`, `alertname=${one.name}`, `severity=${one.severity}`, "region=eu");
            assert.equal(code, 0, said);
            assert.equal(said.split("\n")[0], receiver[one.severity], one.name);
        }
    });

    test("what silences others, and what is silenced, exists", () => {
        const text = readFileSync(path.join(folder, "alertmanager.yml"), "utf8");
        const named = [...text.matchAll(/alertname =~? "?([A-Za-z|]+)/g)].flatMap((match) => match[1].split("|"));
        assert.ok(named.length > 10);
        for (const name of named) assert.ok(severity[name], `${name} is no alert`);
    });
});
