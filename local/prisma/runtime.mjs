// Lambda's Runtime API, spoken for a Node function: `node runtime.mjs index.handler`, in the folder that /var/task would be.
// AWS's own client (aws-lambda-ric) has to be compiled; this one does what the Lambda Developer Guide says of any,
// "Building a custom runtime".

import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${api}/${target}`, { method, agent }, async (response) => {
      const chunks = await Array.fromAsync(response).catch(reject);
      resolve({ headers: response.headers, text: Buffer.concat(chunks ?? []).toString() });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function described(error) {
  return JSON.stringify({ errorType: error?.name, errorMessage: String(error?.message ?? error) });
}

async function load(name) {
  const [file, exported] = name.split(".");
  const module = await import(pathToFileURL(path.resolve(`${file}.mjs`)).href);
  return module[exported];
}

async function next(handler) {
  const { headers, text } = await call("GET", "invocation/next");
  const [id, deadline] = [headers["lambda-runtime-aws-request-id"], Number(headers["lambda-runtime-deadline-ms"])];
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    const answer = await handler(JSON.parse(text), context);
    await call("POST", `invocation/${id}/response`, JSON.stringify(answer ?? null));
  } catch (error) {
    console.error(error);
    await call("POST", `invocation/${id}/error`, described(error));
  }
}

try {
  const handler = await load(process.argv[2]);
  for (;;) await next(handler);
} catch (error) {
  console.error(error);
  await call("POST", "init/error", described(error)).catch(() => {}); // or whom it spoke with has ended
  process.exit(1);
}
