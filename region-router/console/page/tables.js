// SPDX-License-Identifier: Apache-2.0
// tables.js - the same state as words and figures: totals, what is going on, links, a card a region. What the map shows is all said here, too.

import { html } from "./draw.js";
import { LINKS, bytes, count, delay, modeOf, percent, several, span } from "./words.js";

const WORST_FIRST = ["down", "behind", "unknown", "up"];
const sum = (list, key) => list.reduce((total, one) => total + (one[key] ?? 0), 0);

/* ---- totals --------------------------------------------------------------------------------------------------------------------------- */

export function totals(root, { regions, links, ticketsWaiting }) {
    const states = regions.map((region) => region.state);
    const figures = [
        ["players", count(sum(states, "players"))],
        ["games", count(sum(states, "games"))],
        ["matches a minute", count(sum(regions, "matchesMinute"))],
        ["regions open", `${states.filter((one) => one.mode === "active").length} of ${regions.length}`],
        ["links up", `${links.filter((one) => one.mode === "up" || one.mode === "behind").length} of ${links.length}`],
        ["waiting here", count(ticketsWaiting)],
    ];
    root.replaceChildren(...figures.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value))));
}

/* ---- what is going on ----------------------------------------------------------------------------------------------------------------- */

function ofRegion({ state }, index) {
    const { name, mode, drain, players = 0, games = 0, edgesDraining = 0 } = state;
    const { word, sign } = modeOf(state);
    const left = `${several(players, "player")}, ${several(games, "game")} left`;
    if (drain) {
        const over = drain.overMs > 0 ? `, over ${span(drain.overMs)}` : "";
        return { mode, sign, what: `${name} drains`, more: `for ${span(drain.beganMs)}${over} · ${drain.by}: ${drain.reason}`, left };
    }
    if (mode === "unseen") return { mode, sign, what: `${name} is ${word}`, more: `not reached from here, but from ${state.reachedBy.join(" and ")}` };
    if (mode === "unreachable") return { mode, sign, what: `${name} is lost`, more: "nobody reaches its leader" };
    if (mode === "full") return { mode, sign, what: `${name} is full`, more: "no edge takes new players" };
    if (mode === "unknown") return { mode, sign, what: `${name} is silent`, more: "reached, but it says nothing of itself" };
    if (mode !== "active") return { mode, sign, what: `${name}: ${word}`, left };
    if (edgesDraining > 0 && index > 0) return { mode: "draining", sign: "◐", what: `${several(edgesDraining, "edge drains", "edges drain")} in ${name}` };
    return undefined;
}

function ofLink({ from, to, mode, waiting, queued }) {
    if (mode !== "down" && mode !== "behind") return undefined;
    const backlog = waiting > 0 || queued > 0 ? `${several(waiting, "event")}, ${bytes(queued)} wait` : "nothing waits";
    return { mode, sign: LINKS[mode].sign, what: `${from} – ${to} is ${LINKS[mode].word}`, more: backlog };
}

/* Of our own region; of the others only their number is known. */
const ofEdge = ({ id, players, games }) => ({
    mode: "draining", sign: "◐", what: `edge ${id} drains`, left: `${several(players, "player")}, ${several(games, "game")} left`,
});

/** The list changes only where it has to: it is read aloud. */
export function now(root, state) {
    const items = [...state.regions.map(ofRegion), ...state.links.map(ofLink), ...state.edges.map(ofEdge)].filter(Boolean);
    if (!state.leader) items.unshift({ mode: "unknown", sign: "?", what: "this router stands by", more: "only the leader hears of other regions" });
    if (items.length === 0) items.push({ mode: "calm", sign: "○", what: "All is calm", more: "nothing drains, nothing is cut" });
    items.forEach((item, i) => {
        const old = root.children[i];
        const made = html("li", { "data-mode": item.mode }, html("span", { class: "sign", "aria-hidden": "true" }, item.sign),
            html("p", {}, html("strong", {}, item.what), ...[item.more, item.left].filter(Boolean).map((text) => html("span", {}, text))));
        if (!old) root.append(made);
        else if (!old.isEqualNode(made)) old.replaceWith(made);
    });
    while (root.children.length > items.length) root.lastChild.remove();
}

/* ---- links ---------------------------------------------------------------------------------------------------------------------------- */

export function links(body, list) {
    body.closest("section").hidden = list.length === 0;
    const rows = [...list].sort((a, b) => WORST_FIRST.indexOf(a.mode) - WORST_FIRST.indexOf(b.mode));
    body.replaceChildren(...rows.map(({ from, to, mode, rttUs, queued, waiting }) => {
        const { word, sign } = LINKS[mode];
        const state = mode === "up" ? delay(rttUs) : mode === "behind" ? `${delay(rttUs)}, ${word}` : word;
        return html("tr", { "data-link": `${from} ${to}`, "data-mode": mode },
            html("th", { scope: "row" }, html("span", { class: "sign", "aria-hidden": "true" }, sign), `${from} – ${to}`),
            html("td", {}, state),
            html("td", {}, waiting === 0 && queued > 0 ? bytes(queued) : count(waiting)));
    }));
}

/* ---- cards ---------------------------------------------------------------------------------------------------------------------------- */

const figure = (name, value, part) => html("div", part === undefined ? {} : { "data-part": part }, html("dt", {}, name), html("dd", {}, value));

function meter({ players, capacity }) {
    const bar = html("i", {});
    bar.style.width = `${capacity > 0 ? Math.min(100, (100 * players) / capacity) : 0}%`;
    return html("div", { class: "meter", "aria-hidden": "true" }, bar);
}

/** What waits on its links, as far as anybody says. */
function backlog(name, list) {
    const own = list.filter((link) => link.from === name || link.to === name);
    const [events, queued] = [sum(own, "waiting"), sum(own, "queued")];
    return events === 0 && queued > 0 ? bytes(queued) : count(events);
}

function card({ state, matchesMinute }, all) {
    const { word, sign } = modeOf(state);
    const known = state.players !== undefined;
    const edges = known ? `${state.edgesReady}${state.edgesDraining > 0 ? ` + ${state.edgesDraining} drain` : ""}` : "–";
    const foot = state.drain ? `drained by ${state.drain.by}: ${state.drain.reason}` : state.leader ? `led by ${state.leader}` : "no leader is heard";
    return html("li", { class: "site", "data-region": state.name, "data-mode": state.mode },
        html("h2", {}, state.name, html("span", { class: "state" }, html("span", { "aria-hidden": "true" }, `${sign} `), word)),
        html("p", { class: "players" }, html("strong", {}, count(state.players)), ` of ${count(state.capacity)} players`,
            html("em", {}, known ? percent(state.players, state.capacity) : "")),
        meter(state),
        html("dl", {},
            figure("games", count(state.games)),
            figure("matches/min", count(matchesMinute)),
            figure("edges ready", edges),
            figure("load", known ? `${Math.round((state.loadPermille ?? 0) / 10)} %` : "–"),
            figure("backlog", backlog(state.name, all), "backlog")),
        html("p", { class: "foot", title: foot }, foot));
}

export function cards(root, state) {
    root.replaceChildren(...state.regions.map((region) => card(region, state.links)));
}
