/**
 * Projects in PostgreSQL, by Prisma: each method is one statement unless it has to say why nothing was found.
 *
 * Work whose answer was lost is done again, so each method recognises its own earlier success: by the time that the
 * request chose, which is stored with the row. An insert that fails would cost the connection, which adapter-pg gives
 * up after every error: none of these can fail for what a caller sends.
 */

import { Prisma, type Project as Row } from "./generated/client.ts";
import { type Page, type Position, type Project, ProjectExists, ProjectNotFound, VersionConflict } from "./project.ts";
import type { Session } from "./session.ts";

const BEFORE_ALL: Position = { createdAt: "-infinity", id: "00000000-0000-0000-0000-000000000000" };

type PageRow = { keys: Record<string, string> | null; items: string; created_at: string | null; id: string | null };

/** The store of one request. */
export class ProjectStore {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Store a new project, or throw ProjectExists. */
  async add(tenant: string, id: string, name: string, now: Date): Promise<Project> {
    const data = { tenant, id, name, version: 1, createdAt: now, updatedAt: now };
    const [added] = await this.#session.do((client) =>
      client.project.createManyAndReturn({ data: [data], skipDuplicates: true }),
    );
    const found = added ?? (this.#session.uncertain ? await this.#find(tenant, id) : null);
    if (found?.createdAt.getTime() !== now.getTime() || found.name !== name) {
      throw new ProjectExists(`tenant ${tenant} already has a project ${id}`);
    }
    return projectOf(found);
  }

  /** At most `limit` projects that follow `after`, or the first ones. */
  async page(tenant: string, after: Position = BEFORE_ALL, limit: number): Promise<Page> {
    const [row] = await this.#session.do((client) => client.$queryRaw<[PageRow]>(pageQuery(tenant, after, limit)));
    const secrets = Object.entries(row.keys ?? {}).map(([id, hex]) => [Number(id), Buffer.from(hex, "hex")] as const);
    const following = row.created_at && row.id ? { createdAt: row.created_at, id: row.id } : undefined;
    return { items: row.items, following, cursorKeys: new Map(secrets) };
  }

  /** One project, or throw ProjectNotFound. */
  async get(tenant: string, id: string): Promise<Project> {
    return projectOf((await this.#find(tenant, id)) ?? absent(tenant, id));
  }

  /** Change a project that is at `version` (undefined: at any), or throw ProjectNotFound or VersionConflict. */
  async rename(tenant: string, id: string, name: string, version: number | undefined, now: Date): Promise<Project> {
    const where = { tenant, id, ...(version !== undefined && { version }) };
    const data = { name, version: { increment: 1 }, updatedAt: now };
    // Only what was sent before can be there already: at the same millisecond another may have changed it.
    const [renamed] = await this.#session.do((client) =>
      client.project.updateManyAndReturn({
        where: this.#session.uncertain ? { ...where, updatedAt: { not: now } } : where,
        data,
      }),
    );
    const found = renamed ?? (await this.#find(tenant, id)) ?? absent(tenant, id);
    const isOurs = this.#session.uncertain && found.updatedAt.getTime() === now.getTime() && found.name === name;
    if (renamed || isOurs) return projectOf(found);
    if (version === undefined || version === found.version) {
      // It was deleted and made again, or changed at the same millisecond: that is no conflict.
      return this.rename(tenant, id, name, version, new Date(now.getTime() + 1));
    }
    throw new VersionConflict(`project ${id} is at version ${found.version}, and the change is for ${version}`);
  }

  /** Delete a project, or throw ProjectNotFound. */
  async remove(tenant: string, id: string): Promise<void> {
    const { count } = await this.#session.do((client) => client.project.deleteMany({ where: { tenant, id } }));
    // After a lost answer, nothing to delete means that it was done.
    if (count === 0 && !this.#session.uncertain) absent(tenant, id);
  }

  /** Return when the database answers. */
  async ping(): Promise<void> {
    await this.#session.do((client) => client.$queryRaw`SELECT 1`);
  }

  async #find(tenant: string, id: string): Promise<Row | null> {
    return this.#session.do((client) => client.project.findUnique({ where: { tenant_id: { tenant, id } } }));
  }
}

/**
 * The one statement that Prisma's own methods can't make: they know milliseconds, and a position has microseconds, which
 * the Python service writes. The cursor keys come along, so that a new key is in use at once and no round trip fetches
 * it; one row more than asked for tells whether more follow.
 */
function pageQuery(tenant: string, after: Position, limit: number): Prisma.Sql {
  return Prisma.sql`
    WITH page AS (
        SELECT *, row_number() OVER (ORDER BY created_at, id) AS number FROM project
        WHERE tenant = ${tenant} AND (created_at, id) > (${after.createdAt}::timestamptz, ${after.id}::uuid)
        ORDER BY created_at, id
        LIMIT ${limit}::integer + 1
    ), item AS (
        SELECT tenant, id, name, version,
            to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
            to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
        FROM page WHERE number <= ${limit}::integer ORDER BY number
    ), last AS (
        SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, id::text
        FROM page WHERE number = ${limit}::integer AND EXISTS (SELECT FROM page WHERE number > ${limit}::integer)
    )
    SELECT (SELECT json_object_agg(id, encode(secret, 'hex')) FROM cursor_key) AS keys,
           coalesce((SELECT json_agg(row_to_json(item))::text FROM item), '[]') AS items,
           (SELECT created_at FROM last) AS created_at,
           (SELECT id FROM last) AS id`;
}

function projectOf({ tenant, id, name, version, createdAt, updatedAt }: Row): Project {
  return { tenant, id, name, version, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

function absent(tenant: string, id: string): never {
  throw new ProjectNotFound(`tenant ${tenant} has no project ${id}`);
}
