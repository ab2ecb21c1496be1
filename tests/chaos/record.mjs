// SPDX-License-Identifier: Apache-2.0
// What the judge needs of a stored game (infra/proto/meridian/state/v1, GameRecord): read from the bytes, without the product's code.
function* fields(data) {
    let at = 0;
    const varint = () => {
        let value = 0n;
        for (let shift = 0n; ; shift += 7n) {
            const byte = data[at++];
            if (byte === undefined) throw new Error("a record that ends too early");
            value |= BigInt(byte & 127) << shift;
            if (byte < 128) return Number(value);
        }
    };
    while (at < data.length) {
        const tag = varint();
        const number = tag >>> 3;
        switch (tag & 7) {
        case 0: yield [number, varint()]; break;
        case 1: at += 8; break;
        case 2: {
            const length = varint();
            yield [number, data.subarray(at, at + length)];
            at += length;
            break;
        }
        case 5: at += 4; break;
        default: throw new Error(`wire type ${tag & 7} in a record`);
        }
    }
}

function answeredMove(data) {
    const move = {};
    for (const [number, value] of fields(data)) {
        if (number === 1) move.id = value.toString();
        if (number === 2) move.v = value;
    }
    return move;
}

function seat(data) {
    const s = { user: "", bot: false, answered: [] };
    for (const [number, value] of fields(data)) {
        if (number === 1) s.user = value.toString();
        if (number === 3) s.bot = value === 2;
        if (number === 6) s.answered.push(answeredMove(value));
    }
    return s;
}

// {version, over, reason, seats: [{user, bot, answered: [{id, v}]}]}
export function readRecord(data) {
    const game = { version: 0, over: false, seats: [] };
    for (const [number, value] of fields(data)) {
        if (number === 3) game.version = value;
        if (number === 4) game.seats.push(seat(value));
        if (number === 7) game.over = value !== 0;
        if (number === 8) game.reason = value;
    }
    return game;
}
