// What the counterparts have in common: a line of JSON that configures them, TLS, and a line that says that they listen.

import { createRequire } from "node:module";
import path from "node:path";

/** What was given as the one argument; `packages` is the folder whose node_modules has the packages. */
export const options = JSON.parse(process.argv[2]);

/** A package from there: nothing is installed beside this file. */
export const need = createRequire(path.resolve(options.packages, "package.json"));

/** Listen on loopback, on `options.port` or any, and say where. */
export function listen(server) {
  server.listen(options.port ?? 0, "127.0.0.1", () => {
    process.stdout.write(`${JSON.stringify({ ready: true, port: server.address().port })}\n`);
  });
}
