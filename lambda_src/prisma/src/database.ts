/** The one client of an execution environment, made outside the handler, which every request uses. */

import { DeadlineExceeded, type Deadline } from "./deadline.ts";
import { Figures } from "./figures.ts";
import type { PrismaClient } from "./generated/client.ts";
import { link } from "./link.ts";
import { isRefusedPassword } from "./retry.ts";
import type { ProxySettings, SecretSettings } from "./settings.ts";
import type { Link } from "./transports.ts";

/** `figures` counts what has happened since they were last taken. */
export class Database {
  figures = new Figures();
  readonly #settings: ProxySettings | SecretSettings;
  #link: Link | undefined;
  #sendingBegan = 0;
  #couldSend = false;
  #wasConnected = false;

  constructor(settings: ProxySettings | SecretSettings) {
    this.#settings = settings;
  }

  /** Milliseconds that all attempts of a request may take together. */
  get patience(): number {
    return this.#settings.deadline;
  }

  /** Whether the last attempt came as far as a connection on which its statement could have been sent. */
  get couldSend(): boolean {
    return this.#couldSend;
  }

  /** Do some work with the client, once; when the deadline passes, what is under way is ended. */
  async attempt<T>(work: (client: PrismaClient) => PromiseLike<T>, deadline: Deadline): Promise<T> {
    this.#sendingBegan = performance.now();
    this.#couldSend = false;
    this.figures.attempts += 1;
    try {
      return await deadline.limit(this.#run(work, deadline));
    } catch (error) {
      if (error instanceof DeadlineExceeded) this.#link?.transports?.endAll();
      if ("secretName" in this.#settings && isRefusedPassword(error)) this.#forget();
      throw error;
    } finally {
      this.figures.queryTime += performance.now() - this.#sendingBegan;
    }
  }

  async #run<T>(work: (client: PrismaClient) => PromiseLike<T>, deadline: Deadline): Promise<T> {
    this.#link ??= await link(this.#settings, { connected: () => this.#connected() });
    await this.#link.transports?.freshen(this.#settings.connectionMaxAge);
    if (deadline.remaining() === 0) throw new DeadlineExceeded("nobody waits any more");
    this.#couldSend = this.#link.transports?.isReady ?? true;
    return await work(this.#link.client);
  }

  /** Let the next attempt read the secret again: its password may have been rotated. */
  #forget(): void {
    this.#link?.transports?.endAll();
    this.#link = undefined;
  }

  #connected(): void {
    const now = performance.now();
    this.figures.connectTime += now - this.#sendingBegan;
    this.figures.connects += 1;
    this.figures.reconnects += Number(this.#wasConnected);
    this.#sendingBegan = now;
    this.#couldSend = this.#wasConnected = true;
  }
}
