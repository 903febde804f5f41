/** What the service answers: one function per route of the API. */

import * as cursor from "./cursor.ts";
import { newId, now, type Project } from "./project.ts";
import { problem, type Response } from "./problem.ts";
import { changeOf, type Event, limitAndCursor, newProject, projectIdOf, tenantOf } from "./request.ts";
import type { ProjectStore } from "./store.ts";

type Route = (event: Event, store: ProjectStore) => Response | Promise<Response>;

async function create(event: Event, store: ProjectStore): Promise<Response> {
  const tenant = tenantOf(event);
  const { name, id } = newProject(event);
  const project = await store.add(tenant, id ?? newId(), name, now());
  return json(201, project, { location: `/tenants/${tenant}/projects/${project.id}` });
}

async function list(event: Event, store: ProjectStore): Promise<Response> {
  const tenant = tenantOf(event);
  const { limit, cursor: text } = limitAndCursor(event);
  const claim = text === undefined ? undefined : cursor.read(text);
  const page = await store.page(tenant, claim?.position, limit);
  // Only now, since the keys came with the page. A forged position could reach nothing but the tenant's own list.
  if (claim) cursor.verify(claim, tenant, page.cursorKeys);
  const next = page.following && cursor.sign(page.following, tenant, page.cursorKeys);
  return answer(200, `{"items": ${page.items}${next ? `, "next_cursor": ${JSON.stringify(next)}` : ""}}`);
}

async function get(event: Event, store: ProjectStore): Promise<Response> {
  return json(200, await store.get(tenantOf(event), projectIdOf(event)));
}

async function patch(event: Event, store: ProjectStore): Promise<Response> {
  const [tenant, id] = [tenantOf(event), projectIdOf(event)];
  const { name, version } = changeOf(event);
  return json(200, await store.rename(tenant, id, name, version, now()));
}

async function remove(event: Event, store: ProjectStore): Promise<Response> {
  await store.remove(tenantOf(event), projectIdOf(event));
  return { statusCode: 204 };
}

async function health(_event: Event, store: ProjectStore): Promise<Response> {
  await store.ping();
  return json(200, { status: "ok" });
}

function unknown(event: Event): Response {
  const { method, path } = event.requestContext.http;
  const known = [...ROUTES.keys()].join(", ");
  return problem(404, "unknown-route", "There is no such route", `${method} ${path} is none of: ${known}`);
}

const ROUTES = new Map<string, Route>([
  ["POST /tenants/{tenant}/projects", create],
  ["GET /tenants/{tenant}/projects", list],
  ["GET /tenants/{tenant}/projects/{id}", get],
  ["PATCH /tenants/{tenant}/projects/{id}", patch],
  ["DELETE /tenants/{tenant}/projects/{id}", remove],
  ["GET /health", health],
]);

/** The function for the route that API Gateway chose. */
export function routeOf(event: Event): Route {
  return ROUTES.get(event.routeKey) ?? unknown;
}

function json(status: number, body: Project | { status: string }, headers: Record<string, string> = {}): Response {
  return answer(status, JSON.stringify(body), headers);
}

function answer(status: number, body: string, headers: Record<string, string> = {}): Response {
  return { statusCode: status, headers: { "content-type": "application/json", ...headers }, body };
}
