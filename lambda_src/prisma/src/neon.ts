/** Over Neon's WebSocket: the driver's own defaults, which let login and first query travel together. */

import { neonConfig } from "@neondatabase/serverless";
import { PrismaNeon } from "@prisma/adapter-neon";

import { PrismaClient } from "./generated/client.ts";
import type { SecretSettings } from "./settings.ts";
import { type Link, type Meter, Transports } from "./transports.ts";

/** A client with a pool of one over wss://. */
export function overWebSocket(url: string, settings: SecretSettings, meter: Meter): Link {
  const transports = new Transports();
  neonConfig.webSocketConstructor = class extends WebSocket {
    constructor(...words: ConstructorParameters<typeof WebSocket>) {
      super(...words);
      this.addEventListener("close", transports.opened(() => this.close()));
    }
  };
  if (settings.webSocketProxy) neonConfig.wsProxy = settings.webSocketProxy;
  const adapter = new Watched(
    { connectionString: url, max: 1, idleTimeoutMillis: 0, connectionTimeoutMillis: settings.connectTimeout },
    {
      connected: () => {
        transports.ready();
        meter.connected();
      },
    },
  );
  return { client: new PrismaClient({ adapter }), transports };
}

class Watched extends PrismaNeon {
  readonly #meter: Meter;

  constructor(config: ConstructorParameters<typeof PrismaNeon>[0], meter: Meter) {
    super(config);
    this.#meter = meter;
  }

  override async connect(): ReturnType<PrismaNeon["connect"]> {
    const adapter = await super.connect();
    adapter.underlyingDriver().on("connect", this.#meter.connected);
    return adapter;
  }
}
