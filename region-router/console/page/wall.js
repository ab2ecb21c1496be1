// SPDX-License-Identifier: Apache-2.0
// wall.js - listens to the router and draws what it says. It only ever reads: this page has nothing that changes anything.
//
// A browser comes back by itself when a stream ends, but not when it is refused (the router stops, too many look): then we do. Whatever the
// reason, when nothing came for a while the page says since when what it shows is old.

import { map } from "./map.js";
import { cards, links, now, totals } from "./tables.js";
import { clock, span } from "./words.js";

const STALE_MS = 4000; /* four states missing */
const DEAD_MS = 10_000; /* an open stream that says nothing for so long: what lies between has gone without a word */
const AGAIN_MS = 2000;

const $ = (id) => document.getElementById(id);
const drawMap = map($("map"));
let heard; /* when the last state came */

/** The router tells what it reaches itself; who is reached by others is not lost. */
function tellLostFromUnseen({ regions, links }) {
    for (const { state } of regions) {
        const by = links.filter((link) => (link.from === state.name || link.to === state.name) && (link.mode === "up" || link.mode === "behind"));
        if (state.mode !== "unreachable" || by.length === 0) continue;
        state.mode = "unseen";
        state.reachedBy = by.map((link) => (link.from === state.name ? link.to : link.from));
    }
}

function draw(state) {
    tellLostFromUnseen(state);
    const open = state.regions.filter((region) => region.state.mode === "active").length;
    document.title = `${open} of ${state.regions.length} open · Meridian`;
    $("line-from").textContent = `as ${state.router} sees it`;
    totals($("totals"), state);
    drawMap(state);
    now($("now"), state);
    links($("links").tBodies[0], state.links);
    cards($("regions"), state);
}

function tellLine() {
    const age = heard ? Date.now() - heard : undefined;
    const line = age === undefined ? "waiting" : age > STALE_MS ? "stale" : "live";
    document.body.dataset.line = line;
    $("line-state").textContent = {
        waiting: "waiting for the router",
        live: `live · ${clock(new Date())}`,
        stale: `stale since ${clock(new Date(heard ?? 0))} (${span(age ?? 0)})`,
    }[line];
}

function listen() {
    const stream = new EventSource("events");
    const began = Date.now();
    const dead = setInterval(() => Date.now() - Math.max(began, heard ?? 0) > DEAD_MS && again(), AGAIN_MS);
    const again = () => {
        clearInterval(dead);
        stream.close();
        setTimeout(listen, AGAIN_MS);
    };
    stream.onmessage = ({ data }) => {
        heard = Date.now();
        draw(JSON.parse(data));
        tellLine();
    };
    stream.onerror = () => stream.readyState === EventSource.CLOSED && again();
}

listen();
setInterval(tellLine, 1000);
