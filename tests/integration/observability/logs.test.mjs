// SPDX-License-Identifier: Apache-2.0
// The logs as Elasticsearch gets them: table, code and index template say the same, and an rsyslog with our configuration turns lines into
// documents that fit. That what running servers write fits is seen.test.mjs' business.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { elasticsearch, heads, logged, logs, table, template, unfit } from "./logs.mjs";

const { head, body } = table();
const types = { ...head, ...body };
const line = (more = "", name = "process") => `{"ts":"2026-11-22T12:00:00.123Z","level":"info","${name}":"us-east-1.k3j9x2","region":"us-east","event":"process.state"${more}}`;

describe("logs", () => {
    test("every field has one type, and stands in the table", () => {
        const code = logged();
        assert.ok(Object.keys(code).length > 60);
        for (const [name, kinds] of Object.entries(code)) {
            assert.equal(kinds.size, 1, `"${name}" is logged as ${[...kinds].join(" and ")}: one name, one type`);
            assert.ok(!(name in head), `"${name}" is of every line's head: a line must not say it twice`);
            assert.equal(body[name], [...kinds][0], `"${name}": infra/observability/logs/fields.md needs a row of this type, and index-template.json its mapping`);
        }
        assert.deepEqual(Object.keys(body).filter((name) => !(name in code)), [], "rows of which nobody logs any more");
        assert.deepEqual(Object.keys(body), Object.keys(body).sort());
        assert.deepEqual([...heads()].sort(), Object.keys(head).sort(), "the head is what infra/platform/log.c writes by itself");
    });

    test("the index template maps what the table says", () => {
        const { properties } = template().template.mappings;
        assert.deepEqual(Object.fromEntries(Object.entries(properties.meridian.properties).map(([name, { type }]) => [name, type])), types);
        assert.deepEqual(template().index_patterns, ["logs-meridian-*"]);
        assert.equal(properties["@timestamp"].type, "date");
        assert.equal(properties.meridian.dynamic, false);
    });

    test("what does not fit is told", () => {
        assert.equal(unfit(line(',"from":"STARTING","to":"READY","attempt":18446744073709551615'), types), undefined);
        assert.equal(unfit(line(',"why":"a \\"name\\": 1"'), types), undefined);
        for (const [bad, why] of [["ASSERT", /^no JSON/], [line(',"region":"eu"'), /^a name twice/], [line(',"attempt":-1'), /attempt is no unsigned_long/], [line(',"attempt":"3"'), /attempt is no/],
            [line(',"done":1'), /done is no boolean/], [line(',"colour":1'), /colour is not in fields/], [line("", "level"), /^a name twice/], ['{"ts":"now","level":"info","event":"a.b"}', /ts is no date/]])
            assert.match(unfit(bad, types) ?? "it fits", why);
    });

    const missing = spawnSync("rsyslogd", ["-v"]).error || !spawnSync("find", ["/usr/lib", "-name", "omelasticsearch.so"], { encoding: "utf8" }).stdout;
    if (missing) console.error("SKIPPED: rsyslog or rsyslog-elasticsearch missing: infra/local/install ship brings them");

    test("the unit is one that systemd takes", { skip: spawnSync("systemd-analyze", ["--version"]).error && "no systemd-analyze" }, () => {
        const done = spawnSync("systemd-analyze", ["verify", "--man=no", path.join(logs, "meridian-ship.service")], { encoding: "utf8" });
        assert.equal(done.stderr.split("\n").filter((words) => words.includes("meridian-ship") && !words.includes("rsyslogd is not executable")).join("\n"), "");
    });

    test("rsyslog takes the configuration, and makes documents of lines", { skip: Boolean(missing), timeout: 120_000 }, async () => {
        const work = mkdtempSync(path.join(os.tmpdir(), "ship"));
        const store = await elasticsearch();
        const ca = path.join(work, "ca.crt"), input = path.join(work, "edge.log"), conf = path.join(work, "rsyslog.conf");
        mkdirSync(path.join(work, "state"));
        writeFileSync(ca, "");
        const env = { ...process.env, ELASTICSEARCH: store.url, ELASTICSEARCH_USER: "", ELASTICSEARCH_PASSWORD: "", ELASTICSEARCH_CA: ca };
        const check = (file) => spawnSync("rsyslogd", ["-N1", "-f", file], { env, encoding: "utf8" });
        // As on a host, but that lines come from a file and not from the journal.
        const real = readFileSync(path.join(logs, "rsyslog.conf"), "utf8").replaceAll("/var/lib/meridian-ship", path.join(work, "state")).replaceAll("/etc/meridian-ship", logs);
        writeFileSync(conf, real);
        assert.equal(check(conf).status, 0, check(conf).stderr);
        writeFileSync(conf, real.replace("call ship", "call shop"));
        assert.notEqual(check(conf).status, 0, "a ruleset that does not exist is not noticed");
        writeFileSync(conf, real.replace(/^module\(load="imjournal".*$/m, 'module(load="imfile" mode="polling" pollingInterval="1")').replace(/^if .*$/m, `input(type="imfile" file="${input}" tag="meridian" ruleset="ship" freshStartTail="off")`));

        const said = [line(',"from":"STARTING","to":"READY"'), line(',"attempt":18446744073709551615,"done":true,"why":"\\u00e9 \\"x\\" \\\\ \\n"'), "MER_ASSERT \"failed\": a.c:1"];
        writeFileSync(input, `${said[0]}\n`);
        const child = spawn("rsyslogd", ["-n", "-i", path.join(work, "pid"), "-f", conf], { env, stdio: "ignore" });
        const ended = new Promise((resolve) => child.on("close", resolve));
        try {
            appendFileSync(input, `${said.slice(1).join("\n")}\n`);
            for (const until = Date.now() + 60_000; store.documents.length < said.length && Date.now() < until;) await new Promise((resolve) => setTimeout(resolve, 100));
            assert.equal(store.documents.length, said.length, JSON.stringify(store.documents));
            assert.deepEqual([...new Set(store.documents.map(([create]) => create._index))], ["logs-meridian-default"]);
            assert.equal(new Set(store.documents.map(([create]) => create._id)).size, said.length, "documents without ids of their own");
            const all = store.documents.map(([, text]) => [text, JSON.parse(text)]);
            const [ours, others] = [all.filter(([, one]) => one.meridian), all.filter(([, one]) => !one.meridian)];
            assert.deepEqual(ours.map(([, one]) => one.meridian).sort((a, b) => a.attempt - b.attempt || ("attempt" in a) - ("attempt" in b)), said.slice(0, 2).map((one) => JSON.parse(one)));
            for (const [, one] of ours) assert.ok(one["@timestamp"] === one.meridian.ts && one.host.name, JSON.stringify(one));
            assert.ok(ours.some(([text]) => /"attempt": ?18446744073709551615\b/.test(text)), `a large count is not itself any more: ${ours.map(([text]) => text)}`);
            assert.equal(others[0][1].message.trim(), said[2]);
            assert.match(others[0][1]["@timestamp"], /^\d{4}-\d\d-\d\dT/);
        } finally {
            child.kill();
            await ended;
            await store.end();
            rmSync(work, { recursive: true, force: true });
        }
    });
});
