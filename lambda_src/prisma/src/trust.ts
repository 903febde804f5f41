/** Whose certificates are believed. */

import { readFileSync } from "node:fs";
import tls from "node:tls";

import { InvalidSettings } from "./settings.ts";

/** Believe the bundle that SSL_CERT_FILE names, as on one machine; else Node's own, which has RDS Proxy's authorities. */
export function trust(bundle: string | undefined): void {
  if (!bundle) return;
  if (typeof tls.setDefaultCACertificates !== "function") {
    throw new InvalidSettings(`SSL_CERT_FILE is set and this is Node.js ${process.version}: 22.19 or newer is needed`);
  }
  tls.setDefaultCACertificates([readFileSync(bundle, "utf8")]);
}
