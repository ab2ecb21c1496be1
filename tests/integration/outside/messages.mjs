// SPDX-License-Identifier: Apache-2.0
// What a message of the server may look like: the table of the protocol's page, read strictly. A client must ignore fields it does not
// know; this one is a test, so it complains about them.

const text = (v) => typeof v === "string";
const id = (v) => text(v) && v.length > 0;
const count = (v) => Number.isSafeInteger(v) && v >= 0;
const one = (...names) => (v) => names.includes(v);
const list = (item) => (v) => Array.isArray(v) && v.every(item);
const record = (needed, maybe = {}) => (v) =>
    v !== null && typeof v === "object" &&
    Object.keys(needed).every((name) => name in v) &&
    Object.entries(v).every(([name, value]) => (needed[name] ?? maybe[name])?.(value) ?? false);

const seats = one(0, 1, 2, 3);
const reasons = one("finished", "resigned", "abandoned", "expired");
const event = { gameId: id, version: count, seat: seats };
const result = { scores: list(count), winners: list(seats), reason: reasons };
const card = (v) => (v?.state === "down" ? record({ state: one("down") }) : record({ state: one("up", "taken"), face: count }))(v);
const player = record({ seat: seats, user: id, name: text, kind: one("human", "bot") });
const seat = record({ seat: seats, state: one("seated", "grace", "paused", "bot", "left") });
const pair = (v) => list(count)(v) && v.length === 2 && v[0] !== v[1];

const numbered = {
    ticket: [
        { ticketId: id, state: one("waiting", "matched", "cancelled", "expired") },
        { reason: text, nextStepAtMs: count, code: id, expiresAtMs: count, hosts: one(true, false) },
    ],
    matched: [{ gameId: id, seat: seats, players: list(player), region: id }],
    game_state: [
        { gameId: id, game: one("memory"), version: count, status: one("playing", "paused", "over"), rows: count, cols: count,
            cards: list(card), scores: list(count), seats: list(seat) },
        { turn: seats, deadlineAtMs: count, result: record(result) },
    ],
    card_flipped: [{ ...event, card: count, face: count }],
    pair_found: [{ ...event, cards: pair, scores: list(count) }],
    pair_missed: [{ ...event, cards: pair, scores: list(count) }],
    turn_changed: [{ ...event, deadlineAtMs: count }],
    player_dropped: [event],
    player_reconnected: [event],
    seat_taken_over: [event],
    seat_handed_back: [event],
    seat_left: [event],
    game_paused: [{ gameId: id, version: count, reason: one("player", "storage", "link") }, { untilMs: count }],
    game_resumed: [{ gameId: id, version: count, deadlineAtMs: count }],
    game_over: [{ gameId: id, version: count, ...result }],
    message: [{ seq: count, from: id, fromName: text, fromRegion: id, messageId: id, text: id, sentAtMs: count, settledSeq: count }],
    game_result: [{
        seq: count, gameId: id, seat: count, players: list(record({ seat: count, user: id, name: text, kind: one("human", "bot") })), scores: list(count),
        winners: list(count), reason: text, endedAtMs: count, settledSeq: count,
    }],
    message_undelivered: [{ seq: count, messageId: id, to: id, region: id, settledSeq: count }],
};

const codes = one("bad_json", "unknown_type", "bad_field", "not_authenticated", "already_authenticated", "token_expiring", "no_such_game",
    "not_your_turn", "illegal_move", "game_over", "already_in_game", "move_conflict", "no_such_ticket", "rate_limited", "try_again",
    "overloaded", "internal", "bad_code");

const unnumbered = {
    connected: [
        { session: id, epoch: count, offset: count, user: id, device: id, region: id, edge: id, heartbeatMs: count },
        { resume: one("replayed", "snapshot", "gone"), reason: id },
    ],
    move_ok: [{ gameId: id, moveId: id, version: count }],
    message_ok: [{ messageId: id, to: id }],
    presence: [{ user: id, region: id, online: (v) => typeof v === "boolean" }],
    error: [{ code: codes, message: id }, { re: id, retryAfterMs: count }],
    server_maintenance: [{ reconnectDelayMs: count }, { edge: id }],
    batch: [{ messages: list((m) => problemOf(m) === null) }],
    pong: [{ atMs: count }],
};

export const isNumbered = (type) => type in numbered;

// What is wrong with a message, or null.
export function problemOf(message) {
    const shape = numbered[message.type] ?? unnumbered[message.type];
    if (shape === undefined) return "an unknown type";
    const [needed, maybe] = shape;
    const head = { type: text, ...(isNumbered(message.type) ? { offset: count } : {}) };
    for (const name of Object.keys({ ...head, ...needed })) if (!(name in message)) return `${name} is missing`;
    for (const [name, value] of Object.entries(message)) {
        const check = head[name] ?? needed[name] ?? maybe?.[name];
        if (check === undefined) return `${name} does not belong there`;
        if (!check(value)) return `${name} is ${JSON.stringify(value)}`;
    }
    if (message.type === "game_state") {
        const playing = message.status === "playing";
        if (("turn" in message) !== playing && message.status === "over") return "turn after the end";
        if (playing && !("turn" in message && "deadlineAtMs" in message)) return "no turn while playing";
        if (("result" in message) !== (message.status === "over")) return "result and status disagree";
        if (message.cards.length !== message.rows * message.cols) return "not as many cards as the board has";
    }
    return null;
}
