// What node-postgres does for its users, on the connection that standard input describes; prints the answers as JSON.
"use strict";
const fs = require("node:fs");
const {Client, Pool} = require("pg");

const settings = JSON.parse(fs.readFileSync(0, "utf8"));

async function errorOf(promise) {
  try {
    await promise;
    return null;
  } catch ({code, message, severity, position, constraint}) {
    return {code, message, severity, position, constraint};
  }
}

async function withClient() {
  const client = new Client({...settings, application_name: "node"});
  const notices = [];
  client.on("notice", notice => notices.push(notice.message));
  await client.connect();
  const rows = async (...query) => (await client.query(...query)).rows;
  const seen = [
    await rows("SELECT 1 AS number, 'text' AS text, NULL AS nothing, now() > '2020-01-01' AS late"),
    await rows("SELECT $1::int AS a, $2::jsonb AS b, $3::timestamptz AS c, $4::bytea AS d, $5::int[] AS e",
      [1, {a: [1, null]}, new Date(0), Buffer.from([0, 255]), [1, null]]),
    await rows({text: "SELECT $1::text, $2::int8", values: ["ü€", "9007199254740993"], rowMode: "array"}),
    (await client.query("SELECT 1; SELECT 2 AS two; CREATE TABLE node (i int); DROP TABLE node")).map(each => [each.command, each.rows]),
    await rows("SELECT current_setting('application_name')"),
    await errorOf(client.query("SELECT 1/$1::int", [0])),
    await errorOf(client.query("SELEKT")),
    await errorOf(client.query("SELECT $1::int", ["x"])),
    await rows("SELECT repeat('x', 100000) AS long FROM generate_series(1, 50)"),
  ];
  await client.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
  await client.query("BEGIN");
  await client.query("INSERT INTO item VALUES ($1, $2)", [1, "one"]);
  seen.push(await errorOf(client.query("INSERT INTO item VALUES ($1, $2)", [1, "again"])));
  seen.push(await errorOf(client.query("SELECT 1")));
  await client.query("ROLLBACK");
  seen.push(await Promise.all([1, 2, 3].map(number => rows("SELECT $1::int AS number", [number]))));
  for (const number of [1, 2]) seen.push(await rows({name: "named", text: "SELECT $1::int AS number", values: [number]}));
  await client.end();
  return [...seen, notices];
}

async function withPool() {
  const pool = new Pool({...settings, max: 4});
  const answers = await Promise.all([...Array(40).keys()].map(async number => {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      const {rows} = await client.query("SELECT $1::int AS number, pg_current_xact_id() IS NOT NULL AS inside", [number]);
      await client.query("COMMIT");
      return rows[0];
    } finally {
      client.release();
    }
  }));
  await pool.end();
  return answers;
}

async function main() {
  console.log(JSON.stringify([...await withClient(), await withPool()]));
}

main();
