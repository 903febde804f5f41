/** Whose certificates are believed. */

import { readFileSync } from "node:fs";
import { setDefaultCACertificates } from "node:tls";

/** Believe the bundle that SSL_CERT_FILE names, as on one machine; else Node's own, which has RDS Proxy's authorities. */
export function trust(bundle: string | undefined): void {
  if (bundle) setDefaultCACertificates([readFileSync(bundle, "utf8")]);
}
