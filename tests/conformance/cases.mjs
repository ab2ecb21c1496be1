// SPDX-License-Identifier: Apache-2.0
// cases.mjs - the cases, numbered as in the Autobahn suite: groups 1 to 7 and 10 (247), then sizes (group 9) and what the suite leaves out.
// A case is [number, title, async (peer, {cap}) => ...]; it throws Mismatch when the server is wrong. The server echoes messages.
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, closePayload, frame } from './peer.mjs';
import { KOSME, sequences } from './utf8.mjs';

const hex = (text) => Buffer.from(text, 'hex');
const stars = (n) => Buffer.alloc(n, '*');
const octets = (n) => Buffer.alloc(n, 0xfe);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const begin = (opcode, data) => frame(opcode, data, { fin: false });
const more = (data) => frame(CONT, data, { fin: false });
const last = (data) => frame(CONT, data);
const HELLO = 'Hello-µ@ßöäüàá-UTF-8!!';

const cases = [];
const add = (number, title, run) => cases.push({ number, title, run });

function echoes(number, opcode, data, chop) {
  add(number, `${opcode === TEXT ? 'text' : 'binary'} of ${data.length} bytes${chop ? ` in writes of ${chop}` : ''}`, async (p) => {
    await p.write(frame(opcode, data), chop);
    await p.expect(opcode, data);
    await p.bye();
  });
}

const sizes = [0, 125, 126, 127, 128, 65535, 65536];
sizes.forEach((n, i) => echoes(`1.1.${i + 1}`, TEXT, stars(n)));
echoes('1.1.8', TEXT, stars(65536), 997);
sizes.forEach((n, i) => echoes(`1.2.${i + 1}`, BINARY, octets(n)));
echoes('1.2.8', BINARY, octets(65536), 997);

function pings(number, title, payloads, chop) {
  add(number, title, async (p) => {
    for (const data of payloads) await p.write(frame(PING, data), chop);
    for (const data of payloads) await p.expect(PONG, data);
    await p.bye();
  });
}
const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
pings('2.1', 'ping without payload', ['']);
pings('2.2', 'ping with text', ['Hello, world!']);
pings('2.3', 'ping with bytes that are no text', [hex('00fffefdfcfb00ff')]);
pings('2.4', 'ping of 125 bytes', [octets(125)]);
add('2.5', 'ping of 126 bytes', async (p) => {
  await p.send([frame(PING, octets(126))]);
  await p.failed(1002);
});
pings('2.6', 'ping of 125 bytes octet by octet', [octets(125)], 1);
[['2.7', ''], ['2.8', 'unsolicited pong payload']].forEach(([number, data]) =>
  add(number, `pong nobody asked for${data && ', with payload'}`, async (p) => {
    await p.send([frame(PONG, data)]);
    await p.silence(300);
    await p.bye();
  }),
);
add('2.9', 'pong nobody asked for, then ping', async (p) => {
  await p.send([frame(PONG, 'unsolicited pong payload'), frame(PING, 'ping payload')]);
  await p.expect(PONG, 'ping payload');
  await p.bye();
});
pings('2.10', 'ten pings', ten);
pings('2.11', 'ten pings octet by octet', ten, 1);

// A bad frame on its own, or after a message that must be answered first.
function bad(number, title, make, { after = false, how = 'one' } = {}) {
  add(number, title, async (p) => {
    await p.send(after ? [frame(TEXT, 'Hello, world!'), make(), frame(PING)] : [make()], how);
    if (after) await p.expectBeforeFault(TEXT, 'Hello, world!');
    await p.failed(1002);
  });
}
bad('3.1', 'text with RSV 1', () => frame(TEXT, 'Hello, world!', { rsv: 1 }));
bad('3.2', 'text, text with RSV 2', () => frame(TEXT, 'Hello, world!', { rsv: 2 }), { after: true });
bad('3.3', 'text, text with RSV 3, frame by frame', () => frame(TEXT, 'Hello, world!', { rsv: 3 }), { after: true, how: 'frame' });
bad('3.4', 'text, text with RSV 4, octet by octet', () => frame(TEXT, 'Hello, world!', { rsv: 4 }), { after: true, how: 'octet' });
bad('3.5', 'binary with RSV 5', () => frame(BINARY, octets(8), { rsv: 5 }));
bad('3.6', 'ping with RSV 6', () => frame(PING, 'Hello, world!', { rsv: 6 }));
bad('3.7', 'close with RSV 7', () => frame(CLOSE, '', { rsv: 7 }));
[[1, 3], [2, 11]].forEach(([group, first]) => {
  const at = (i) => `4.${group}.${i + 1}`;
  const data = ['', 'reserved opcode payload', '', 'reserved opcode payload', 'reserved opcode payload'];
  data.forEach((payload, i) => bad(at(i), `reserved opcode ${first + i}`, () => frame(first + i, payload), { after: i > 1, how: i === 4 ? 'octet' : 'one' }));
});

