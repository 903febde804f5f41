/** Over TCP with verified TLS: node-postgres, with a pool of one, for RDS Proxy and for any PostgreSQL by its URL. */

import type { EventEmitter } from "node:events";
import { Socket } from "node:net";

import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";

import { PrismaClient } from "./generated/client.ts";
import { InvalidSettings } from "./settings.ts";
import { type Link, type Meter, Transports } from "./transports.ts";

const UTC = /^(Etc\/)?(UTC|UCT|GMT|Greenwich|Universal|Zulu)$/;

/** Where to connect; `password` is asked for each connection. */
export type Endpoint = { host: string; port: number; user: string; database: string; password: () => Promise<string> };

/** A client with a pool of one: an execution environment answers one request at a time. */
export function overTcp(endpoint: Endpoint, connectTimeout: number, meter: Meter): Link {
  const transports = new Transports();
  const pool = new pg.Pool({
    ...endpoint,
    Client: InUtc,
    // `host` for the name that the certificate must have: node-postgres does not say it where it is an address.
    ssl: { rejectUnauthorized: true, ...({ host: endpoint.host } as object) },
    stream: () => tracked(new Socket(), transports),
    max: 1,
    idleTimeoutMillis: 0, // no timer: it would fire after a freeze, in the middle of a request
    connectionTimeoutMillis: connectTimeout,
    // No `options`, no SET, no named statement: each would pin the connection at RDS Proxy.
  });
  pool.on("connect", () => {
    transports.ready();
    meter.connected();
  });
  return { client: new PrismaClient({ adapter: new PrismaPg(pool) }), transports };
}

/** A client that leaves a database with another TimeZone: Prisma sends and reads times without their zone. */
class InUtc extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const { connection } = this as unknown as { connection: { on: EventEmitter["on"]; stream: Socket } };
    // The server says it at login, unasked.
    connection.on("parameterStatus", ({ parameterName, parameterValue }) => {
      if (parameterName !== "TimeZone" || UTC.test(parameterValue)) return;
      const problem = `the database's TimeZone is ${parameterValue}, and Prisma would store wrong times: set it to UTC`;
      connection.stream.destroy(new InvalidSettings(problem));
    });
  }
}

/** The endpoint that a URL names: postgresql://user:password@host:port/database. */
export function endpointOf(url: string): Endpoint {
  const { hostname, port, username, password, pathname } = new URL(url);
  const [user, secret, database] = [username, password, pathname.slice(1)].map(decodeURIComponent) as [string, string, string];
  return { host: hostname, port: Number(port || 5432), user, database, password: async () => secret };
}

function tracked(socket: Socket, transports: Transports): Socket {
  socket.once("close", transports.opened(() => socket.destroy()));
  return socket;
}
