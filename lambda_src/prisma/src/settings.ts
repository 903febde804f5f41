/** The environment variables that tell a function where its database is. */

/** The variables are not what the code needs; the message names every one of them. */
export class InvalidSettings extends Error {
  constructor(message: string) {
    super(`${message}; see docs/errors.md#function-settings`);
  }
}

/** How long to try, in milliseconds: one connect, all attempts of a request together, the life of a connection. */
export type Patience = { connectTimeout: number; deadline: number; connectionMaxAge: number };

/** RDS Proxy, with an IAM token for a password. */
export type ProxySettings = Patience & { host: string; port: number; database: string; user: string; region: string };

/** A database outside the account, or Accelerate before one: its URL is in a secret. Neon's has a WebSocket. */
export type SecretSettings = Patience & { secretName: string; isNeon: boolean; webSocketProxy: string | undefined };

type Environment = Readonly<Record<string, string | undefined>>;

const PATIENCE = ["DB_CONNECT_TIMEOUT_SECONDS", "DB_DEADLINE_SECONDS", "DB_CONNECTION_MAX_AGE_SECONDS"] as const;
const OF_PROXY = ["DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "AWS_REGION"] as const;
const OF_SECRET = ["DB_SECRET_NAME"] as const;

/** Read the settings; throws InvalidSettings that names every variable that is missing or malformed. */
export function settingsFrom(environment: Environment = process.env): ProxySettings | SecretSettings {
  const needed = [...(environment["DB_SECRET_NAME"] ? OF_SECRET : OF_PROXY), ...PATIENCE];
  const missing = needed.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new InvalidSettings(`missing environment variables: ${missing.join(", ")}; set them on the function`);
  }
  const problems: string[] = [];
  const number = (name: string) => positive(name, environment[name]!, problems);
  const [connectTimeout, deadline, connectionMaxAge] = PATIENCE.map((name) => 1000 * number(name)) as [
    number,
    number,
    number,
  ];
  const patience = { connectTimeout, deadline, connectionMaxAge };
  const settings = environment["DB_SECRET_NAME"]
    ? {
        ...patience,
        secretName: environment["DB_SECRET_NAME"],
        isNeon: environment["NEON_MODE"] !== undefined,
        webSocketProxy: environment["NEON_WEBSOCKET_PROXY"], // instead of the database's own host, as on one machine
      }
    : {
        ...patience,
        host: environment["DB_HOST"]!,
        port: number("DB_PORT"),
        database: environment["DB_NAME"]!,
        user: environment["DB_USER"]!,
        region: environment["AWS_REGION"]!,
      };
  if (problems.length > 0) throw new InvalidSettings(problems.join("; "));
  return settings;
}

function positive(name: string, text: string, problems: string[]): number {
  const number = Number(text);
  if (number > 0 && number < 86_400) return number;
  problems.push(`${name} is ${JSON.stringify(text)}: a number above 0 and below 86400 is needed`);
  return 1;
}
