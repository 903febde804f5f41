/** What one request does with the database: under one deadline, tried again where that is safe. */

import { setTimeout as sleep } from "node:timers/promises";

import type { Database } from "./database.ts";
import { type Deadline, DeadlineExceeded } from "./deadline.ts";
import type { PrismaClient } from "./generated/client.ts";
import { StoreUnavailable } from "./project.ts";
import { ATTEMPTS, codeOf, pause, verdict } from "./retry.ts";

/** `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out. */
export class Session {
  uncertain = false;
  readonly #database: Database;
  readonly #deadline: Deadline;

  constructor(database: Database, deadline: Deadline) {
    this.#database = database;
    this.#deadline = deadline;
  }

  /**
   * What `work` comes to; carrying it out twice must do what once does.
   *
   * Throws StoreUnavailable when the deadline or the attempts run out, Prisma's error when the work itself is wrong.
   */
  async do<T>(work: (client: PrismaClient) => PromiseLike<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#database.attempt(work, this.#deadline);
      } catch (error) {
        await this.#after(error, attempt);
      }
    }
  }

  /** Return when another attempt is safe and there is time for it; throw otherwise. */
  async #after(error: unknown, attempt: number): Promise<void> {
    const { figures, couldSend } = this.#database;
    const found = verdict(error, couldSend);
    figures.code = codeOf(error);
    if (found === "raise") throw error;
    this.uncertain ||= found === "uncertain";
    const left = error instanceof DeadlineExceeded ? 0 : this.#deadline.remaining(); // a timer may be early
    figures.deadlineExceeded += Number(left === 0);
    if (found === "unavailable" || attempt === ATTEMPTS || left === 0) {
      const reason = codeOf(error) ?? (error as Error).constructor.name;
      throw new StoreUnavailable(`${reason} at attempt ${attempt}, ${(left / 1000).toFixed(1)} s left: ${found}`);
    }
    figures.retries += 1;
    await sleep(pause(attempt, found, left));
  }
}
