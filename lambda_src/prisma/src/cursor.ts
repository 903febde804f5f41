/** Where a list goes on: opaque to the caller, bound to one tenant's list, and signed. The Python service's cursors. */

import { createHmac, timingSafeEqual } from "node:crypto";

import { type CursorKeys, isUuid, type Position } from "./project.ts";
import { InvalidRequest } from "./problem.ts";

const VERSION = 1;
const ALLOWED = "only the next_cursor of an earlier answer to the same list is allowed";
const LONGEST = 512; // characters
const SIGNATURE_BYTES = 32;
const TIMESTAMP = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/;

/** A cursor as it came: well-formed, but not to be believed before `verify`. */
export type Claim = { text: string; payload: Buffer; signature: Buffer; keyId: number; position: Position };

/** The cursor that goes on after `position` in the tenant's list; the newest key signs. */
export function sign(position: Position, tenant: string, keys: CursorKeys): string {
  const keyId = Math.max(...keys.keys());
  const payload = Buffer.from(JSON.stringify([VERSION, keyId, position.createdAt, position.id]));
  return Buffer.concat([payload, signatureOf(payload, tenant, keys.get(keyId)!)]).toString("base64url");
}

/** The claim that a cursor makes; InvalidRequest where it can't be one. */
export function read(text: string): Claim {
  const raw = Buffer.from(text.slice(0, LONGEST), "base64url");
  const payload = raw.subarray(0, -SIGNATURE_BYTES);
  const fields = parsed(payload);
  const [version, keyId, createdAt, id] = fields;
  const isOurs = fields.length === 4 && version === VERSION && Number.isInteger(keyId) && isTime(createdAt) && isId(id);
  if (!isOurs || raw.toString("base64url") !== text) throw refusal(text);
  return {
    text,
    payload,
    signature: raw.subarray(-SIGNATURE_BYTES),
    keyId: keyId as number,
    position: { createdAt: createdAt as string, id: id as string },
  };
}

/** Return if one of `keys` signed the claim for this tenant's list; InvalidRequest otherwise. */
export function verify(claim: Claim, tenant: string, keys: CursorKeys): void {
  const key = keys.get(claim.keyId);
  if (!key || !timingSafeEqual(claim.signature, signatureOf(claim.payload, tenant, key))) throw refusal(claim.text);
}

function parsed(payload: Buffer): unknown[] {
  try {
    const found: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function isTime(text: unknown): boolean {
  if (typeof text !== "string" || !TIMESTAMP.test(text) || text.startsWith("0000")) return false;
  const milliseconds = `${text.slice(0, 23)}Z`;
  const time = new Date(milliseconds); // takes the 31st of February for the 3rd of March
  return !Number.isNaN(time.getTime()) && time.toISOString() === milliseconds;
}

function isId(id: unknown): boolean {
  return typeof id === "string" && isUuid(id) && id === id.toLowerCase();
}

function signatureOf(payload: Buffer, tenant: string, key: Buffer): Buffer {
  return createHmac("sha256", key).update(`projects\0${tenant}\0`).update(payload).digest();
}

function refusal(text: string): InvalidRequest {
  return new InvalidRequest([{ field: "cursor", came: text, allowed: ALLOWED }]);
}
