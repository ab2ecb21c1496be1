// SPDX-License-Identifier: Apache-2.0
// main.js - the page's table of contents: identity, client, views, and what leads from one to the other.
//
// The page shows what the client library says and nothing else. Views: lobby -> waiting -> game -> lobby; a game that
// the server names (after a reload, on another device) is shown at once.

import { toast, toastError } from "./notices.js";
import { guestTokens, MeridianClient, RegionList, rematchOf } from "../meridian.js";
import { identity } from "./identity.js";
import { Lobby } from "./lobby.js";
import { TableView } from "./table.js";
import { Wire } from "./wire.js";

const byId = (id) => document.getElementById(id);

const client = new MeridianClient({
    urls: [...new Set([edgeUrl(), location.origin])],
    regions: new RegionList({ urls: [location.origin], store: identity.regions }),
    device: identity.device,
    tokens: guestTokens({ url: tokenOrigins, name: () => identity.name, store: identity.store }),
});
new Wire(client);
const table = new TableView(client);
const lobby = new Lobby({ find, cancel, explain, serverNow: () => client.serverNow() });
const refused = new Set(); /* games and tickets the player turned away from: what still comes of them is not shown */
let gone = null; /* the region that this player had to leave, until its lost game is dealt with */
let seeking = 0; /* counts the searches, so that a late answer to an old one is known */

/* ?edge=URL tries another port of the same host first; anything else is ignored. */
function edgeUrl() {
    try {
        const wanted = new URL(new URLSearchParams(location.search).get("edge"));
        if (wanted.hostname === location.hostname) return wanted.origin;
    } catch {
        /* none given */
    }
    return location.origin;
}

/* Where the page came from, unless that is in a region that was left. */
function tokenOrigins() {
    const away = client.connected && client.connected.region !== client.home;
    return away ? client.origins : [...new Set([location.origin, ...client.origins])];
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

/* The library sends it again by itself; the player should know why nothing happens. */
function onRetry({ re, retryAfterMs = 0 }) {
    if (re === "find_match") lobby.busy(retryAfterMs);
    else table.kept();
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
        if (ticket.state === "expired") toast(endText(ticket));
        backToLobby();
    }
}

/* A friend's code says itself what is wrong with it. */
function endText({ reason, code }) {
    if (!reason) return "No match: nobody came.";
    return code ? `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.` : `No match: ${reason}.`;
}

/* How a game ended that went on without this player. */
function onResult({ seat, players, scores, winners, gameId }) {
    if (client.games.get(gameId)?.status === "over") return; /* it was seen all the same */
    const others = players.filter((player) => player.seat !== seat).map(({ name }) => name).join(" and ");
    const how = !winners.includes(seat) ? "You lost" : winners.length > 1 ? "A draw" : "You won";
    toast(`Your game with ${others} ended while you were away. ${how}, ${scores.join(" : ")}.`);
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

/* A game stays behind with its region; whoever was in one is looked a new one for. */
function onRegion({ from, why }) {
    gone = why === "home" ? null : from;
}

function onLost({ game }) {
    if (table.game?.id !== game.id) return;
    if (gone !== null) {
        toast(`This game was lost with ${gone}. Looking for a new one.`);
        find(lobby.wish);
        return;
    }
    toast("This game ended while you were away.");
    backToLobby();
}

client.on("state", ({ state }) => {
    table.online(state === "ready");
    if (state === "ready") gone = null;
});
client.on("ticket", onTicket);
client.on("game", onGame);
client.on("game_result", onResult);
client.on("region", onRegion);
client.on("game_lost", onLost);
client.on("retry", onRetry);
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
byId("again").addEventListener("click", () => {
    if (lobby.wish.code !== undefined || lobby.wish.rematch !== undefined) backToLobby(); /* that table is over */
    else find(lobby.wish);
});
byId("rematch").addEventListener("click", () => find((lobby.lastWish = rematchOf(table.game))));
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
lobby.acceptIfKnown();
byId("new-guest").hidden = !identity.name;
