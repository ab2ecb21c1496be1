// SPDX-License-Identifier: Apache-2.0
// Packets to and fro, run where a region lives.
//   echo.mjs serve ADDRESS PORT          sends every datagram back; says "ready"
//   echo.mjs ask ADDRESS PORT COUNT      so many datagrams, a millisecond apart; then {"times": [ms, ...] of those that came back, "twice"}
import { createSocket } from "node:dgram";

const [what, address, port, count] = process.argv.slice(2);
const socket = createSocket("udp4");
if (what === "serve") {
    socket.on("message", (data, from) => socket.send(data, from.port, from.address));
    socket.bind(Number(port), address, () => console.log("ready"));
} else {
    const sent = [];
    const times = new Map();
    let twice = 0;
    socket.on("message", (data) => {
        const i = data.readUInt32BE();
        if (times.has(i)) twice++;
        else times.set(i, performance.now() - sent[i]);
    });
    const data = (i) => Buffer.from(Uint32Array.of(i).buffer).swap32();
    for (let i = 0; i < Number(count); i++) {
        sent[i] = performance.now();
        socket.send(data(i), Number(port), address);
        await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.log(JSON.stringify({ times: [...times.values()], twice }));
    socket.close();
}
