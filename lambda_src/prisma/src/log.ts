/** Log lines as Lambda's JSON format has them. console.log would put their fields one level deeper, below `message`,
 * where CloudWatch does not look for metrics. */

type Level = "INFO" | "WARN" | "ERROR";

let requestId: string | undefined;

/** The request that following lines belong to. */
export function logsOf(id: string | undefined): void {
  requestId = id;
}

/** Write one line. Neither a value of a request nor an error's message belongs into `fields`: messages quote values. */
export function log(level: Level, message: string, fields: Record<string, unknown>): void {
  const line = { timestamp: new Date().toISOString(), level, message, requestId, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Where an error happened, without its message. */
export function where(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return stack.split("\n").map((line) => line.trim()).filter((line) => line.startsWith("at ")).slice(0, 5);
}
