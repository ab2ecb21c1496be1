// SPDX-License-Identifier: Apache-2.0
// Devices, coming back, tokens and tickets, as the protocol's page tells them, by the outside client on two edges.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { guest, nowS, player, readEndpoints, signToken, claimsOf, someUser, sleep } from "../outside/footprint.mjs";
import { play } from "../outside/play.mjs";
import { sameOrder } from "../outside/view.mjs";

let edges, region;
before(() => {
    region = readEndpoints().regions[0];
    edges = region.edges;
    assert.ok(edges.length >= 2, "this needs two edges");
});
after(() => Client.dropAll());

const enter = (edge, more) => Client.connect(edges[edge].ws, { ...player(), ...more });

// Two people in a game on a board that no other test of this file uses: [client, view] of each.
async function table(board, edgesOf = [0, 1], options = [{}, {}]) {
    const people = [player(), player()];
    const clients = await Promise.all(people.map((one, i) => Client.connect(edges[edgesOf[i]].ws, { ...one, ...options[i] })));
    const views = await Promise.all(clients.map((client) => client.match(board)));
    return people.map((one, i) => ({ ...one, client: clients[i], view: views[i] }));
}

async function leave({ client, view }) {
    client.send("leave_game", { gameId: view.gameId });
    await client.next("game_over");
}

describe("devices", { concurrency: 8, timeout: 120_000 }, () => {
    test("two devices of a user on two edges get everything, and either may move", async () => {
        const me = player();
        const phone = await Client.connect(edges[0].ws, { ...me, device: "phone" });
        const laptop = await Client.connect(edges[1].ws, { ...me, device: "laptop" });
        const other = await enter(1);
        assert.notEqual(phone.connected.session, laptop.connected.session);
        let turns = 0;
        let mine, also;
        const mySide = async (known) => {
            while (!mine.over) {
                await phone.until(() => mine.over || mine.mine, "my turn", 60_000);
                if (mine.over) return;
                const [device, view] = turns++ % 2 ? [phone, mine] : [laptop, also];
                await device.until(() => view.over || (view.mine && view.version >= mine.version), "my turn there, too");
                const card = view.choose(known);
                const answer = await device.answer(device.flip(view.gameId, card));
                assert.equal(answer.type, "move_ok", JSON.stringify(answer));
                await phone.until(() => mine.version >= answer.version, "the event on the other device");
                known.set(card, mine.faces.get(card));
            }
        };
        while (turns < 3) { // by luck the other one may find nearly all pairs: then again
            turns = 0;
            const theirs = other.match({ rows: 4, cols: 3 });
            mine = await phone.match({ rows: 4, cols: 3 });
            await laptop.next("matched", (message) => message.gameId === mine.gameId);
            also = laptop.view(mine.gameId);
            await laptop.until(() => also.version !== null, "game_state on the second device");
            const known = new Map();
            await Promise.all([mySide(known), theirs.then((view) => play(other, view, { known }))]);
            await laptop.until(() => also.over, "game_over on the second device");
        }
        assert.equal(phone.unread.filter((message) => message.type === "move_ok").length, 0, "only who moved is answered");
        assert.deepEqual(also.result, mine.result);
        assert.equal(sameOrder(mine, also, assert), mine.byVersion.size);
        await Promise.all([phone, laptop, other].map((client) => client.close()));
    });

    for (const [name, second] of [["the same edge", 0], ["another edge", 1]]) {
        test(`a newer connection of the same device replaces the older one, on ${name}`, async () => {
            const me = player();
            const old = await Client.connect(edges[0].ws, { ...me, device: "one" });
            const fresh = await Client.connect(edges[second].ws, { ...me, device: "one" });
            const end = await Promise.race([old.closed, sleep(30_000)]);
            assert.equal(end?.code, 3502);
            assert.match(end.reason, /^[a-z_]+(;|$)/);
            await fresh.settle();
            await fresh.close();
        });
    }

    test("a device without a name is given one", async () => {
        const client = await enter(0);
        assert.match(client.connected.device, /^[A-Za-z0-9_-]{1,64}$/);
        assert.equal(client.connected.region, region.name);
        assert.equal(client.connected.edge, edges[0].id);
        await client.close();
    });

    test("who is connected twice stays seated when one device goes", async () => {
        const [a, b] = await table({ rows: 4, cols: 5 });
        const second = await Client.connect(edges[1].ws, { ...a, device: "second" });
        await second.next("game_state");
        await a.client.drop();
        await sleep(300);
        b.client.send("get_game", { gameId: b.view.gameId });
        const state = await b.client.next("game_state", (message) => message.seats.every((seat) => seat.state === "seated"));
        assert.equal(state.status, "playing");
        second.send("leave_game", { gameId: a.view.gameId });
        await b.client.next("game_over");
        await Promise.all([second, b.client].map((client) => client.close()));
    });
});

