// SPDX-License-Identifier: Apache-2.0
// What is wrong with a dashboard, by the rules of grafana/dashboard-linter (docs/rules) under their names there, and by some of ours.
// Left out, and why: template-job, template-instance, target-job and target-instance want filters by `job` and `instance`; here everything is
// filtered by `region`, and a metric's name says whose it is. Rules about Loki have nothing to look at. target-promql is promtool's to judge.
// target-rate-interval holds for rate(); increase() over "5 minutes" is what such a panel's title promises.
import { alertsOf, groups, reads } from "./rules.mjs";

// Of Grafana's units (packages/grafana-data/src/valueFormats/categories.ts) those that have a use here.
const UNITS = new Set(["short", "percentunit", "s", "bytes", "Bps", "ops"]);
const SCHEMA = 38; // Grafana 10; newer ones migrate it when they load it

const all = groups().flatMap(({ rules }) => rules);
const metricsOf = (expr) => new Set(reads(expr).found.map((one) => one.name));
const alerts = alertsOf(groups()).map(({ name, expr }) => ({ name, metrics: metricsOf(expr) }));
const labelsOf = new Map(all.filter((rule) => rule.record).map((rule) => [rule.record, reads(rule.expr).by]));

// The pages of the alerts that read what this panel draws.
function pagesOf(panel) {
    const drawn = new Set(panel.targets.flatMap((target) => [...metricsOf(target.expr)]));
    return alerts.filter(({ metrics }) => [...metrics].some((one) => drawn.has(one))).map(({ name }) => name).sort();
}

function* templates({ list }) {
    const sources = list.filter((one) => one.type === "datasource");
    if (sources.length !== 1 || sources[0].name !== "datasource" || sources[0].label !== "Data source" || sources[0].query !== "prometheus")
        yield "template-datasource-rule: one data source, called datasource, labelled Data source";
    for (const one of list.filter((one) => one.type === "query")) {
        if (one.refresh !== 2) yield `template-on-time-change-reload-rule: ${one.name}`;
        if (one.datasource?.uid !== "${datasource}") yield `template-datasource-rule: ${one.name} asks elsewhere`;
        if (!/^label_values\([a-z_]+, [a-z]+\)$/.test(one.query)) yield `template-label-promql-rule: ${one.name}: ${one.query}`;
    }
    for (const name of ["region", "runbooks"]) if (!list.some((one) => one.name === name)) yield `template-required-variables-rule: ${name}`;
}

function* target({ refId, expr, legendFormat }) {
    if (!refId || !expr) return yield "a target without name or query";
    if (/\brate\([^()]*\[(?!\$__rate_interval\])/.test(expr)) yield `target-rate-interval-rule: ${expr}`;
    const { found, by } = reads(expr.replaceAll("$__rate_interval", "1m"));
    for (const { name, selector } of found)
        if (!name.startsWith("meridian_geo_") && !selector.includes('region=~"$region"')) yield `target-required-matchers-rule: ${name} of every region`;
    if (!legendFormat) yield `no legend for ${expr}`;
    const known = new Set([...by, ...found.flatMap(({ name }) => labelsOf.get(name) ?? [])]);
    for (const [, label] of (legendFormat ?? "").matchAll(/\{\{(\w+)\}\}/g)) if (!known.has(label)) yield `the legend names ${label}, which ${expr} has not`;
}

function* panel(one) {
    if (!one.title?.trim() || !one.description?.trim()) yield "panel-title-description-rule";
    if (one.type !== "timeseries") return yield `type ${one.type}: nothing here has looked at such a panel`;
    if (one.datasource?.type !== "prometheus" || one.datasource?.uid !== "${datasource}") yield "panel-datasource-rule";
    if (!UNITS.has(one.fieldConfig?.defaults?.unit)) yield `panel-units-rule: ${one.fieldConfig?.defaults?.unit}`;
    if (!one.targets?.length) return yield "a panel without a query";
    if (new Set(one.targets.map((target) => target.refId)).size !== one.targets.length) yield "two targets of one name";
    if (one.options?.legend?.displayMode !== "list") yield "its legend is not shown";
    for (const target_ of one.targets) yield* target(target_);
    const links = (one.links ?? []).map(({ title, url, targetBlank }) => (targetBlank && url === `\${runbooks}/alerts/${title}.md` ? title : url));
    const pages = pagesOf(one);
    if (links.join() !== pages.join()) yield `links to ${links} and not to ${pages}, the runbooks of what it draws`;
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// Every fault of a dashboard, as sentences that begin with the panel.
export function lint(board) {
    const wrong = [];
    if (!/^meridian-[a-z]+$/.test(board.uid) || !board.title || !board.description) wrong.push("uid, title or description");
    if (board.schemaVersion !== SCHEMA) wrong.push(`schema version ${board.schemaVersion}`);
    if (board.editable !== false) wrong.push("template-uneditable-rule: what is written here is what counts");
    wrong.push(...templates(board.templating));
    if (new Set(board.panels.map((one) => one.id)).size !== board.panels.length) wrong.push("two panels of one id");
    if (new Set(board.panels.map((one) => one.title)).size !== board.panels.length) wrong.push("two panels of one title");
    for (const [i, one] of board.panels.entries()) {
        for (const fault of panel(one)) wrong.push(`${one.title}: ${fault}`);
        const { x, y, w, h } = one.gridPos;
        if (!(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 24)) wrong.push(`${one.title}: outside of the grid`);
        if (board.panels.slice(0, i).some((other) => overlap(one.gridPos, other.gridPos))) wrong.push(`${one.title}: lies on another panel`);
    }
    return wrong;
}
