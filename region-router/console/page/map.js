// SPDX-License-Identifier: Apache-2.0
// map.js - the world: dots where land is, regions where they are, an arc for each link.
//
// Equirectangular, true to scale at 37 degrees, which is where most servers stand: x and y are linear in longitude and latitude. The way between
// two regions is the shorter one; where that crosses the date line it leaves the map on one side and comes back on the other.

import { svg } from "./draw.js";
import { COLUMN, NORTH, ROW, land } from "./land.js";
import { LINKS, count, delay, modeOf, several } from "./words.js";

const SCALE = 0.8; /* units a degree of longitude; one a degree of latitude */
const WIDTH = 360 * SCALE;
const SHELF = 121; /* where regions stand whose place nobody told */
const NEAR = 10; /* an arc so near to a region that is none of its ends bows away from it */
const LABELS_MAX = 15; /* with more links only those that are not well have words */

const at = (latitude, longitude) => ({ x: (longitude + 180) * SCALE, y: NORTH - latitude });

/** Draws what never changes, and returns the function that draws a state. */
export function map(root) {
    const links = svg("g");
    const regions = svg("g");
    root.append(svg("path", { class: "land", d: dots() }), links, regions);
    return (state) => {
        const places = new Map(state.regions.map((region, index) => [region.state.name, place(region, index)]));
        links.replaceChildren(...state.links.flatMap((link) => arc(link, places, state.links.length <= LABELS_MAX)));
        regions.replaceChildren(...state.regions.map((region) => node(region.state, places.get(region.state.name))));
    };
}

function dots() {
    let d = "";
    land.forEach((row, r) => {
        for (let c = 0; c < row.length; c++) {
            if (row[c] === "#") d += `M${((c + (r % 2 ? 0.75 : 0.25)) * COLUMN * SCALE).toFixed(2)} ${r * ROW}h0`;
        }
    });
    return d;
}

function place(region, index) {
    if (region.latitude === undefined) return { x: 20 + 32 * (index % 9), y: SHELF };
    const { x, y } = at(region.latitude, region.longitude);
    return { x, y: Math.min(Math.max(y, 0), SHELF) };
}

/* ---- links ---------------------------------------------------------------------------------------------------------------------------- */

/** From a to b, b moved by a world's width where that is nearer, and how far the middle is bowed to the north. */
function way(a, b, others) {
    const to = { x: b.x, y: b.y };
    if (Math.abs(b.x - a.x) > WIDTH / 2) to.x += b.x > a.x ? -WIDTH : WIDTH;
    const length = Math.hypot(to.x - a.x, to.y - a.y);
    let bow = 0.0022 * length * length + 3;
    for (const other of others) {
        const t = (other.x - a.x) / (to.x - a.x || 1);
        const above = a.y + t * (to.y - a.y) - other.y;
        if (t > 0.1 && t < 0.9 && above > 0 && above < NEAR) bow = -bow;
    }
    return { a, b: to, bow };
}

const onWay = ({ a, b, bow }, t) => ({
    x: a.x + t * (b.x - a.x),
    y: (1 - t) * a.y + t * b.y - 2 * t * (1 - t) * bow,
});

/** The middle of what is seen: on the longer side, where the way leaves the map. */
function middle(line) {
    const edge = line.b.x < 0 ? 0 : line.b.x > WIDTH ? WIDTH : undefined;
    if (edge === undefined) return onWay(line, 0.5);
    const t = (edge - line.a.x) / (line.b.x - line.a.x);
    if (t >= 0.5) return onWay(line, t / 2);
    const { x, y } = onWay(line, (1 + t) / 2);
    return { x: x + (edge === 0 ? WIDTH : -WIDTH), y };
}

function curve({ a, b, bow }, shift, mode) {
    const d = `M${a.x + shift} ${a.y}Q${(a.x + b.x) / 2 + shift} ${(a.y + b.y) / 2 - bow} ${b.x + shift} ${b.y}`;
    return svg("path", { class: "link", "data-mode": mode, d });
}

function arc(link, places, labelled) {
    const [a, b] = [places.get(link.from), places.get(link.to)];
    const line = way(a, b, [...places.values()].filter((other) => other !== a && other !== b));
    const drawn = [curve(line, 0, link.mode)];
    if (line.b.x < 0) drawn.push(curve(line, WIDTH, link.mode));
    if (line.b.x > WIDTH) drawn.push(curve(line, -WIDTH, link.mode));
    if (!labelled && link.mode === "up") return drawn;
    const { x, y } = middle(line);
    return [...drawn, svg("text", { class: "delay", "data-mode": link.mode, x, y: y + 1.2 }, label(link))];
}

function label({ mode, rttUs, waiting }) {
    const waits = waiting > 0 ? `${count(waiting)} wait` : "";
    if (mode === "up" || mode === "behind") return [mode === "behind" ? LINKS.behind.sign : "", delay(rttUs), waits && `· ${waits}`].filter(Boolean).join(" ");
    return [LINKS[mode].sign, mode === "down" ? LINKS.down.word : "", waits && `· ${waits}`].filter(Boolean).join(" ");
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------------- */

const RING = 4.2;

/** How full it is, from the top clockwise. */
function gauge(part) {
    const length = 2 * Math.PI * RING;
    return svg("circle", { class: "gauge", r: RING, transform: "rotate(-90)", "stroke-dasharray": `${Math.min(part, 1) * length} ${length}` });
}

function body(mode) {
    if (mode === "full") return svg("rect", { class: "body", x: -2, y: -2, width: 4, height: 4 });
    if (mode === "unreachable") return svg("path", { class: "cross", d: "M-1.7 -1.7L1.7 1.7M1.7 -1.7L-1.7 1.7" });
    if (mode === "draining") {
        return svg("g", {}, svg("circle", { class: "hollow", r: 2.2 }), svg("path", { class: "body", d: "M0 -2.2A2.2 2.2 0 0 1 0 2.2Z" }));
    }
    if (mode === "active") return svg("circle", { class: "body", r: 2.3 });
    return svg("circle", { class: "hollow", r: 2.2 });
}

function node(region, { x, y }) {
    const { word } = modeOf(region);
    const players = region.players === undefined ? undefined : several(region.players, "player");
    const below = region.mode === "active" ? players : [word, players].filter(Boolean).join(" · ");
    return svg(
        "g",
        { class: "region", "data-region": region.name, "data-mode": region.mode, transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})` },
        svg("circle", { class: "ground", r: RING + 1 }),
        svg("circle", { class: "track", r: RING }),
        ...(region.capacity > 0 ? [gauge(region.players / region.capacity)] : []),
        body(region.mode),
        svg("text", { class: "name", y: 10 }, region.name),
        svg("text", { class: "below", y: 14.6 }, below ?? ""),
    );
}