describe("coming back", { concurrency: 8, timeout: 120_000 }, () => {
    test("at the same edge what was missed is replayed in order", async () => {
        const [a, b] = await table({ rows: 4, cols: 8 }, [0, 0], [{ device: "d" }, {}]);
        const [away, here] = a.view.mine ? [b, a] : [a, b];
        const before = away.client.state;
        const seen = away.view.version;
        const device = away.client.connected.device;
        await away.client.drop();
        for (let i = 0; i < 2 && here.view.mine; i++) {
            const answer = await here.client.answer(here.client.flip(here.view.gameId, here.view.choose()));
            await here.client.until(() => here.view.version >= answer.version, "the move");
        }
        const back = await Client.connect(edges[0].ws, { ...away, device, resume: before, views: away.client.views });
        assert.equal(back.connected.resume, "replayed");
        assert.equal(back.connected.session, before.session);
        await back.until(() => away.view.version >= here.view.version, "what was missed");
        assert.ok(away.view.version > seen);
        assert.equal(away.view.states, 1, "no snapshot was needed");
        assert.equal(away.view.gaps, 0);
        sameOrder(away.view, here.view, assert);
        await leave(here);
        await Promise.all([back, here.client].map((client) => client.close()));
    });

    test("at the other edge the session goes on, with all that was missed", async () => {
        const [a, b] = await table({ rows: 8, cols: 4 }, [0, 1], [{ device: "d" }, {}]);
        const before = a.client.state;
        await a.client.drop();
        if (b.view.mine) assert.equal((await b.client.answer(b.client.flip(b.view.gameId, b.view.choose()))).type, "move_ok");
        const back = await Client.connect(edges[1].ws, { ...a, device: "d", resume: before, views: a.client.views });
        assert.equal(back.connected.resume, "replayed");
        assert.equal(back.connected.session, before.session);
        assert.equal(back.connected.edge, edges[1].id);
        await back.until(() => a.view.version >= b.view.version, "what was missed");
        assert.equal(a.view.gaps, 0);
        const known = new Map();
        await Promise.all([play(back, a.view, { known }), play(b.client, b.view, { known })]);
        assert.deepEqual(a.view.result, b.view.result);
        sameOrder(a.view, b.view, assert);
        await Promise.all([back, b.client].map((client) => client.close()));
    });

    test("a game is played on through drops at every few moves, from edge to edge", async () => {
        const [a, b] = await table({ rows: 4, cols: 6 }, [0, 0], [{ device: "walker" }, {}]);
        const known = new Map();
        const walker = async () => {
            for (let drops = 0; !a.view.over; drops++) {
                const from = a.view.version;
                await play(a.client, a.view, { known, stop: (view) => drops < 5 && view.version >= from + 4 });
                if (a.view.over) break;
                const resume = a.client.state;
                await a.client.drop();
                const at = (drops + 1) % 2;
                const { states } = a.view;
                a.client = await Client.connect(edges[at].ws, { ...a, device: "walker", resume, views: a.client.views });
                if (a.client.connected.resume !== "replayed") await a.client.until(() => a.view.states > states, "game_state");
            }
        };
        await Promise.all([walker(), play(b.client, b.view, { known })]);
        assert.equal(a.view.result.reason, "finished");
        assert.deepEqual(a.view.result, b.view.result);
        sameOrder(a.view, b.view, assert);
        await Promise.all([a.client, b.client].map((client) => client.close()));
    });

    test("a move whose answer was lost is answered as it was, at another edge", async () => {
        const [a, b] = await table({ rows: 9, cols: 4 });
        const [mover, other] = a.view.mine ? [a, b] : [b, a];
        const moveId = mover.client.flip(mover.view.gameId, 7);
        const answer = await mover.client.answer(moveId);
        await mover.client.drop();
        const back = await Client.connect(edges[mover === a ? 1 : 0].ws, { user: mover.user, token: mover.token });
        await back.next("game_state");
        back.flip(mover.view.gameId, 7, moveId);
        assert.deepEqual(await back.answer(moveId), answer);
        back.send("leave_game", { gameId: mover.view.gameId });
        await other.client.next("game_over");
        await Promise.all([back, other.client].map((client) => client.close()));
    });

    test("sessions that are nobody's, somebody else's or from another numbering are gone", async () => {
        const victim = await enter(0);
        const mine = await enter(0);
        const own = mine.state;
        await mine.drop();
        const cases = [
            { session: "us-east-1.nothing.0123456789abcdef", epoch: 1, offset: 0 },
            { session: "../../x", epoch: 1, offset: 0 },
            victim.state,
            { ...own, epoch: own.epoch + 7 },
            { ...own, offset: own.offset + 1000 },
        ];
        for (const [i, resume] of cases.entries()) {
            const client = await enter(0, i < 3 ? {} : { resume });
            if (i < 3) {
                client.send("resume", resume);
                client.connected = await client.next("connected");
            }
            assert.equal(client.connected.resume, "gone", JSON.stringify(resume));
            await client.settle();
            await client.close();
        }
        await victim.settle();
        await victim.close();
    });

    test("resume is only heard as the first message", async () => {
        const client = await enter(0);
        await client.settle();
        client.send("resume", client.state);
        const error = await client.next("error");
        assert.equal(error.code, "bad_field");
        await client.close();
    });

    test("acknowledged messages need not be replayed, and more than was sent cannot be acknowledged", async () => {
        const client = await enter(0);
        const view = await client.match({ rows: 2, cols: 7, bots: "now" });
        client.send("ack", { offset: client.offset });
        client.send("ack", { offset: 1 });
        await client.settle();
        assert.equal(client.unread.filter((message) => message.type === "error").length, 0);
        client.send("ack", { offset: client.offset + 100 });
        assert.equal((await client.next("error")).code, "bad_field");
        await leave({ client, view });
        await client.close();
    });
});

