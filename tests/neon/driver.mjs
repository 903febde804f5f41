// Neon's own driver against an endpoint: prints what it gets as JSON.
import { neon, neonConfig } from "@neondatabase/serverless";

neonConfig.fetchEndpoint = process.env.SQL_ENDPOINT;
const sql = neon(process.env.DATABASE_URL);

const failure = async (promise) => {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.name, code: error.code ?? null, message: error.message };
  }
};

const wrong = new URL(process.env.DATABASE_URL);
wrong.password = "wrong";
const answers = {
  types: await sql`SELECT 1::int4 AS i, ${"9007199254740993"}::int8 AS big, true AS b, NULL::text AS n,
    '{"a": [1]}'::jsonb AS j, ${"ü"}::text AS t, ARRAY[1, 2] AS list, 1.5::float8 AS f`,
  full: await sql.query("SELECT $1::int4 + 1 AS next", [41], { fullResults: true }),
  batch: await sql.transaction(
    [sql`SELECT current_setting('transaction_isolation') AS level`, sql`SHOW transaction_read_only`],
    { isolationLevel: "Serializable", readOnly: true },
  ),
  rolledBack: await failure(
    sql.transaction([
      sql`INSERT INTO cursor_key (secret) VALUES (NULL)`,
      sql`SELECT 1`,
    ]),
  ),
  undefinedColumn: await failure(sql`SELECT nonsense`),
  duplicate: await failure(sql`SELECT * FROM missing_table`),
  wrongPassword: await failure(neon(wrong.href)`SELECT 1`),
};
console.log(JSON.stringify(answers));
