/** What a request may hold: each function gives a valid value, or throws InvalidRequest with every mistake. */

import { isUuid } from "./project.ts";
import { InvalidRequest, type Mistake } from "./problem.ts";

/** What is used of an HTTP API's event (payload format 2.0). */
export type Event = {
  routeKey: string;
  requestContext: { http: { method: string; path: string } };
  pathParameters?: Record<string, string>;
  queryStringParameters?: Record<string, string>;
  body?: string;
  isBase64Encoded?: boolean;
};

const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TENANT_ALLOWED =
  "1 to 64 letters, digits, dots, underscores and hyphens, beginning with a letter or digit, are allowed";
const UUID_ALLOWED = "a UUID such as 0192f0c1-5c7e-7cc4-a5a1-3f3a0b6a6f00 is allowed";
const NAME_ALLOWED = "a string of 1 to 200 characters is allowed, with no control characters";
const LONGEST_NAME = 200; // code points, as JSON Schema counts
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// Control characters, and halves of surrogate pairs: PostgreSQL stores neither NUL nor half a character.
const UNSTORABLE = /[\x00-\x1f\x7f-\x9f\ud800-\udfff]/u;
const NOT_SPACE = /\P{White_Space}/u;
const LARGEST_VERSION = 2 ** 31 - 1;
const VERSION_ALLOWED = `an integer from 1 to ${LARGEST_VERSION} is allowed`;
const [DEFAULT_LIMIT, LARGEST_LIMIT] = [25, 500];

/** The tenant that the path names. */
export function tenantOf(event: Event): string {
  const tenant = event.pathParameters?.["tenant"] ?? "";
  if (!TENANT.test(tenant)) throw new InvalidRequest([{ field: "tenant", came: tenant, allowed: TENANT_ALLOWED }]);
  return tenant;
}

/** The project that the path names. */
export function projectIdOf(event: Event): string {
  const id = event.pathParameters?.["id"] ?? "";
  if (!isUuid(id)) throw new InvalidRequest([{ field: "id", came: id, allowed: UUID_ALLOWED }]);
  return id.toLowerCase();
}

/** The page size (25 when absent) and the cursor, if any. */
export function limitAndCursor(event: Event): { limit: number; cursor: string | undefined } {
  const query = event.queryStringParameters ?? {};
  const limit = query["limit"] ?? String(DEFAULT_LIMIT);
  const mistakes = unknownFields(query, ["limit", "cursor"]);
  if (!/^[0-9]{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > LARGEST_LIMIT) {
    mistakes.push({ field: "limit", came: limit, allowed: `an integer from 1 to ${LARGEST_LIMIT} is allowed` });
  }
  refuse(mistakes);
  return { limit: Number(limit), cursor: query["cursor"] };
}

/** The name and, if the caller brought one, the id of a project to create. */
export function newProject(event: Event): { name: string; id: string | undefined } {
  const body = bodyOf(event);
  const { name, id } = body;
  const mistakes = unknownFields(body, ["id", "name"]);
  if (!isName(name)) mistakes.push({ field: "name", came: name, allowed: NAME_ALLOWED });
  const idIsRight = id === undefined || (typeof id === "string" && isUuid(id));
  if (!idIsRight) mistakes.push({ field: "id", came: id, allowed: UUID_ALLOWED });
  refuse(mistakes);
  return { name: name as string, id: (id as string | undefined)?.toLowerCase() };
}

/** The new name and, if the caller insists on one, the version that the change is for. */
export function changeOf(event: Event): { name: string; version: number | undefined } {
  const body = bodyOf(event);
  const { name, version } = body;
  const mistakes = unknownFields(body, ["name", "version"]);
  if (!isName(name)) mistakes.push({ field: "name", came: name, allowed: NAME_ALLOWED });
  if (version !== undefined && !isVersion(version)) {
    mistakes.push({ field: "version", came: version, allowed: VERSION_ALLOWED });
  }
  refuse(mistakes);
  return { name: name as string, version: version as number | undefined };
}

function bodyOf(event: Event): Record<string, unknown> {
  let came = event.body ?? "";
  let body: unknown;
  try {
    if (event.isBase64Encoded) {
      const sent = bytesOf(came);
      came = new TextDecoder("utf-8", { ignoreBOM: true }).decode(sent); // what the caller may recognise
      new TextDecoder("utf-8", { fatal: true }).decode(sent);
    }
    body = JSON.parse(came);
  } catch (error) {
    const reason = error instanceof SyntaxError ? "it is no JSON" : "it is no text in UTF-8 and Base64";
    throw new InvalidRequest([{ field: "body", came: came || undefined, allowed: `a JSON object is allowed (${reason})` }]);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new InvalidRequest([{ field: "body", came: body, allowed: "a JSON object is allowed" }]);
  }
  return Object.assign(Object.create(null), body); // a field is there when it was sent, not when objects have it
}

function bytesOf(base64: string): Buffer {
  if (!BASE64.test(base64)) throw new TypeError("not Base64");
  return Buffer.from(base64, "base64");
}

function unknownFields(found: object, allowed: string[]): Mistake[] {
  return Object.keys(found)
    .filter((name) => !allowed.includes(name))
    .map((name) => ({
      field: name.slice(0, LONGEST_NAME),
      came: "unknown",
      allowed: `the fields are ${allowed.join(" and ")}`,
    }));
}

function isName(name: unknown): boolean {
  return (
    typeof name === "string" && [...name].length <= LONGEST_NAME && NOT_SPACE.test(name) && !UNSTORABLE.test(name)
  );
}

function isVersion(version: unknown): boolean {
  return Number.isInteger(version) && (version as number) >= 1 && (version as number) <= LARGEST_VERSION;
}

function refuse(mistakes: Mistake[]): void {
  if (mistakes.length > 0) throw new InvalidRequest(mistakes);
}
