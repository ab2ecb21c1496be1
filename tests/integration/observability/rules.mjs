// SPDX-License-Identifier: Apache-2.0
// infra/observability's rules, read. They are plain YAML in one fixed form (two spaces, one key a line, `|` for long expressions), so a few
// lines read them; promtool judges whether they are YAML.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../../..");
export const folder = path.join(root, "infra/observability");

const plain = (text) => (/^'.*'$/.test(text) ? text.slice(1, -1).replaceAll("''", "'") : text);

// [{file, rules: [{alert | record, expr, for, severity, summary, description, runbook}]}]
export function groups() {
    const out = [];
    for (const file of readdirSync(path.join(folder, "rules")).sort()) {
        const rules = [];
        let rule, key, indent;
        for (const line of readFileSync(path.join(folder, "rules", file), "utf8").split("\n")) {
            const start = line.match(/^ {6}- (alert|record): (\w[\w:]*)$/);
            const pair = line.match(/^( {8,10})(expr|for|labels|summary|description|runbook_url): (.*)$/);
            if (start) rules.push((rule = { [start[1]]: start[2] }));
            else if (pair && pair[3] === "|") [key, indent] = [pair[2], pair[1].length], (rule[key] = "");
            else if (pair) (rule[pair[2]] = plain(pair[3])), (key = undefined);
            else if (key && line.search(/\S/) > indent) rule[key] += `${line.trim()} `;
            else if (line.trim() && !line.trim().startsWith("#")) key = undefined;
        }
        out.push({ file, rules });
    }
    return out;
}

export const alertsOf = (all) => all.flatMap(({ rules }) => rules).filter((rule) => rule.alert).map((rule) => ({
    name: rule.alert, expr: rule.expr, for: rule.for, summary: rule.summary, description: rule.description, runbook: rule.runbook_url,
    severity: rule.labels.match(/severity: (\w+)/)[1],
}));
export const pages = () => readdirSync(path.join(root, "runbooks/alerts")).map((name) => name.replace(/\.md$/, "")).sort();

// The text of one alert's rule and of the recording rules it reads, as they stand in the files, as a rule file of its own.
export function excerpt(name) {
    const blocks = readdirSync(path.join(folder, "rules"))
        .flatMap((file) => readFileSync(path.join(folder, "rules", file), "utf8").split(/^(?= {2}- name: | {6}- (?:alert|record): )/m))
        .map((text) => ({ text: text.replace(/^ {6}#.*\n/gm, ""), name: text.match(/^ {6}- (?:alert|record): (\S+)/)?.[1] }));
    const alert = blocks.find((block) => block.name === name);
    const read = blocks.filter((block) => block.name?.includes(":") && alert.text.includes(block.name));
    return `groups:\n  - name: excerpt\n    rules:\n${[...read, alert].map((block) => block.text).join("")}`;
}

// Where an expression reads: [{name, selector}], the metrics and how it picks among their rows, and the labels it groups by.
export function reads(expr) {
    const by = [...expr.matchAll(/\b(?:by|on|group_left|without)\s*\(([^)]*)\)/g)].flatMap((match) => match[1].split(",").map((label) => label.trim())).filter(Boolean);
    const text = expr.replace(/\b(?:by|on|group_left|without)\s*\([^)]*\)/g, " ");
    const found = [];
    for (const match of text.matchAll(/([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(\s*\()?/g)) {
        const [, name, picks = "", call] = match;
        if (call || /^(and|or|unless|bool|offset|ignoring)$/.test(name) || /\d$/.test(text.slice(0, match.index)) || /\[$/.test(text.slice(0, match.index))) continue;
        found.push({ name, selector: name + picks });
    }
    return { found, by: by.filter((label) => label !== "le") };
}

// Every expression of the rules and the dashboards: [{where, expr}], with what Grafana puts in at a scrape every 15 s.
export function expressions() {
    const out = groups().flatMap(({ file, rules }) => rules.map((rule) => ({ where: `${file}: ${rule.alert ?? rule.record}`, expr: rule.expr })));
    const dashboards = path.join(folder, "dashboards");
    for (const file of readdirSync(dashboards).filter((name) => name.endsWith(".json")).sort())
        for (const panel of JSON.parse(readFileSync(path.join(dashboards, file), "utf8")).panels)
            for (const target of panel.targets ?? []) out.push({ where: `${file}: ${panel.title}`, expr: target.expr.replaceAll("$__rate_interval", "1m") });
    return out;
}
