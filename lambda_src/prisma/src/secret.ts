/** The database's URL, from Secrets Manager. */

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

import { InvalidSettings } from "./settings.ts";

/** What the secret holds: a URL, or JSON with a field `url`. Its value is in no message. */
export async function databaseUrl(secretName: string): Promise<string> {
  const client = new SecretsManagerClient({ maxAttempts: 3 });
  const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId: secretName }));
  const url = SecretString.trimStart().startsWith("{") ? urlField(SecretString) : SecretString.trim();
  if (/^(postgres(ql)?|prisma(\+postgres)?):\/\//.test(url)) return url;
  throw new InvalidSettings(
    `the secret ${secretName} holds no URL of a database: postgresql://… or prisma://… is allowed`,
  );
}

function urlField(text: string): string {
  try {
    return String((JSON.parse(text) as { url?: unknown }).url);
  } catch {
    return "";
  }
}
