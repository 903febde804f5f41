// A handler that does nothing: what Node.js and the runtime client cost.
export async function handler() {
  return { statusCode: 200, headers: {}, body: "{}" };
}