const manners = ['one', 'frame', 'octet'];
const both = ['fragment1', 'fragment2'];
bad('5.1', 'ping in two fragments', () => Buffer.concat([begin(PING, both[0]), last(both[1])]));
bad('5.2', 'pong in two fragments', () => Buffer.concat([begin(PONG, both[0]), last(both[1])]));
manners.forEach((how, i) =>
  add(`5.${3 + i}`, `text in two fragments, by ${how}`, async (p) => {
    await p.send([begin(TEXT, both[0]), last(both[1])], how);
    await p.expect(TEXT, both.join(''));
    await p.bye();
  }),
);
manners.forEach((how, i) =>
  add(`5.${6 + i}`, `text in two fragments with a ping between, by ${how}`, async (p) => {
    await p.send([begin(TEXT, both[0]), frame(PING, 'ping payload'), last(both[1])], how);
    await p.expect(PONG, 'ping payload');
    await p.expect(TEXT, both.join(''));
    await p.bye();
  }),
);
[true, false].forEach((fin, k) =>
  manners.forEach((how, i) =>
    add(`5.${9 + 3 * k + i}`, `continuation of nothing (FIN ${fin}), then text, by ${how}`, async (p) => {
      await p.send([frame(CONT, 'non-continuation payload', { fin }), frame(TEXT, 'Hello, world!')], how);
      await p.failed(1002);
    }),
  ),
);
add('5.15', 'text in two fragments, continuation of nothing, text', async (p) => {
  await p.send([begin(TEXT, both[0]), last(both[1]), more('fragment3'), frame(TEXT, 'fragment4')]);
  await p.expectBeforeFault(TEXT, both.join(''));
  await p.failed(1002);
});
[false, true].forEach((fin, i) =>
  add(`5.${16 + i}`, `twice: continuation of nothing (FIN ${fin}), then text that ends it`, async (p) => {
    await p.send([1, 2].flatMap(() => [frame(CONT, 'fragment1', { fin }), begin(TEXT, 'fragment2'), last('fragment3')]));
    await p.failed(1002);
  }),
);
add('5.18', 'text in two fragments, the second called text too', async (p) => {
  await p.send([begin(TEXT, both[0]), frame(TEXT, both[1])]);
  await p.failed(1002);
});
['one', 'frame'].forEach((how, i) =>
  add(`5.${19 + i}`, `text in five fragments with two pings and a pause, by ${how}`, async (p) => {
    await p.send([begin(TEXT, 'fragment1'), more('fragment2'), frame(PING, 'pongme 1!')], how);
    await sleep(1000);
    await p.expect(PONG, 'pongme 1!');
    await p.send([more('fragment3'), more('fragment4'), frame(PING, 'pongme 2!'), last('fragment5')], how);
    await p.expect(PONG, 'pongme 2!');
    await p.expect(TEXT, 'fragment1fragment2fragment3fragment4fragment5');
    await p.bye();
  }),
);

