// SPDX-License-Identifier: Apache-2.0
// Player ports that answer GET /v1/ping, in a process of their own: who tests waits for dig, and meanwhile gdnsd must find them alive.
// Over IPC: {open: [address]} or {close: [address]}, answered by "done".
import { createServer } from "node:http";

const port = Number(process.argv[2]);
const servers = new Map();
const open = (address) => new Promise((resolve) => {
    const server = createServer((request, response) => response.writeHead(request.url === "/v1/ping" ? 204 : 404).end());
    servers.set(address, server);
    server.listen(port, address, resolve);
});
const close = (address) => new Promise((resolve) => {
    servers.get(address).closeAllConnections();
    servers.get(address).close(resolve);
});
process.on("message", async (message) => {
    await Promise.all([...(message.open ?? []).map(open), ...(message.close ?? []).map(close)]);
    process.send("done");
});
process.on("disconnect", () => process.exit());
