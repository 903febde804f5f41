// The SQL that would make what schema.prisma describes: `node ddl.mjs <folder of node_modules> <schema.prisma>
// <folder of PostgreSQL's socket> <user> <database>`. By the WebAssembly build of Prisma's schema engine: nothing is
// downloaded.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packages, schema, host, user, database] = process.argv.slice(2);
const need = createRequire(path.resolve(packages, "package.json"));
const engine = path.dirname(need.resolve("@prisma/schema-engine-wasm"));

const bindings = await import(pathToFileURL(path.join(engine, "schema_engine_bg.js")).href);
const module = new WebAssembly.Module(readFileSync(path.join(engine, "schema_engine_bg.wasm")));
const instance = new WebAssembly.Instance(module, { "./schema_engine_bg.js": bindings });
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const { PrismaPg } = need("@prisma/adapter-pg");
const { bindMigrationAwareSqlAdapterFactory } = need("@prisma/driver-adapter-utils");
const files = [{ path: schema, content: readFileSync(schema, "utf8") }];
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({ host, user, database, allowExitOnIdle: true })); // asked its version
const datamodels = files.map(({ path, content }) => [path, content]);
const migrator = await bindings.SchemaEngine.new({ datamodels }, () => {}, adapter);
const { stdout } = await migrator.diff({
  from: { tag: "empty" },
  to: { tag: "schemaDatamodel", files },
  script: true,
  shadowDatabaseUrl: null,
  exitCode: null,
  filters: { externalTables: [], externalEnums: [] },
});
process.stdout.write(stdout ?? "");