describe("tickets", { concurrency: 8, timeout: 120_000 }, () => {
    const lonely = { game: "memory", players: 4, rows: 10, cols: 9 };

    test("a second find_match from any device answers with the same ticket", async () => {
        const me = player();
        const one = await Client.connect(edges[0].ws, { ...me, device: "a" });
        const two = await Client.connect(edges[1].ws, { ...me, device: "b" });
        one.send("find_match", lonely);
        const ticket = await one.next("ticket");
        assert.equal(ticket.state, "waiting");
        one.send("find_match", { ...lonely, rows: 2 });
        assert.equal((await one.next("ticket", (m) => m.offset > ticket.offset)).ticketId, ticket.ticketId);
        await two.settle();
        two.send("find_match", lonely);
        assert.equal((await two.next("ticket")).ticketId, ticket.ticketId);
        // Any device may cancel; every device is told.
        two.send("cancel_match", { ticketId: ticket.ticketId });
        const cancelled = (message) => message.state === "cancelled";
        assert.equal((await two.next("ticket", cancelled)).ticketId, ticket.ticketId);
        assert.equal((await one.next("ticket", cancelled)).ticketId, ticket.ticketId);
        two.send("cancel_match", { ticketId: ticket.ticketId });
        assert.equal((await two.next("error")).code, "no_such_ticket");
        await Promise.all([one.close(), two.close()]);
    });

    test("explain_match tells why and what comes next", async () => {
        const client = await enter(0);
        client.send("find_match", { ...lonely, cols: 8, bots: "fill" });
        const { ticketId } = await client.next("ticket");
        await sleep(500);
        client.unread = [];
        client.send("explain_match", { ticketId });
        const told = await client.next("ticket");
        assert.equal(told.state, "waiting");
        assert.ok(told.reason.length > 5);
        assert.ok(told.nextStepAtMs > Date.now() - 1000 && told.nextStepAtMs < Date.now() + 60_000, `${told.nextStepAtMs - Date.now()}`);
        client.send("explain_match", { ticketId: "t-nothing" });
        assert.equal((await client.next("error")).code, "no_such_ticket");
        client.send("cancel_match", { ticketId });
        await client.next("ticket", (message) => message.state === "cancelled");
        await client.close();
    });

    test("a waiting ticket is told to who comes back", async () => {
        const me = player();
        const first = await Client.connect(edges[0].ws, { ...me, device: "a" });
        first.send("find_match", { ...lonely, cols: 6 });
        const { ticketId } = await first.next("ticket");
        await first.drop();
        for (const edge of [0, 1]) {
            const back = await Client.connect(edges[edge].ws, { ...me, device: `b${edge}` });
            assert.equal((await back.next("ticket")).ticketId, ticketId);
            if (edge === 1) {
                back.send("cancel_match", { ticketId });
                await back.next("ticket", (message) => message.state === "cancelled");
            }
            await back.close();
        }
    });

    test("who sits in a game cannot look for another, from any device", async () => {
        const [a, b] = await table({ rows: 9, cols: 2 });
        const second = await Client.connect(edges[1].ws, { ...a, device: "second" });
        await second.next("game_state");
        for (const client of [a.client, second]) {
            client.send("find_match", { game: "memory", bots: "now" });
            assert.equal((await client.next("error")).code, "already_in_game");
            assert.equal((await client.next("matched")).gameId, a.view.gameId);
            await client.next("game_state");
        }
        await leave(a);
        await b.client.next("game_over");
        await Promise.all([a.client, b.client, second].map((client) => client.close()));
    });
});