function pieces(number, title, parts) {
  add(number, title, async (p) => {
    const frames = parts.map((part, i) => frame(i ? CONT : TEXT, part, { fin: i === parts.length - 1 }));
    await p.send(frames);
    await p.expect(TEXT, Buffer.concat(parts.map((part) => Buffer.from(part))));
    await p.bye();
  });
}
const singles = (data) => Array.from(data, (b) => Buffer.from([b]));
pieces('6.1.1', 'empty text', ['']);
pieces('6.1.2', 'text of three empty fragments', ['', '', '']);
pieces('6.1.3', 'text of three fragments, only the middle one not empty', ['', 'middle frame payload', '']);
pieces('6.2.1', 'valid text', [HELLO]);
pieces('6.2.2', 'valid text in two fragments', ['Hello-µ@ßöä', 'üàá-UTF-8!!']);
pieces('6.2.3', 'valid text in fragments of an octet', singles(Buffer.from(HELLO)));
pieces('6.2.4', 'valid text of two-octet characters in fragments of an octet', singles(hex(KOSME)));

const surrogate = hex(`${KOSME}eda080656469746564`); // kosme, U+D800, "edited"
add('6.3.1', 'invalid text', async (p) => {
  await p.send([frame(TEXT, surrogate)]);
  await p.failed(1007);
});
add('6.3.2', 'invalid text in fragments of an octet', async (p) => {
  const parts = singles(surrogate);
  await p.send(parts.map((part, i) => frame(i ? CONT : TEXT, part, { fin: i === parts.length - 1 })));
  await p.failed(1007);
});

// Must fail before the rest is sent. The parts: valid so far, what makes it wrong (a character beyond U+10FFFF whole, or only its second
// octet, which suffices), the rest, which never has to be sent.
[
  [KOSME, 'f4908080', '656469746564'],
  [`${KOSME}f4`, '90', '8080656469746564'],
].forEach((parts, i) => {
  const [valid, wrong, rest] = parts.map(hex);
  add(`6.4.${i + 1}`, 'invalid text in fragments is refused at the first bad octet', async (p) => {
    await p.send([begin(TEXT, valid)]);
    await p.silence(200);
    await p.send([more(wrong)]);
    await p.failed(1007);
  });
  add(`6.4.${i + 3}`, 'invalid text inside a frame is refused at the first bad octet', async (p) => {
    const whole = frame(TEXT, Buffer.concat([valid, wrong, rest]));
    const cut = whole.length - wrong.length - rest.length;
    await p.write(whole.subarray(0, cut));
    await p.silence(200);
    await p.write(whole.subarray(cut, cut + wrong.length));
    await p.failed(1007);
  });
});
for (const [group, title, rows] of sequences)
  rows.forEach(([valid, data], i) =>
    add(`6.${group}.${i + 1}`, `${title}: ${data}`, async (p) => {
      await p.send([frame(TEXT, hex(data))]);
      if (!valid) return p.failed(1007);
      await p.expect(TEXT, hex(data));
      await p.bye();
    }),
  );

add('7.1.1', 'a message, then close', async (p) => {
  await p.send([frame(TEXT, 'Hello World!')]);
  await p.expect(TEXT, 'Hello World!');
  await p.bye();
});
const afterClose = [
  ['7.1.2', 'close twice', () => [frame(CLOSE, closePayload(1000))]],
  ['7.1.3', 'a ping after close', () => [frame(PING)]],
  ['7.1.4', 'text after close', () => [frame(TEXT, 'Hello World!')]],
];
afterClose.forEach(([number, title, rest]) =>
  add(number, title, async (p) => {
    await p.send([frame(CLOSE, closePayload(1000)), ...rest()]);
    await p.expect(CLOSE, closePayload(1000));
    await p.end();
  }),
);
add('7.1.5', 'a fragment, close, the other fragment', async (p) => {
  await p.send([begin(TEXT, both[0]), frame(CLOSE, closePayload(1000)), last(both[1])]);
  await p.expect(CLOSE, closePayload(1000));
  await p.end();
});
add('7.1.6', '256 KiB, text, close, ping', async (p) => {
  const large = stars(256 * 1024);
  await p.send([frame(TEXT, large), frame(TEXT, 'Hello World!'), frame(CLOSE, closePayload(1000)), frame(PING)]);
  await p.expectBeforeFault(TEXT, large);
  await p.expectBeforeFault(TEXT, 'Hello World!');
  await p.expect(CLOSE, closePayload(1000));
  await p.end();
});
add('7.3.1', 'close without payload', (p) => p.closes('', null));
add('7.3.2', 'close with a payload of one byte', async (p) => {
  await p.send([frame(CLOSE, 'a')]);
  await p.failed(1002);
});
add('7.3.3', 'close with a code', (p) => p.closes(closePayload(1000), 1000));
add('7.3.4', 'close with a code and a reason', (p) => p.closes(closePayload(1000, 'Hello World!'), 1000));
add('7.3.5', 'close with the longest reason', (p) => p.closes(closePayload(1000, stars(123)), 1000));
add('7.3.6', 'close with a reason one too long', async (p) => {
  await p.send([frame(CLOSE, closePayload(1000, stars(124)))]);
  await p.failed(1002);
});
add('7.5.1', 'close with a reason that is no text', async (p) => {
  await p.send([frame(CLOSE, closePayload(1000, surrogate))]);
  await p.failed(1007);
});
const goodCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
goodCodes.forEach((code, i) => add(`7.7.${i + 1}`, `close ${code}`, (p) => p.closes(closePayload(code), code)));
const badClose = (number, code) =>
  add(number, `close ${code}`, async (p) => {
    await p.send([frame(CLOSE, closePayload(code))]);
    await p.failed(1002);
  });
