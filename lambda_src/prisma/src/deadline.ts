/** One deadline for all that a request does. */

const MARGIN = 250; // milliseconds kept of the invocation's time to answer in

/** The deadline passed before what was waited for came. */
export class DeadlineExceeded extends Error {}

/** A moment that attempts, waits and pauses together may not pass. */
export class Deadline {
  readonly #end: number;

  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
  }

  /** `milliseconds` from now, or what the invocation has left when that is less. */
  static of(context: { getRemainingTimeInMillis(): number }, milliseconds: number): Deadline {
    return new Deadline(Math.min(milliseconds, context.getRemainingTimeInMillis() - MARGIN));
  }

  /** Milliseconds left, never less than 0. */
  remaining(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /** What `work` comes to, unless the deadline passes first: then DeadlineExceeded, and `work` is left to itself. */
  async limit<T>(work: PromiseLike<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DeadlineExceeded("the deadline passed")), this.remaining());
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
