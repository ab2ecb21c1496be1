// SPDX-License-Identifier: Apache-2.0
// peer.mjs - a WebSocket client that can do what no library lets one do: every bit of every frame is the caller's, and bytes leave in pieces of
// any size. Received frames are checked to the letter (unmasked, shortest length, no reserved bits, whole control frames).
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';

export const CONT = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const PATIENCE_MS = 30000;

export class Mismatch extends Error {}

const shown = (b) => (b.length > 24 ? `${b.subarray(0, 24).toString('hex')}... (${b.length} bytes)` : b.toString('hex') || 'nothing');

// A frame as bytes. `len` declares another length than the payload has.
export function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, masked = true, len } = {}) {
  const data = Buffer.isBuffer(payload) ? payload : Buffer.from(payload, 'utf8');
  const n = len ?? BigInt(data.length);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (n < 126n) head.push(mask | Number(n));
  else if (n < 65536n) head.push(mask | 126, Number(n >> 8n), Number(n & 255n));
  else {
    head.push(mask | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((n >> shift) & 255n));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const key = randomBytes(4);
  const body = Buffer.from(data);
  for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from(head), key, body]);
}

export function closePayload(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.isBuffer(reason) ? reason : Buffer.from(reason, 'utf8')]);
}

export class Peer {
  #socket;
  #in = Buffer.alloc(0);
  #events = [];
  #waiting = null;
  strict = true;

  static async open(url) {
    const peer = new Peer();
    await peer.#connect(new URL(url));
    return peer;
  }

