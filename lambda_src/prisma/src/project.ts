/** Projects, and what a store of them can do. */

import { randomBytes } from "node:crypto";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** One project as the API shows it; times are RFC 3339 in UTC, `version` counts from 1 and up by 1 per change. */
export type Project = {
  tenant: string;
  id: string;
  name: string;
  version: number;
  created_at: string;
  updated_at: string;
};

/** A place in a tenant's list, which is ordered by creation: after this project. The time has microseconds. */
export type Position = { createdAt: string; id: string };

/** The keys that sign cursors now: id to secret. */
export type CursorKeys = ReadonlyMap<number, Buffer>;

/** Part of a list in order: `items` is a JSON array, `following` the position after which more follow. */
export type Page = { items: string; following: Position | undefined; cursorKeys: CursorKeys };

/** The tenant already has a project with this id. */
export class ProjectExists extends Error {}

/** The tenant has no project with this id. */
export class ProjectNotFound extends Error {}

/** The project is no longer at the version that the change was made for. */
export class VersionConflict extends Error {}

/** The store can't serve this request now; the message says why, for the log. */
export class StoreUnavailable extends Error {}

let last = 0;

/** The time now, to the millisecond, as Prisma keeps times; later than every time that was given before. */
export function now(): Date {
  last = Math.max(Date.now(), last + 1);
  return new Date(last);
}

/** A UUID of version 7: its first 48 bits are the time in milliseconds, so ids made later sort later (RFC 9562). */
export function newId(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const digits = bytes.toString("hex");
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}

/** Whether a text is a UUID in its usual form, in capitals or not. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
