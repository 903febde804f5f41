/** To RDS Proxy, whose passwords are IAM tokens. */

import { Signer } from "@aws-sdk/rds-signer";

import type { ProxySettings } from "./settings.ts";
import type { Endpoint } from "./tcp.ts";

/** The proxy's endpoint. A token lives 15 minutes, so each connection gets its own; signing it calls nobody. */
export function proxyEndpoint({ host, port, user, database, region }: ProxySettings): Endpoint {
  const signer = new Signer({ hostname: host, port, username: user, region, credentials });
  return { host, port, user, database, password: () => signer.getAuthToken() };
}

/** The execution role's, as Lambda gives them. */
async function credentials(): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string }> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: AWS_SECRET_ACCESS_KEY ?? "",
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  };
}
