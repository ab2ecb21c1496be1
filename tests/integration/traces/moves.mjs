// SPDX-License-Identifier: Apache-2.0
// Moves under a trace of the player's own.
import { randomBytes, randomUUID } from "node:crypto";

export const BOARD = { game: "memory", rows: 10, cols: 10 }; // nobody finishes it before the other has had a turn

// {trace, parent, answer}
export async function move(client, view, card = view.choose(view.faces), more = {}) {
    const [trace, parent, moveId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex"), randomUUID()];
    client.send("move", { gameId: view.gameId, moveId, flip: { card }, traceparent: `00-${trace}-${parent}-00`, ...more });
    return { trace, parent, answer: await client.answer(moveId, 60_000) };
}

// A find_match under a trace of the player's own: {trace, parent}.
export function find(client, options) {
    const [trace, parent] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
    client.send("find_match", { game: "memory", ...options, traceparent: `00-${trace}-${parent}-00` });
    return { trace, parent };
}

// people: [{client}], each connected; they meet by a code: [{client, view, found: find's}].
export async function meet(people, board = BOARD) {
    people[0].found = find(people[0].client, { ...board, invite: true });
    const { code } = await people[0].client.next("ticket");
    people[1].found = find(people[1].client, { code });
    for (const one of people) one.view = await one.client.matched();
    return people;
}

// Plays on until it is the turn of one of whom `who` is true.
export async function turn(people, who) {
    for (;;) {
        await Promise.race(people.map((one) => one.client.until(() => one.view.mine, "a turn", 60_000)));
        const mover = people.find((one) => one.view.mine);
        if (who(mover)) return mover;
        const { answer } = await move(mover.client, mover.view);
        await Promise.all(people.map((one) => one.client.until(() => one.view.version >= answer.version, "the move", 60_000)));
    }
}