describe("tokens", { concurrency: 8, timeout: 120_000 }, () => {
    test("a token may come in the first message", async () => {
        const client = await enter(0, { first: true, device: "by-auth" });
        assert.equal(client.connected.device, "by-auth");
        await client.close();
    });

    test("a token near its end is warned about, and ends the connection half a minute after", async () => {
        const expires = Date.now() + 8000; // or up to a second earlier
        const client = await Client.connect(edges[0].ws, player(someUser(), { seconds: 8 }));
        const warning = await client.error("token_expiring");
        assert.ok(warning.message.length > 0);
        const end = await client.closed;
        assert.equal(end.code, 3001);
        const after = Date.now() - expires;
        assert.ok(after > 27_000 && after < 40_000, `closed ${after} ms after the end`);
    });

    test("a newer token on the live connection keeps it", async () => {
        const overAtMs = Date.now() + 8000 + 30_000; // the old token and its grace
        const me = player(someUser(), { seconds: 8 });
        const client = await Client.connect(edges[1].ws, me);
        await client.error("token_expiring");
        const { session } = client.connected;
        client.send("auth", { token: signToken(claimsOf("somebody-else")) });
        assert.equal((await client.next("error")).code, "already_authenticated");
        client.send("auth", { token: "no.token.atall" });
        assert.equal((await client.next("error")).code, "not_authenticated");
        client.send("auth", { token: signToken(claimsOf(me.user)) });
        assert.equal((await client.next("connected")).session, session);
        await sleep(overAtMs + 2000 - Date.now());
        assert.equal(client.end, undefined, "still there when the old token's grace is over");
        await client.settle();
        assert.equal(client.unread.filter((message) => message.type === "error").length, 0);
        await client.close();
    });

    test("an expired token is 3001, a bad one 3500, in the query and in auth", async () => {
        const expired = signToken(claimsOf(someUser(), { exp: nowS() - 60 }));
        for (const first of [false, true]) {
            assert.equal((await new Client(edges[0].ws, { token: expired, first }).closed).code, 3001);
            assert.equal((await new Client(edges[0].ws, { token: `${expired}x`, first }).closed).code, 3500);
        }
    });

    test("nothing but auth is heard before it, and it must come within ten seconds", async () => {
        const began = Date.now();
        const client = new Client(`${edges[0].ws}`, { token: "", first: true });
        client.socket.removeAllListeners("open");
        await new Promise((resolve) => client.socket.once("open", resolve));
        client.send("find_match", { game: "memory" });
        assert.equal((await client.next("error")).code, "not_authenticated");
        assert.equal((await client.closed).code, 3500);
        const after = Date.now() - began;
        assert.ok(after > 9000 && after < 20_000, `${after} ms`);
    });

    test("a guest's token is renewed for the same user", async () => {
        const first = await guest(edges[0].url, "Gus");
        const answer = await fetch(`${edges[1].url}/v1/guest`, { method: "POST", headers: { Authorization: `Bearer ${first.token}` } });
        const second = await answer.json();
        assert.equal(answer.status, 200);
        assert.equal(second.user, first.user);
        assert.ok(second.expiresAtMs >= first.expiresAtMs);
        const client = await Client.connect(edges[0].ws, second);
        assert.equal(client.connected.user, first.user);
        await client.close();
    });
});

describe("the rest of the player port", () => {
    test("regions are listed and signed", async () => {
        const answer = await fetch(`${edges[0].url}/v1/regions`);
        const list = await answer.json();
        assert.deepEqual(list.regions.map((one) => one.name), [region.name]);
        assert.deepEqual(list.regions[0].edges.map((edge) => edge.id).sort(), edges.map((edge) => edge.id).sort());
        for (const edge of list.regions[0].edges) assert.equal(edge.ws, edges.find((one) => one.id === edge.id).ws);
        assert.ok(list.expiresAtMs > Date.now());
        assert.match(answer.headers.get("meridian-signature"), /^[\w-]+\.\.[\w-]+$/);
    });

    test("ping answers 204, the page is there, the shared port plays", async () => {
        assert.equal((await fetch(`${edges[0].url}/v1/ping`)).status, 204);
        const page = await fetch(`${region.play.url}/`);
        assert.equal(page.status, 200);
        assert.match(page.headers.get("content-type"), /^text\/html/);
        const client = await Client.connect(region.play.ws, player());
        await client.settle();
        await client.close();
    });
});