  async #connect(url) {
    const secure = url.protocol === 'wss:';
    const to = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || (secure ? 443 : 80)) };
    this.#socket = secure ? tls.connect({ ...to, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : net.connect(to);
    this.#socket.setNoDelay(true);
    await new Promise((done, fail) => this.#socket.once(secure ? 'secureConnect' : 'connect', done).once('error', fail));
    const key = randomBytes(16).toString('base64');
    this.#socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error('no answer to the handshake')), PATIENCE_MS);
      const onData = (chunk) => {
        this.#in = Buffer.concat([this.#in, chunk]);
        const end = this.#in.indexOf('\r\n\r\n');
        if (end < 0) return;
        clearTimeout(timer);
        this.#socket.off('data', onData).off('end', onEnd);
        const head = this.#in.subarray(0, end).toString('latin1');
        this.#in = this.#in.subarray(end + 4);
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        const fine = head.startsWith('HTTP/1.1 101 ') && new RegExp(`^sec-websocket-accept: ${accept.replace(/[+/]/g, '\\$&')}$`, 'im').test(head);
        if (fine) done();
        else fail(new Error(`not upgraded: ${head.split('\r\n')[0]}`));
      };
      const onEnd = () => fail(new Error('closed during the handshake'));
      this.#socket.on('data', onData).on('end', onEnd).once('error', fail);
    });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('end', () => this.#push({ kind: 'end' }));
    this.#socket.on('error', () => this.#push({ kind: 'end', reset: true }));
    this.#take(Buffer.alloc(0));
  }

  #push(event) {
    this.#events.push(event);
    this.#waiting?.();
  }

  #take(chunk) {
    this.#in = this.#in.length ? Buffer.concat([this.#in, chunk]) : chunk;
    for (;;) {
      const b = this.#in;
      if (b.length < 2) return;
      const short = b[1] & 127;
      const ext = short === 127 ? 8 : short === 126 ? 2 : 0;
      if (b.length < 2 + ext) return;
      const len = ext === 8 ? Number(b.readBigUInt64BE(2)) : ext === 2 ? b.readUInt16BE(2) : short;
      if (b.length < 2 + ext + len) return;
      const opcode = b[0] & 15;
      const control = opcode >= 8;
      let wrong = null;
      if (b[0] & 0x70) wrong = 'reserved bits';
      else if (b[1] & 0x80) wrong = 'a masked frame';
      else if ((ext === 2 && len < 126) || (ext === 8 && len < 65536)) wrong = 'a length that is not the shortest';
      else if (control && (len > 125 || !(b[0] & 0x80))) wrong = 'a bad control frame';
      else if (!(b[0] & 0x80) || ![TEXT, BINARY, CLOSE, PING, PONG].includes(opcode)) wrong = `an unexpected frame (opcode ${opcode})`;
      const data = b.subarray(2 + ext, 2 + ext + len);
      this.#in = b.subarray(2 + ext + len);
      if (wrong) this.#push({ kind: 'wrong', wrong });
      else if (!(opcode === PING && len === 0)) this.#push({ kind: 'frame', opcode, data }); // empty pings are the server's heartbeats
    }
  }

  async #next(patience = PATIENCE_MS) {
    if (this.#events.length === 0)
      await new Promise((done) => {
        const timer = setTimeout(done, patience);
        this.#waiting = () => (clearTimeout(timer), done());
      });
    this.#waiting = null;
    const event = this.#events.shift();
    if (event?.kind === 'wrong') throw new Mismatch(`received ${event.wrong}`);
    return event ?? null;
  }

  static #name(event) {
    if (!event) return 'nothing';
    if (event.kind === 'end') return event.reset ? 'a reset' : 'the end of the connection';
    const names = { [TEXT]: 'text', [BINARY]: 'binary', [CLOSE]: 'close', [PING]: 'ping', [PONG]: 'pong' };
    return `${names[event.opcode]} ${shown(event.data)}`;
  }

  // --- sending; nothing is waited for but the socket itself

  async write(bytes, chop = 0) {
    if (!chop) {
      this.#socket.write(bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; at += chop)
      await new Promise((done) => this.#socket.write(bytes.subarray(at, at + chop), () => setImmediate(done)));
  }

  // How frames leave: 'one' write, a write a 'frame', or a write an 'octet'.
  async send(frames, how = 'one') {
    if (how === 'one') await this.write(Buffer.concat(frames));
    else if (how === 'octet') await this.write(Buffer.concat(frames), 1);
    else for (const f of frames) await new Promise((done) => this.#socket.write(f, () => setTimeout(done, 2)));
  }

  // --- expecting

  async expect(opcode, payload) {
    const want = Buffer.isBuffer(payload) ? payload : Buffer.from(payload, 'utf8');
    const event = await this.#next();
    if (event?.kind !== 'frame' || event.opcode !== opcode || !event.data.equals(want))
      throw new Mismatch(`expected ${Peer.#name({ kind: 'frame', opcode, data: want })}, got ${Peer.#name(event)}`);
  }

  // Sent before the fault: strictly it is answered first; a server that fails at once is not wrong.
  async expectBeforeFault(opcode, payload) {
    const event = await this.#next();
    if (event) this.#events.unshift(event);
    if (event?.kind === 'frame' && event.opcode === CLOSE) this.strict = false;
    else await this.expect(opcode, payload);
  }

  async silence(ms) {
    const event = await this.#next(ms);
    if (event) throw new Mismatch(`expected silence, got ${Peer.#name(event)}`);
  }

  async end() {
    const event = await this.#next();
    if (event?.kind !== 'end') throw new Mismatch(`expected the end of the connection, got ${Peer.#name(event)}`);
  }

  // The server gives up the connection with one of these codes.
  async failed(...codes) {
    const event = await this.#next();
    const code = event?.kind === 'frame' && event.opcode === CLOSE && event.data.length >= 2 ? event.data.readUInt16BE(0) : null;
    if (!codes.includes(code)) throw new Mismatch(`expected close ${codes.join(' or ')}, got ${Peer.#name(event)}`);
    await this.end();
  }

  // Our close frame is answered by the same code, and the server ends the TCP connection first.
  async closes(payload, code) {
    await this.send([frame(CLOSE, payload)]);
    const event = await this.#next();
    if (event?.kind !== 'frame' || event.opcode !== CLOSE) throw new Mismatch(`expected a close frame, got ${Peer.#name(event)}`);
    const got = event.data.length >= 2 ? event.data.readUInt16BE(0) : null;
    if (got !== code) throw new Mismatch(`expected close ${code}, got ${got}`);
    await this.end();
  }

  async bye() {
    await this.closes(closePayload(1000), 1000);
  }

  // What comes next, whatever it is: for cases that only inform.
  async observe() {
    return Peer.#name(await this.#next(1000));
  }

  destroy() {
    this.#socket?.destroy();
  }
}
