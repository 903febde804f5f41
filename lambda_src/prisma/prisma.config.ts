import { defineConfig } from "prisma/config";

// Only `prisma generate` reads this, and it needs no database: migrations are lambda_src/migrations/sql.
export default defineConfig({ schema: "schema.prisma" });
