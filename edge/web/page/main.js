// SPDX-License-Identifier: Apache-2.0
// main.js - the page's table of contents: identity, client, views, and what leads from one to the other.
//
// The page shows what the client library says and nothing else. Views: lobby -> waiting -> game -> lobby; a game that
// the server names (after a reload, on another device) is shown at once.

import { announce, banner, toast, toastError } from "./notices.js";
import { guestTokens, MeridianClient } from "../meridian.js";
import { identity } from "./identity.js";
import { Lobby } from "./lobby.js";
import { TableView } from "./table.js";

const QUIET_MS = 700; /* shorter interruptions are not worth a banner */

const byId = (id) => document.getElementById(id);

const client = new MeridianClient({
    urls: [edgeUrl()],
    device: identity.device,
    tokens: guestTokens({ url: location.origin, name: () => identity.name, store: identity.store }),
});
const table = new TableView(client);
const lobby = new Lobby({ find, cancel, explain });
const refused = new Set(); /* games and tickets the player turned away from: what still comes of them is not shown */
let seeking = 0; /* counts the searches, so that a late answer to an old one is known */
let bannerTimer = null;

/* ?edge=URL leads the connection to another port of the same host; anything else is ignored. */
function edgeUrl() {
    try {
        const wanted = new URL(new URLSearchParams(location.search).get("edge"));
        if (wanted.hostname === location.hostname) return wanted.href;
    } catch {
        /* none given */
    }
    return location.origin;
}

function show(view) {
    if (document.body.dataset.view === view) return;
    document.body.dataset.view = view;
    for (const id of ["lobby", "waiting", "game"]) byId(id).hidden = id !== view;
    byId(`${view}-title`).focus({ preventScroll: true });
    window.scrollTo(0, 0);
}

async function find(wish) {
    const mine = ++seeking;
    table.clear();
    show("waiting");
    lobby.waiting(null);
    if (client.state === "closed" || client.state === "gave_up") client.connect();
    else if (identity.store.load()?.name !== identity.name) await client.renew();
    try {
        await client.findMatch(wish);
    } catch (error) {
        if (mine !== seeking) return;
        if (error.code === "already_in_game") return; /* the game itself follows */
        toastError(error);
        backToLobby();
    }
}

function cancel() {
    const { ticket } = client;
    seeking += 1;
    if (ticket) refuseTicket(ticket);
    else cancelWhenKnown(seeking);
    backToLobby();
}

/* Cancelled before the server answered: the ticket that comes is cancelled as soon as it is known. */
function cancelWhenKnown(mine) {
    client.once("ticket", (ticket) => {
        if (mine === seeking && ticket.state === "waiting") refuseTicket(ticket);
    });
}

function refuseTicket({ ticketId }) {
    refused.add(ticketId);
    client.cancelMatch(ticketId).catch((error) => error.code === "no_such_ticket" || toastError(error));
}

function explain() {
    if (client.ticket && client.state === "ready") client.explainMatch(client.ticket.ticketId).catch(() => {});
}

function backToLobby() {
    lobby.doneWaiting();
    table.clear();
    show("lobby");
    byId("new-guest").hidden = !identity.name;
}

function onTicket(ticket) {
    if (refused.has(ticket.ticketId)) return;
    if (ticket.state === "waiting" && !table.game) {
        show("waiting");
        lobby.waiting(ticket);
    }
    if (document.body.dataset.view !== "waiting") return;
    if (ticket.state === "expired" && ticket.reason === "no_such_ticket") {
        toast("Your place in the queue was lost; looking again.");
        find(lobby.wish);
    } else if (ticket.state === "expired" || ticket.state === "cancelled") {
        if (ticket.state === "expired") toast(`No match: ${ticket.reason || "nobody came"}.`);
        backToLobby();
    }
}

function onGame({ game, message }) {
    const current = table.game;
    if (refused.has(game.id) || (current?.id !== game.id && game.status === "over")) return;
    const entering = document.body.dataset.view !== "game";
    table.update(game, message);
    if (game.status === "unknown") return;
    lobby.doneWaiting();
    show("game");
    if (entering && game.status !== "over") table.focus();
}

function onLost({ game }) {
    if (table.game?.id !== game.id) return;
    toast("This game ended while you were away.");
    backToLobby();
}

const LINE = {
    closed: "not connected", idle: "resting", connecting: "connecting", waiting: "reconnecting", gave_up: "disconnected",
};

function onState(now) {
    byId("line").dataset.state = now.state;
    byId("line-text").textContent = LINE[now.state] ?? client.connected.region;
    byId("line").title = client.connected ? `edge ${client.connected.edge}` : "";
    if (now.state === "ready") {
        clearTimeout(bannerTimer);
        bannerTimer = null;
        if (!byId("banner").hidden) announce("Connected again.");
        banner(null);
    }
    if ((now.state === "waiting" || now.state === "connecting") && bannerTimer === null) {
        const text = client.connected ? "Connection lost. Reconnecting…" : "Connecting…";
        bannerTimer = setTimeout(() => banner(text), QUIET_MS);
    }
}

const ENDS = {
    3501: ["You were signed out.", "Play as a new guest"],
    3502: ["You play in another tab or window now.", "Play here instead"],
    3508: ["This page is too old for the server.", "Reload"],
};

function onGaveUp({ code }) {
    clearTimeout(bannerTimer);
    bannerTimer = null;
    const [text, label] = ENDS[code] ?? ["The connection is closed.", "Connect again"];
    banner(text, { label, run: () => (code === 3508 ? location.reload() : client.connect()) });
}

function onMaintenance() {
    toast("The server moves house: you will be reconnected in a moment, the game stays.");
}

client.on("state", onState);
client.on("gaveup", onGaveUp);
client.on("ticket", onTicket);
client.on("game", onGame);
client.on("game_lost", onLost);
client.on("server_maintenance", onMaintenance);
client.on("error", (error) => {
    if (error.code !== "token_expiring") toastError(error);
});

byId("leave").addEventListener("click", () => byId("confirm").showModal());
byId("confirm-stay").addEventListener("click", () => byId("confirm").close());
byId("confirm-leave").addEventListener("click", () => {
    byId("confirm").close();
    const { game } = table;
    if (game) {
        refused.add(game.id);
        client.leaveGame(game.id).catch((error) => error.code === "game_over" || toastError(error));
    }
    backToLobby();
});
byId("again").addEventListener("click", () => find(lobby.wish));
byId("home").addEventListener("click", backToLobby);
byId("result").addEventListener("cancel", (event) => {
    event.preventDefault();
    backToLobby();
});
byId("new-guest").addEventListener("click", () => {
    identity.startAnew();
    location.reload();
});

/* Somebody who was here before may have a game waiting; a new visitor connects with the first wish. */
if (identity.name && identity.store.load()) client.connect();
byId("new-guest").hidden = !identity.name;
