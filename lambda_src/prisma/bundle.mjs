// One file with everything in it: `npm run bundle` writes dist/index.mjs.
import { build } from "esbuild";

await build({
  entryPoints: ["src/handler.ts"],
  outfile: "dist/index.mjs",
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm", // as CommonJS it would break at load: Prisma's runtime asks for import.meta.url
  // and what is CommonJS inside (pg) asks for require
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  external: ["pg-native"],
  minifySyntax: true,
  minifyWhitespace: true, // but not the names: a log line says where an error came from
  legalComments: "linked",
  logLevel: "warning",
});
