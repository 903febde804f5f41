/** What a request cost its database, as one log line that CloudWatch also reads as metrics (embedded metric format). */

const NAMESPACE = "DatabaseClient";
const METRICS = {
  Connects: "Count",
  Reconnects: "Count",
  Retries: "Count",
  DeadlineExceeded: "Count",
  ConnectTime: "Milliseconds",
  QueryTime: "Milliseconds",
};

/** Counts and milliseconds since they were last taken; `code` is that of the last error. */
export class Figures {
  attempts = 0;
  connects = 0;
  reconnects = 0;
  retries = 0;
  deadlineExceeded = 0;
  connectTime = 0;
  queryTime = 0;
  code: string | undefined = undefined;

  /** Fields for the request's log line. Nothing in them comes from the request. */
  asLogFields(): Record<string, unknown> {
    const metrics = Object.entries(METRICS).map(([Name, Unit]) => ({ Name, Unit }));
    return {
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [["FunctionName"]], Metrics: metrics }],
      },
      FunctionName: process.env["AWS_LAMBDA_FUNCTION_NAME"] ?? "unknown",
      Connects: this.connects,
      Reconnects: this.reconnects,
      Retries: this.retries,
      DeadlineExceeded: this.deadlineExceeded,
      ConnectTime: rounded(this.connectTime),
      QueryTime: rounded(this.queryTime),
      attempts: this.attempts,
      sqlstate: this.code ?? null,
    };
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
