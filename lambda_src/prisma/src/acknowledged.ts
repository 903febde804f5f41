/** What the other machine has not acknowledged. Node.js can't set TCP_USER_TIMEOUT, but Linux shows what is waiting. */

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

export const LOOK_EVERY = 500; // milliseconds, while an answer is waited for
const [LOCAL_ADDRESS, STATE, QUEUES] = [1, 3, 4]; // columns of proc_pid_net(5)
const ESTABLISHED = "01";

/** Bytes that were sent and of which there is no receipt; 0 where that can't be known. */
export function unacknowledged({ localPort = 0, localFamily }: Socket): number {
  const port = `:${localPort.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = table(localFamily === "IPv6" ? "tcp6" : "tcp").map((line) => line.trim().split(/\s+/));
  const ours = lines.find((line) => line[LOCAL_ADDRESS]?.endsWith(port) && line[STATE] === ESTABLISHED);
  return Number.parseInt(ours?.[QUEUES] ?? "0", 16);
}

function table(name: string): string[] {
  try {
    return readFileSync(`/proc/self/net/${name}`, "utf8").split("\n");
  } catch {
    return []; // another system than Linux
  }
}
