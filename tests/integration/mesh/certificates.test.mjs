// SPDX-License-Identifier: Apache-2.0
// infra/host/certificates: what it makes, what it refuses, and that a renewed authority breaks nothing.
import assert from "node:assert/strict";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

const script = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../infra/host/certificates");
let dir;
beforeEach(() => { dir = mkdtempSync(path.join(os.tmpdir(), "certificates-")); });
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const call = (...args) => spawnSync(script, [...args, "--dir", dir], { encoding: "utf8", timeout: 30_000 });
function make(...args) {
    const done = call(...args);
    assert.equal(done.status, 0, done.stderr);
    assert.equal(done.stderr, "");
}
const file = (name) => readFileSync(path.join(dir, name), "utf8");
const certificate = (name) => new X509Certificate(file(name));
const authorities = () => file("ca.crt").split(/(?=-----BEGIN)/).filter((one) => one.includes("BEGIN")).map((one) => new X509Certificate(one));
const days = (cert) => (new Date(cert.validTo) - Date.now()) / (24 * 3600 * 1000);

test("a certificate names one region and role, is signed by the authority and fits its key", () => {
    make("make", "ca");
    make("make", "router", "us-east");
    const [ca] = authorities();
    const cert = certificate("router-us-east.crt");
    assert.equal(cert.subjectAltName, "URI:meridian://us-east/router");
    assert.ok(ca.ca && !cert.ca);
    assert.ok(cert.verify(ca.publicKey) && cert.checkIssued(ca));
    assert.ok(cert.checkPrivateKey(createPrivateKey(file("router-us-east.key"))));
    assert.equal(cert.publicKey.asymmetricKeyDetails.namedCurve, "prime256v1");
    assert.ok(days(cert) > 89 && days(cert) <= 90);
    assert.ok(days(ca) > 3600);
    for (const key of ["ca.key", "router-us-east.key"]) assert.equal(statSync(path.join(dir, key)).mode & 0o077, 0);
    assert.deepEqual(readdirSync(dir).sort(), ["ca.crt", "ca.key", "router-us-east.crt", "router-us-east.key"]);
});

test("nothing is overwritten, and a refusal changes nothing", () => {
    make("make", "ca");
    make("make", "router", "eu");
    const before = readdirSync(dir).map((name) => [name, file(name)]);
    for (const [status, ...args] of [
        [1, "make", "ca"], [1, "make", "router", "eu"], [1, "renew", "router", "asia"], [2, "make", "edge", "eu"], [2, "make", "router"],
        [2, "make", "router", "e/u"], [2, "make", "router", ""], [2, "make", "router", "a".repeat(32)], [2, "make", "ca", "eu"], [2, "show", "eu"],
        [2, "make", "router", "asia", "--days", "x"], [2, "make", "router", "asia", "--nothing"], [2],
    ]) {
        const done = call(...args);
        assert.equal(done.status, status, args.join(" "));
        assert.notEqual(done.stderr, "");
    }
    assert.deepEqual(readdirSync(dir).map((name) => [name, file(name)]), before);
    rmSync(path.join(dir, "router-eu.crt"));
    assert.equal(call("make", "router", "eu").status, 1); // its key is there yet
});

test("without an authority there is nothing to sign with", () => {
    assert.equal(call("make", "router", "eu").status, 1);
    assert.equal(call("renew", "ca").status, 1);
    assert.deepEqual(readdirSync(dir), []);
});

test("a renewed certificate has a new key; a renewed authority stands beside the old one", () => {
    make("make", "ca");
    make("make", "router", "eu");
    make("make", "router", "us");
    const old = certificate("router-eu.crt");
    make("renew", "router", "eu", "--days", "5");
    const fresh = certificate("router-eu.crt");
    assert.notEqual(fresh.fingerprint256, old.fingerprint256);
    assert.ok(!fresh.checkPrivateKey(createPrivateKey(file("router-us.key"))));
    assert.ok(fresh.checkPrivateKey(createPrivateKey(file("router-eu.key"))));
    assert.ok(days(fresh) < 6);
    make("renew", "ca");
    const [next, first] = authorities();
    assert.ok(certificate("router-us.crt").checkIssued(first) && !certificate("router-us.crt").checkIssued(next));
    make("renew", "router", "us");
    assert.ok(certificate("router-us.crt").verify(next.publicKey));
    const shown = call("show").stdout;
    assert.match(shown, /router-eu\.crt\tmeridian:\/\/eu\/router\tuntil /);
});

test("a folder that is none is told", () => {
    writeFileSync(path.join(dir, "x"), "");
    const done = spawnSync(script, ["make", "ca", "--dir", path.join(dir, "x")], { encoding: "utf8" });
    assert.equal(done.status, 1);
    assert.match(done.stderr, /is no folder/);
});
