/** The database's URL, from Secrets Manager. */

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

import { log } from "./log.ts";

/** The secret holds no URL; it is read again, as where it can't be read. */
export class SecretUnavailable extends Error {
  readonly code = "SECRET_UNAVAILABLE";
}

/** What the secret holds: a URL, or JSON with a field `url`. Its value is in no message. */
export async function databaseUrl(secretName: string): Promise<string> {
  const client = new SecretsManagerClient({ maxAttempts: 3 });
  const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId: secretName }));
  const url = SecretString.trimStart().startsWith("{") ? urlField(SecretString) : SecretString.trim();
  if (isUrl(url)) return url;
  const problem = `the secret ${secretName} holds no URL of a database: postgresql://… or prisma://… is allowed`;
  log("WARN", "connect failed", { error: `${problem}; see docs/errors.md#function-settings` });
  throw new SecretUnavailable(problem);
}

function isUrl(text: string): boolean {
  try {
    decodeURIComponent(text);
  } catch {
    return false;
  }
  return /^(postgres(ql)?|prisma(\+postgres)?):\/\//.test(text) && URL.canParse(text);
}

function urlField(text: string): string {
  try {
    return String((JSON.parse(text) as { url?: unknown }).url);
  } catch {
    return "";
  }
}
