/** Failures as problem documents (RFC 9457). */

const LONGEST_ECHO = 80; // characters of a bad value that are shown back
const MOST_MISTAKES = 20; // that are told at once: an answer above 6 MB is none, says Lambda, and a request has room for many

export type Response = { statusCode: number; headers?: Record<string, string>; body?: string };

/** One thing that is wrong with a request: which field, what came, and what is allowed. */
export type Mistake = { field: string; came: unknown; allowed: string };

/** A request that can't be served as it is, with the mistakes that were found in it: the first of very many. */
export class InvalidRequest extends Error {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    const told = mistakes.slice(0, MOST_MISTAKES);
    const sentences = told.map(({ field, came, allowed }) => `${field} is ${shown(came)}: ${allowed}`).join("; ");
    super(mistakes.length > told.length ? `${sentences}; and ${mistakes.length - told.length} more` : sentences);
    this.mistakes = told;
  }
}

type More = { headers?: Record<string, string>; mistakes?: readonly Mistake[] };

/** An answer that says what is wrong; `name` is stable, clients may rely on it. */
export function problem(status: number, name: string, title: string, detail: string, more: More = {}): Response {
  const errors = more.mistakes?.map(({ field, came, allowed }) => ({ field, came: shown(came), allowed }));
  return {
    statusCode: status,
    headers: { "content-type": "application/problem+json", ...more.headers },
    body: JSON.stringify({ type: `/problems/${name}`, title, status, detail, ...(errors && { errors }) }),
  };
}

/** A value as the caller may recognise it, cut where it is long. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = asJson(value);
  return text.length <= LONGEST_ECHO ? text : `${text.slice(0, LONGEST_ECHO)}… (${text.length} characters)`;
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "nested too deeply";
  }
}
