// What stands behind an Accelerate URL: Prisma's own executor of query plans, before a PostgreSQL. Like the hosted
// service it wants an API key; unlike it, it keeps no cache.

import { readFileSync } from "node:fs";
import https from "node:https";

import { listen, need, options } from "./counterpart.mjs";

const { context } = need("@opentelemetry/api");
const { AsyncLocalStorageContextManager } = need("@opentelemetry/context-async-hooks");
context.setGlobalContextManager(new AsyncLocalStorageContextManager()); // it keeps its logger there

const { Server, Temporal, createConsoleLogger, withActiveLogger } = need("@prisma/query-plan-executor");
const logger = createConsoleLogger("json", "off");
const executor = await withActiveLogger(logger, () =>
  Server.create({
    databaseUrl: options.upstream,
    queryTimeout: Temporal.Duration.from({ seconds: 10 }),
    maxTransactionTimeout: Temporal.Duration.from({ seconds: 15 }),
    maxTransactionWaitTime: Temporal.Duration.from({ seconds: 5 }),
    maxResponseSize: 5 * 1024 * 1024,
    perRequestLogContext: { logFormat: "json", logLevel: "off" },
  }),
);

async function answer(request) {
  if (request.headers.authorization !== `Bearer ${options.apiKey}`) {
    return new Response(JSON.stringify({ code: "P6002", message: "the API key is wrong" }), { status: 401 });
  }
  const body = ["GET", "HEAD"].includes(request.method) ? undefined : (await Array.fromAsync(request)).join("");
  const { method, headers } = request;
  return executor.fetch(new Request(`https://executor${request.url}`, { method, headers, body }));
}

const tls = { cert: readFileSync(options.certificate), key: readFileSync(options.key) };
listen(
  https.createServer(tls, async (request, response) => {
    const { status, headers, body } = await answer(request);
    response.writeHead(status, Object.fromEntries(headers));
    for await (const chunk of body ?? []) response.write(chunk);
    response.end();
  }),
);
