// What stands at a Neon endpoint for drivers that speak PostgreSQL over a WebSocket: each message's bytes go to PostgreSQL
// as they are, and PostgreSQL's come back as messages.

import { readFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";

import { listen, need, options } from "./counterpart.mjs";

const { WebSocketServer } = need("ws");
const server = https.createServer({ cert: readFileSync(options.certificate), key: readFileSync(options.key) });

new WebSocketServer({ server, path: "/v2" }).on("connection", (client) => {
  const upstream = net.connect(options.upstream);
  client.on("message", (bytes) => upstream.write(bytes));
  client.on("close", () => upstream.destroy());
  client.on("error", () => upstream.destroy());
  upstream.on("data", (bytes) => client.send(bytes));
  upstream.on("close", () => client.close());
  upstream.on("error", () => client.close());
});

listen(server);
