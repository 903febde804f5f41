/** Through Accelerate: each query is an HTTP request, and the connections are Accelerate's. */

import { withAccelerate } from "@prisma/extension-accelerate";

import { PrismaClient } from "./generated/client.ts";
import type { Link } from "./transports.ts";

/** A client whose queries are sent to `accelerateUrl`; throws what kept it from connecting. */
export async function throughAccelerate(accelerateUrl: string): Promise<Link> {
  const client = new PrismaClient({ accelerateUrl });
  // The extension connects by itself when it is added, and nobody hears of it when that fails: the process would end.
  await client.$connect();
  return { client: client.$extends(withAccelerate()) as unknown as PrismaClient, transports: undefined };
}
