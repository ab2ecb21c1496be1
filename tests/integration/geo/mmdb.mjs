// SPDX-License-Identifier: Apache-2.0
// Writes a small GeoIP2 City database, so that the tests need nobody's data (MaxMind DB file format 2.0: an IPv6 tree of 24-bit records,
// a data section, metadata behind a marker). rows: [prefix, {continent, country, part?}].
import { isIPv6 } from "node:net";

const control = (type, size) => {
    const extended = type > 7 ? [type - 7] : [];
    const first = (type > 7 ? 0 : type) << 5;
    if (size < 29) return Buffer.from([first | size, ...extended]);
    return Buffer.from([first | 29, ...extended, size - 29]);
};
const text = (value) => Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
const uint = (type) => (value) => {
    const bytes = [];
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
    return Buffer.concat([control(type, bytes.length), Buffer.from(bytes)]);
};
const double = (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
};
const map = (entries) => Buffer.concat([control(7, entries.length), ...entries.flatMap(([key, value]) => [text(key), value])]);
const list = (items) => Buffer.concat([control(11, items.length), ...items]);

function bits(prefix) {
    const [address, length] = prefix.split("/");
    const v6 = isIPv6(address);
    let groups;
    if (v6) {
        const [head, tail] = address.split("::").map((half) => half.split(":").filter(Boolean));
        groups = tail ? [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail] : head;
        groups = groups.map((group) => parseInt(group, 16).toString(2).padStart(16, "0"));
    } else {
        groups = ["0".repeat(96), ...address.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0"))];
    }
    return groups.join("").slice(0, Number(length) + (v6 ? 0 : 96));
}

const nested = ({ continent, country, part }) => map([
    ["continent", map([["code", text(continent)]])],
    ["country", map([["iso_code", text(country)]])],
    ["location", map([["latitude", double(0)], ["longitude", double(0)]])],
    ...(part ? [["subdivisions", list([map([["iso_code", text(part)]])])]] : []),
]);
const flat = ({ country }) => map([["country_code", text(country)]]);

// `shape`: "nested" as GeoIP2 has it, or "flat" as some free ones: gdnsd loads those and understands nothing.
export function mmdb(rows, { shape = "nested", type = "Meridian-Test-City" } = {}) {
    const nodes = [[null, null]];
    const data = [];
    let offset = 0;
    for (const [prefix, place] of rows) {
        const path = bits(prefix);
        let at = 0;
        for (const bit of path.slice(0, -1)) {
            if (typeof nodes[at][bit] !== "number") nodes[at][bit] = nodes.push([null, null]) - 1;
            at = nodes[at][bit];
        }
        nodes[at][path.at(-1)] = { offset };
        data.push(shape === "nested" ? nested(place) : flat(place));
        offset += data.at(-1).length;
    }
    const tree = Buffer.alloc(nodes.length * 6);
    nodes.forEach((pair, i) => pair.forEach((to, side) => {
        const value = to === null ? nodes.length : typeof to === "number" ? to : nodes.length + 16 + to.offset;
        tree.writeUIntBE(value, i * 6 + side * 3, 3);
    }));
    const metadata = map([
        ["node_count", uint(6)(nodes.length)], ["record_size", uint(5)(24)], ["ip_version", uint(5)(6)], ["database_type", text(type)],
        ["languages", list([text("en")])], ["binary_format_major_version", uint(5)(2)], ["binary_format_minor_version", uint(5)(0)],
        ["build_epoch", uint(9)(Math.floor(Date.now() / 1000))], ["description", map([["en", text("made by a test")]])],
    ]);
    return Buffer.concat([tree, Buffer.alloc(16), ...data, Buffer.from("abcdef4d61784d696e642e636f6d", "hex"), metadata]);
}
