/** Where Lambda comes in: every request is answered, and a failure leaves as a status, never as an exception. */

import { Database } from "./database.ts";
import { Deadline } from "./deadline.ts";
import { Figures } from "./figures.ts";
import { log, logsOf, where } from "./log.ts";
import { ProjectExists, ProjectNotFound, StoreUnavailable, VersionConflict } from "./project.ts";
import { InvalidRequest, problem, type Response } from "./problem.ts";
import type { Event } from "./request.ts";
import { codeOf } from "./retry.ts";
import { routeOf } from "./routes.ts";
import { Session } from "./session.ts";
import { InvalidSettings, settingsFrom } from "./settings.ts";
import { ProjectStore } from "./store.ts";
import { trust } from "./trust.ts";

/** What is used of Lambda's context object. */
type Context = { awsRequestId?: string; getRemainingTimeInMillis(): number };

const RETRY_AFTER = "1"; // seconds

trust(process.env["SSL_CERT_FILE"]);
const database = new Database(settingsFrom());
await warmUp();

/** Answer one API Gateway request (payload format 2.0). */
export async function handler(event: Event, context: Context): Promise<Response> {
  const started = performance.now();
  logsOf(context.awsRequestId);
  const session = new Session(database, Deadline.of(context, database.patience));
  const response = await respond(event, new ProjectStore(session));
  const milliseconds = Math.round((performance.now() - started) * 10) / 10;
  const { figures } = database;
  database.figures = new Figures();
  log("INFO", "request", { route: event.routeKey, status: response.statusCode, milliseconds, ...figures.asLogFields() });
  return response;
}

/** The answer of the route that API Gateway chose, or the problem document for what went wrong. */
async function respond(event: Event, store: ProjectStore): Promise<Response> {
  try {
    return await routeOf(event)(event, store);
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): Response {
  if (error instanceof InvalidRequest) {
    return problem(400, "invalid-request", "The request is not valid", error.message, { mistakes: error.mistakes });
  }
  if (error instanceof ProjectNotFound) {
    return problem(404, "project-not-found", "There is no such project", error.message);
  }
  if (error instanceof ProjectExists) return problem(409, "project-exists", "The project exists", error.message);
  if (error instanceof VersionConflict) {
    return problem(409, "version-conflict", "The project was changed since", error.message);
  }
  if (error instanceof StoreUnavailable) {
    log("WARN", "database unavailable", { reason: error.message });
    const headers = { "retry-after": RETRY_AFTER };
    const title = "The database can't serve this now";
    return problem(503, "database-unavailable", title, `try again in ${RETRY_AFTER} s`, { headers });
  }
  log("ERROR", "unexpected", { exception: nameOf(error), sqlstate: codeOf(error) ?? null, where: where(error) });
  return problem(500, "internal-error", "Something went wrong here", "it is in the log under this request's id");
}

/** Connect, and load Prisma's query compiler, while the function initialises: CPU is free then. */
async function warmUp(): Promise<void> {
  const session = new Session(database, new Deadline(database.patience));
  try {
    await new ProjectStore(session).get("", "00000000-0000-0000-0000-000000000000");
  } catch (error) {
    if (error instanceof InvalidSettings) throw error;
    if (!(error instanceof ProjectNotFound)) log("WARN", "connect failed", { exception: nameOf(error), sqlstate: codeOf(error) ?? null }); // and tried again on use
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}