[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].forEach((code, i) => badClose(`7.9.${i + 1}`, code));
[5000, 65535].forEach((code, i) => badClose(`7.13.${i + 1}`, code)); // the suite only informs here; RFC 6455 7.4.2 leaves no such code

add('10.1.1', '65536 bytes in fragments of 1300', async (p) => {
  const data = stars(65536);
  const frames = [];
  for (let at = 0; at < data.length; at += 1300)
    frames.push(frame(at ? CONT : TEXT, data.subarray(at, at + 1300), { fin: at + 1300 >= data.length }));
  await p.send(frames);
  await p.expect(TEXT, data);
  await p.bye();
});
export const suite = cases.length;

// Group 9 asks for up to 16 MiB; a server with a cap echoes up to it and refuses what is larger by the header alone.
[64, 256, 1024, 4096, 8192, 16384].forEach((kib, i) =>
  [TEXT, BINARY].forEach((opcode) =>
    add(`9.${opcode}.${i + 1}`, `${opcode === TEXT ? 'text' : 'binary'} of ${kib} KiB`, async (p, { cap }) => {
      const data = stars(Math.min(kib * 1024, cap + 1));
      const over = kib * 1024 > cap;
      await p.write(over ? frame(opcode, stars(64), { len: BigInt(kib * 1024) }) : frame(opcode, data));
      if (over) return p.failed(1009);
      await p.expect(opcode, data);
      await p.bye();
    }),
  ),
);
const declared = (number, len) =>
  add(number, `a frame that declares ${len} bytes`, async (p) => {
    await p.write(frame(BINARY, stars(16), { len }));
    await p.failed(1009);
  });
declared('size.1', (1n << 31n) - 1n);
declared('size.2', (1n << 63n) - 1n);
add('size.3', 'a frame whose length has its top bit set', async (p) => {
  await p.write(frame(BINARY, stars(16), { len: 1n << 63n }));
  await p.failed(1002);
});
add('size.4', 'fragments that together are one byte over the cap', async (p, { cap }) => {
  await p.send([begin(BINARY, stars(cap)), last(stars(1))]);
  await p.failed(1009);
});
add('size.5', 'exactly the cap', async (p, { cap }) => {
  await p.send([frame(BINARY, octets(cap))]);
  await p.expect(BINARY, octets(cap));
  await p.bye();
});
bad('mask.1', 'an unmasked frame', () => frame(TEXT, 'Hello, world!', { masked: false }));
bad('mask.2', 'text, an unmasked frame', () => frame(TEXT, 'Hello, world!', { masked: false }), { after: true });
const padded = (head, n) => Buffer.concat([Buffer.from(head), Buffer.from([0, 0, 0, 0]), stars(n)]);
bad('length.1', '5 bytes with a length of 16 bits', () => padded([0x81, 0xfe, 0, 5], 5));
bad('length.2', '300 bytes with a length of 64 bits', () => padded([0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 44], 300));
[1012, 1013, 1014].forEach((code, i) => add(`code.${i + 1}`, `close ${code}, registered after the suite`, (p) => p.closes(closePayload(code), code)));
badClose('code.4', 1015);

export default cases;
