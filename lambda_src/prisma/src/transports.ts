/** The sockets of an execution environment, so that what hangs or is too old can be ended. */

import { setImmediate } from "node:timers/promises";

import type { PrismaClient } from "./generated/client.ts";

/** What is told of connections. */
export type Meter = { connected(): void };

/** A client, and the sockets that it opens; Accelerate has none that matter: each query is a request of its own. */
export type Link = { client: PrismaClient; transports: Transports | undefined };

type Ended = { destroy(): void; openedAt: number; isReady: boolean };

/** At most one is open at a time: the pools above hold one connection. */
export class Transports {
  readonly #open = new Set<Ended>();

  /** Whether a statement can be sent on one: it is open, and its login was not refused. */
  get isReady(): boolean {
    return [...this.#open].some((each) => each.isReady);
  }

  /** The login on the socket that was opened last has succeeded. */
  ready(): void {
    const last = [...this.#open].at(-1);
    if (last) last.isReady = true;
  }

  /** Remember a socket that is being opened; call what is returned when it has closed. */
  opened(destroy: () => void): () => void {
    const ended = { destroy, openedAt: performance.now(), isReady: false };
    this.#open.add(ended);
    return () => this.#open.delete(ended);
  }

  /** End every socket, at once and without a word. */
  endAll(): void {
    for (const each of this.#open) each.destroy();
  }

  /** End sockets older than `maxAge` milliseconds, and let the pool above hear of those that have ended. */
  async freshen(maxAge: number): Promise<void> {
    for (const each of this.#open) if (performance.now() - each.openedAt > maxAge) each.destroy();
    // An idle connection has nothing to say: what can be read by now is the other end's goodbye. No round trip is spent.
    // It takes a turn of the event loop to read it, one to end the TLS above it, and one to close.
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
  }
}
