/** How an execution environment reaches its database: one client, made once, outside the handler. */

import type { ProxySettings, SecretSettings } from "./settings.ts";
import type { Link, Meter } from "./transports.ts";

/** The link that the settings and the URL's scheme ask for; of all ways only this one's code is run. */
export async function link(settings: ProxySettings | SecretSettings, meter: Meter): Promise<Link> {
  if (!("secretName" in settings)) {
    const [{ proxyEndpoint }, { overTcp }] = [await import("./proxy.ts"), await import("./tcp.ts")];
    return overTcp(proxyEndpoint(settings), settings.connectTimeout, meter);
  }
  const { databaseUrl } = await import("./secret.ts");
  const url = await databaseUrl(settings.secretName);
  if (/^prisma(\+postgres)?:/.test(url)) return (await import("./accelerate.ts")).throughAccelerate(url);
  if (settings.isNeon) return (await import("./neon.ts")).overWebSocket(url, settings, meter);
  const { endpointOf, overTcp } = await import("./tcp.ts");
  return overTcp(endpointOf(url), settings.connectTimeout, meter);
}
