// Two requests to the function, and between them a freeze, as Lambda freezes an environment: nothing runs, and what
// happens to its connections meanwhile it hears when the next request is there already. `node frozen.mjs <bundle> <file>`;
// it thaws when the file exists.

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [bundle, thaw] = process.argv.slice(2);
const { handler } = await import(pathToFileURL(bundle).href);
const event = { routeKey: "GET /health", requestContext: { http: { method: "GET", path: "/health" } } };
const context = { getRemainingTimeInMillis: () => 25_000 };

await handler(event, context);
while (!existsSync(thaw)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
await handler(event, context);
process.exit();
