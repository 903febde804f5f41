/** What an error of the database means for the request: try again, or answer. */

import { DeadlineExceeded } from "./deadline.ts";

export const ATTEMPTS = 4; // the first and three more
// Milliseconds; the pause before the n-th retry is random below one of these * 2 ** n, and leaves half of the deadline's rest.
const BASE = 50;
const BASE_CONNECTING = 400; // who refuses at once is starting: the attempts are to last until it has
const LAST_PAUSE = 0.75; // of the rest: the most that the last pause while connecting takes, and two thirds of it the least

/** "reconnect": nothing was sent. "uncertain": it may have been done; try again only what may be done twice. */
export type Verdict = "reconnect" | "retry" | "uncertain" | "unavailable" | "raise";

// PostgreSQL or the proxy refused before anything was done, or undid everything that was.
const UNDONE = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "28000", // invalid_authorization_specification, and
  "28P01", // invalid_password: of the proxy, which could not log in for a statement, and not of ours
  "25006", // read_only_sql_transaction: the connection still leads to what was the primary before a failover
  "53300", // too_many_connections
  "57P03", // cannot_connect_now
  "P1001", // Prisma can't reach the server
  "P1002", // nor in time
  "P2037", // too many connections
  "P1000", // and wrong in this URL; also
  "P6002", // Accelerate's API key: the secret is read again
  "SECRET_UNAVAILABLE", // the secret holds no URL: it is read again
  "P6008", // Accelerate can't connect to the database, or is starting
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);
// The connection ended with a statement under way.
const CONNECTION_IS_GONE = new Set([
  "57P01", "57P02", "57P05", "25P03", "25P04",
  "P1008", // no answer
  "P1017", // the server has closed the connection
  "P5010", "P6000", "P6004", // Accelerate: no answer, none that is understood, none in time
  "ECONNRESET", "EPIPE", "ETIMEDOUT",
]); // prettier-ignore
// The database can't serve now; trying again at once would only add to it, or change nothing.
const UNAVAILABLE = new Set([
  "57014", // query_canceled: statement_timeout
  "55P03", // lock_not_available
  "P1011", // TLS: the certificate is not to be trusted, and will not be a moment later
  "P5011", // Accelerate: too many requests
  "P6003", // Accelerate: the plan's limit is reached
]);
const NO_ROOM = /^(53|58)/; // classes: no room (disk, memory, a limit), and what fails below PostgreSQL (a disk, a file)
const NOT_TRUSTED = /^(CERT_|DEPTH_ZERO_|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_|SELF_SIGNED_|UNABLE_TO_)/; // Node's codes for TLS
// Prisma's code is P2010 for whatever fails in $queryRaw, and P2039 for most of what PostgreSQL says: then the SQLSTATE
// counts, or what kind of failure the driver adapter saw.
const KINDS: Record<string, string> = {
  DatabaseNotReachable: "P1001",
  SocketTimeout: "P1008",
  TlsConnectionError: "P1011",
  ConnectionClosed: "P1017",
};
// What node-postgres and Neon's driver say without a code, when no connection was there to send anything on.
const NOT_CONNECTED = new Set([
  "Connection terminated due to connection timeout",
  "timeout exceeded when trying to connect",
  "timeout expired",
]);
// And when it ended; the last is what Accelerate's extension makes of every failure of its requests.
const ENDED = /^(Connection terminated unexpectedly|WebSocket|Unable to connect to the Accelerate API)/;

/** Judge an error by its code, and by when it came: `connected` says that a statement could have been sent. */
export function verdict(error: unknown, connected: boolean): Verdict {
  const code = codeOf(error) ?? "";
  const refused = UNDONE.has(code) || messages(error).some((each) => NOT_CONNECTED.has(each));
  if (!refused && [UNAVAILABLE.has(code), NO_ROOM.test(code), NOT_TRUSTED.test(code)].some(Boolean)) return "unavailable";
  if (!connected && (refused || isEnd(error, code) || isSaidByServer(error, code))) return "reconnect";
  if (refused) return "retry";
  if (isEnd(error, code)) return "uncertain";
  return "raise";
}

function isEnd(error: unknown, code: string): boolean {
  if (error instanceof DeadlineExceeded || CONNECTION_IS_GONE.has(code) || /^(08|UND_ERR_)/.test(code)) return true;
  // A WebSocket that fails says so by an event, which Neon's driver throws as it is.
  return error instanceof Event || messages(error).some((each) => ENDED.test(each));
}

/** Whether PostgreSQL or Prisma has a code for it, or an AWS service refused: before a statement all of it is a no. */
function isSaidByServer(error: unknown, code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) || causes(error).some((each) => "$fault" in each);
}

/** Its SQLSTATE if PostgreSQL sent one, else the code of Prisma or Node. */
export function codeOf(error: unknown): string | undefined {
  const chain = causes(error);
  const kind = chain.map((each) => KINDS[String(each["kind"])]).find(isText);
  return sqlstateOf(chain) ?? kind ?? chain.map((each) => each["code"] ?? each["errorCode"]).find(isText);
}

/** Whether the password or key was refused: in a secret there may be a new one. */
export function isRefusedPassword(error: unknown): boolean {
  return ["28000", "28P01", "P1000", "P6002"].includes(codeOf(error) ?? "");
}

/**
 * Milliseconds to wait before the `retry`-th retry (1, 2, …): exponential with full jitter, at most half of `left`.
 *
 * The last one while connecting is never short, so that three short ones do not give up on who is back in time.
 */
export function pause(retry: number, found: Verdict, left: number): number {
  const base = found === "reconnect" ? BASE_CONNECTING : BASE;
  const isLast = found === "reconnect" && retry === ATTEMPTS - 1;
  const longest = Math.min(base * 2 ** retry, left * (isLast ? LAST_PAUSE : 0.5));
  const shortest = isLast ? (longest * 2) / 3 : 0;
  return shortest + Math.random() * (longest - shortest);
}

type Fields = Record<string, unknown>;

/** An error, and the errors in it: Prisma keeps the driver's below meta.driverAdapterError and cause, an event in error. */
function causes(error: unknown): Fields[] {
  const found: Fields[] = [];
  let next: unknown = error;
  while (typeof next === "object" && next !== null && found.length < 5) {
    const fields = next as Fields;
    found.push(fields);
    next = (fields["meta"] as Fields | undefined)?.["driverAdapterError"] ?? fields["cause"] ?? fields["error"];
  }
  return found;
}

function sqlstateOf(chain: Fields[]): string | undefined {
  const states = chain.map((each) => each["originalCode"] ?? (each["kind"] === "postgres" ? each["code"] : undefined));
  return states.filter(isText).find((state) => /^[0-9A-Z]{5}$/.test(state));
}

function messages(error: unknown): string[] {
  return causes(error).map((each) => String(each["message"]));
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
