// SPDX-License-Identifier: Apache-2.0
// Where the servers under test are, and tokens for their players: guests' ones as anybody gets them, or signed with the local key.
import { createPrivateKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../../..");
const defaultState = path.join(root, "build/local");

export const stateDir = process.env.MERIDIAN_STATE ?? defaultState;
export const readEndpoints = (dir = stateDir) =>
    JSON.parse(readFileSync(dir === stateDir && process.env.MERIDIAN_ENDPOINTS ? process.env.MERIDIAN_ENDPOINTS : path.join(dir, "endpoints.json"), "utf8"));

export const base64url = (data) => Buffer.from(data).toString("base64url");
export const readJwks = (name, dir = stateDir) => JSON.parse(readFileSync(path.join(dir, "keys", name), "utf8")).keys;
export const nowS = () => Math.floor(Date.now() / 1000);
export const someUser = (prefix = "u") => `${prefix}-${randomBytes(6).toString("hex")}`;

export function claimsOf(user, more = {}) {
    return { iss: "meridian-local", aud: "meridian", sub: user, exp: nowS() + 300, ...more };
}

export function signToken(claims, { key = readJwks("private.jwks")[0], header = {} } = {}) {
    const head = { alg: key.kty === "OKP" ? "EdDSA" : "ES256", kid: key.kid, typ: "JWT", ...header };
    const text = `${base64url(JSON.stringify(head))}.${base64url(typeof claims === "string" ? claims : JSON.stringify(claims))}`;
    const pem = createPrivateKey({ key, format: "jwk" });
    const signature = key.kty === "OKP" ? sign(null, Buffer.from(text), pem) : sign("sha256", Buffer.from(text), { key: pem, dsaEncoding: "ieee-p1363" });
    return `${text}.${base64url(signature)}`;
}

export function player(user = someUser(), { seconds = 300, dir = stateDir, ...more } = {}) {
    const token = signToken(claimsOf(user, { exp: nowS() + seconds, ...more }), { key: readJwks("private.jwks", dir)[0] });
    return { user, token };
}

export async function guest(url, name) {
    const answer = await fetch(`${url}/v1/guest`, { method: "POST", body: JSON.stringify({ name }) });
    if (answer.status !== 200) throw new Error(`guest: ${answer.status} ${await answer.text()}`);
    return answer.json();
}

export async function metrics(admin) {
    const text = await (await fetch(`${admin}/metrics`)).text();
    const values = {};
    for (const line of text.split("\n")) {
        const at = line.lastIndexOf(" ");
        if (at > 0 && !line.startsWith("#")) values[line.slice(0, at)] = Number(line.slice(at + 1));
    }
    return values;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
