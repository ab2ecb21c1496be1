// SPDX-License-Identifier: Apache-2.0
// Forwarders from addresses of regions to one real edge, in a process of their own: who tests waits for dig, and meanwhile gdnsd must find
// them alive. Over IPC: {open: [address]}, {close: [address]} or {hang: [address]} (takes connections and says nothing), answered by "done".
import { connect, createServer } from "node:net";

const [port, to] = process.argv.slice(2).map(Number);
const servers = new Map();
const hanging = new Set();
const open = (address) => new Promise((resolve) => {
    const server = createServer((from) => {
        server.sockets.add(from);
        from.on("close", () => server.sockets.delete(from));
        from.on("error", () => from.destroy());
        if (hanging.has(address)) return;
        const edge = connect(to, "127.0.0.1");
        edge.on("error", () => from.destroy());
        from.on("close", () => edge.destroy());
        edge.on("close", () => from.end());
        from.pipe(edge);
        edge.pipe(from);
    });
    server.sockets = new Set();
    servers.set(address, server);
    server.listen(port, address, resolve);
});
const close = (address) => new Promise((resolve) => {
    hanging.delete(address);
    for (const socket of servers.get(address).sockets) socket.destroy();
    servers.get(address).close(resolve);
});
const hang = (address) => {
    hanging.add(address);
    for (const socket of servers.get(address).sockets) socket.unpipe();
};
process.on("message", async (message) => {
    await Promise.all([...(message.open ?? []).map(open), ...(message.close ?? []).map(close), ...(message.hang ?? []).map(hang)]);
    process.send("done");
});
process.on("disconnect", () => process.exit());
