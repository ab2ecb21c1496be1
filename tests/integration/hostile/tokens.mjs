// SPDX-License-Identifier: Apache-2.0
// Bad tokens: [name, token, close code]. All but an expired one are told alike. `good` are made by the same means and must be taken, or
// the bad ones would prove nothing.
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { Client } from "../outside/client.mjs";
import { base64url, claimsOf, nowS, readJwks, signToken, someUser } from "../outside/footprint.mjs";
import { RawSocket } from "./raw.mjs";

const json = (value) => base64url(JSON.stringify(value));
const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ed25519Order = 2n ** 252n + 27742317777372353535851937790883648493n;
const bytesOf = (n) => Buffer.from(n.toString(16).padStart(64, "0"), "hex");

function tokens() {
    const [key] = readJwks("private.jwks");
    const [guestKey] = readJwks("guest.jwks");
    const goodClaims = () => claimsOf(someUser());
    const header = (more) => signToken(goodClaims(), { header: more });
    const claims = (more) => signToken({ ...goodClaims(), ...more });
    const without = (name) => {
        const all = goodClaims();
        delete all[name];
        return signToken(all);
    };
    const parts = signToken(goodClaims()).split(".");
    const [head, body, signature] = parts;
    const signRaw = (headText, bodyText, with_) => {
        const text = Buffer.from(`${headText}.${bodyText}`);
        return base64url(sign("sha256", text, { key: createPrivateKey({ key: with_, format: "jwk" }), dsaEncoding: "ieee-p1363" }));
    };
    const signed = (headText, bodyText) => `${headText}.${bodyText}.${signRaw(headText, bodyText, key)}`;
    const mac = (secret, alg = "HS256", kid = key.kid) => {
        const text = `${json({ alg, kid, typ: "JWT" })}.${body}`;
        return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const open = createPublicKey({ key: { ...key, d: undefined }, format: "jwk" });
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
    const raw = Buffer.from(signature, "base64url");
    const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
    const zero = Buffer.alloc(32);
    const withSignature = (...pieces) => `${head}.${body}.${base64url(Buffer.concat(pieces))}`;
    const der = sign("sha256", Buffer.from(`${head}.${body}`), { key: createPrivateKey({ key, format: "jwk" }), dsaEncoding: "der" });
    const guestParts = signToken(goodClaims(), { key: guestKey }).split(".");
    const guestRaw = Buffer.from(guestParts[2], "base64url");
    const large = bytesOf(BigInt(`0x${Buffer.from(guestRaw.subarray(32)).reverse().toString("hex")}`) + ed25519Order).reverse();
    const guestWith = (...pieces) => `${guestParts[0]}.${guestParts[1]}.${base64url(Buffer.concat(pieces))}`;
    const twice = (text) => text.replace(/^\{/, '{"sub":"a",');
    const good = [parts.join("."), header({}), claims({}), signed(head, body), withSignature(r, s), guestWith(guestRaw), claims({ aud: ["x", "meridian"] })];
    const bad = [
        ["an empty one", ""],
        ["no token", "token"],
        ["three letters", "a.b.c"],
        ["two parts", `${head}.${body}`],
        ["four parts", `${head}.${body}.${signature}.${signature}`],
        ["five parts, as of JWE", `${head}.${body}.${signature}.x.y`],
        ["empty parts", ".."],
        ["no header", `.${body}.${signature}`],
        ["no claims", `${head}..${signature}`],
        ["no signature", `${head}.${body}.`],
        ["a blank in front", ` ${parts.join(".")}`],
        ["a line end behind", `${parts.join(".")}\n`],
        ["padding", `${head}.${body}.${signature}==`],
        ["a plus and a slash", `${head}.${body}.+/${signature.slice(2)}`],
        ["another spelling of the last character", `${head}.${body}.${signature.slice(0, -1)}${{ A: "B", Q: "R", g: "h", w: "x" }[signature.at(-1)]}`],
        ["NUL in it", `${head}.${body}\0.${signature}`],
        ["over 4 KiB", signToken({ ...goodClaims(), note: "x".repeat(4096) })],
        ...["none", "None", "nOnE", "", "NONE"].map((alg) => [`algorithm "${alg}", unsigned`, `${json({ alg, kid: key.kid })}.${body}.`]),
        ["algorithm none with a signature", signed(json({ alg: "none", kid: key.kid }), body)],
        ["no algorithm", signed(json({ kid: key.kid }), body)],
        ["an algorithm that is a number", signed(json({ alg: 256, kid: key.kid }), body)],
        ...["RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "es256", "HS512"].map((alg) => [`algorithm ${alg} with our key`, header({ alg })]),
        ["ES256 with the guests' key", signToken(goodClaims(), { key: guestKey, header: { alg: "ES256" } })],
        ["HS256 with our public key in PEM", mac(open.export({ type: "spki", format: "pem" }))],
        ["HS256 with our public key in DER", mac(open.export({ type: "spki", format: "der" }))],
        ["HS256 with our public point", mac(Buffer.concat([Buffer.from([4]), Buffer.from(key.x, "base64url"), Buffer.from(key.y, "base64url")]))],
        ["HS256 with our public key's text", mac(JSON.stringify({ ...key, d: undefined }))],
        ["HS256 with no key", mac("")],
        ["no kid", signed(json({ alg: "ES256" }), body)],
        ["an unknown kid", header({ kid: "nobody" })],
        ["an empty kid", header({ kid: "" })],
        ["a kid of 1 KiB", header({ kid: "k".repeat(1024) })],
        ["a kid that is a path", header({ kid: "../../../../dev/null" })],
        ["a kid that is SQL", header({ kid: "x' UNION SELECT 'key" })],
        ["a kid with NUL", header({ kid: `${key.kid}\0` })],
        ["a kid that is a number", header({ kid: 1 })],
        ["a kid that is a list", header({ kid: [key.kid] })],
        ["the guests' kid on our signature", header({ kid: guestKey.kid, alg: "EdDSA" })],
        ["a kid twice", signed(base64url(`{"alg":"ES256","kid":"nobody","kid":"${key.kid}"}`), body)],
        ["jku", header({ jku: "http://evil.example/keys" })],
        ["x5u", header({ x5u: "http://evil.example/chain" })],
        ["a key brought along", signToken(goodClaims(), { key: stranger, header: { kid: key.kid, jwk: { ...stranger, d: undefined } } })],
        ["x5c", header({ x5c: ["MIIB"] })],
        ["crit", header({ crit: ["exp"] })],
        ["b64: false", header({ b64: false })],
        ["typ of another use", header({ typ: "dpop+jwt" })],
        ["typ that is a number", header({ typ: 1 })],
        ["a header that is a list", signed(json(["ES256"]), body)],
        ["a header that is no JSON", signed(base64url("ES256"), body)],
        ["a header with text behind", signed(base64url(`${Buffer.from(head, "base64url")} x`), body)],
        ["a strange key's signature", signToken(goodClaims(), { key: { ...stranger, kid: key.kid } })],
        ["claims that were changed", `${head}.${json(claimsOf("admin"))}.${signature}`],
        ["another token's signature", `${head}.${body}.${signToken(goodClaims()).split(".")[2]}`],
        ["a signature of 63 bytes", withSignature(raw.subarray(0, 63))],
        ["a signature of 65 bytes", withSignature(raw, Buffer.from([0]))],
        ["a signature in DER", withSignature(der)],
        ["a signature of zeros", withSignature(zero, zero)],
        ["r = 0", withSignature(zero, s)],
        ["s = 0", withSignature(r, zero)],
        ["r = n", withSignature(bytesOf(p256Order), s)],
        ["s = n", withSignature(r, bytesOf(p256Order))],
        ["r and s the other way round", withSignature(s, r)],
        ["Ed25519: s beyond its order", guestWith(guestRaw.subarray(0, 32), large)],
        ["Ed25519: zeros", guestWith(zero, zero)],
        ["Ed25519: a point of small order", guestWith(Buffer.from([1]), Buffer.alloc(63))],
        ["claims that are a list", signToken("[]")],
        ["claims that are a token", signToken(parts.join("."), { header: { cty: "JWT" } })],
        ["claims that are no JSON", signToken("{")],
        ["a claim twice", signToken(twice(JSON.stringify(goodClaims())))],
        ["claims nested 20 deep", signToken({ ...goodClaims(), x: JSON.parse("[".repeat(20) + "]".repeat(20)) })],
        ["no exp", without("exp")],
        ["exp in words", claims({ exp: `${nowS() + 60}` })],
        ["exp with a fraction", signToken(JSON.stringify({ ...goodClaims(), exp: 0 }).replace('"exp":0', `"exp":${nowS() + 60}.5`))],
        ["exp of 1e300", signToken(JSON.stringify({ ...goodClaims(), exp: 0 }).replace('"exp":0', '"exp":1e300'))],
        ["exp below zero", claims({ exp: -1 })],
        ["exp a day ahead", claims({ exp: nowS() + 86400 })],
        ["nbf an hour ahead", claims({ nbf: nowS() + 3600 })],
        ["nbf in words", claims({ nbf: "now" })],
        ["iat an hour ahead", claims({ iat: nowS() + 3600 })],
        ["no iss", without("iss")],
        ["an iss like ours", claims({ iss: "meridian-local." })],
        ["an iss in capitals", claims({ iss: "Meridian-Local" })],
        ["an iss in a list", claims({ iss: ["meridian-local"] })],
        ["no aud", without("aud")],
        ["another aud", claims({ aud: "meridian2" })],
        ["an aud of others", claims({ aud: ["a", "b"] })],
        ["an aud of no names", claims({ aud: ["meridian", 5] })],
        ["an aud that is a number", claims({ aud: 5 })],
        ["no sub", without("sub")],
        ["an empty sub", claims({ sub: "" })],
        ["a sub that is a number", claims({ sub: 5 })],
        ["a sub of 1 KiB", claims({ sub: "u".repeat(1024) })],
        ["a sub with a line end", claims({ sub: "u\n" })],
        ["a sub with NUL", claims({ sub: "u\0" })],
        ["a name that is a number", claims({ name: 5 })],
        ["a name of 1 KiB", claims({ name: "x".repeat(1024) })],
        ["a rating in words", claims({ rating: "high" })],
        ["a rating of -1", claims({ rating: -1 })],
        ["a rating of 5,001", claims({ rating: 5001 })],
    ].map((row) => [...row, "3500"]).concat([
        ["expired a minute ago", claims({ exp: nowS() - 60 }), "3001"],
        ["expired in 1970", claims({ exp: 1 }), "3001"],
    ]);
    return { bad, good: good };
}

const queries = (token) => [
    ["given twice", `token=${token}&token=${token}`],
    ["with a broken escape", `token=%zz${token}`],
    ["with an escaped NUL", `token=${token}%00`],
    ["good, for a device with a blank", `token=${token}&device=a%20b`],
    ["good, for an empty device", `token=${token}&device=`],
    ["good, for a device of 65 bytes", `token=${token}&device=${"d".repeat(65)}`],
    ["good, for a device twice", `token=${token}&device=a&device=b`],
];

export function tokenRows(ctx) {
    const { bad, good } = tokens();
    const taken = good.map((token, i) => ({
        name: `token: a good one, number ${i}`,
        control: true,
        expected: "connected",
        run: async () => {
            const client = await Client.connect(ctx.ws, { token });
            await client.close();
            return client.connected.type;
        },
    }));
    const rows = bad.map(([name, token, expected], i) => ({
        name: `token: ${name}`,
        expected,
        run: async () => `${(await new Client(ctx.ws, { token, first: i % 3 === 0 && !/[\0]/.test(token) && token.length < 4000 }).closed).code}`,
    }));
    const raw = queries(signToken(claimsOf(someUser()))).map(([name, query]) => ({
        name: `token: ${name}`,
        expected: "3500",
        run: async () => (await RawSocket.open(ctx.port, `/v1/ws?${query}`)).outcome(),
    }));
    return [...rows, ...raw, ...taken];
}
