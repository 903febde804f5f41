/** Through Accelerate: each query is an HTTP request, and the connections are Accelerate's. */

import { withAccelerate } from "@prisma/extension-accelerate";

import { PrismaClient } from "./generated/client.ts";
import type { Link } from "./link.ts";

/** A client whose queries are sent to `accelerateUrl`. */
export function throughAccelerate(accelerateUrl: string): Link {
  const client = new PrismaClient({ accelerateUrl }).$extends(withAccelerate());
  return { client: client as unknown as PrismaClient, transports: undefined };
}
