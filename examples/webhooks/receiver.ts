/**
 * A receiver of webhooks: `WEBHOOK_SECRET=whsec_… npm start -w examples/webhooks`. It verifies each message, answers
 * at once, and handles an event once, however often it arrives.
 */
import { createServer, type IncomingMessage } from "node:http";
import { verifyWebhook, WebhookError, type WebhookMessage } from "@edge-idp/sdk/webhooks";

const { WEBHOOK_SECRET: secret = "", PORT: port = "8790" } = process.env;
/** More than an event of the service has. */
const maxBodyBytes = 64 * 1024;

/** In your receiver, a table: ids of events that were handled. */
const handled = new Set<string>();

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What your application does with an event. */
function handle({ type, data }: WebhookMessage): void {
  const isTest = type === "webhook.test";
  const target = isTest ? "" : ` of ${data.target.external_id ?? data.target.id}`;
  console.log(`${type}${target}`);
}

/** @returns the status of the answer: 2xx means that the message need not come again */
async function receive(request: IncomingMessage): Promise<number> {
  if (request.method !== "POST") return 405;
  const body = await readBody(request);
  if (body === undefined) return 413;
  try {
    const message = await verifyWebhook(request.headers, body, secret);
    if (!handled.has(message.id)) handle(message);
    handled.add(message.id);
    return 204;
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    console.warn(error.message);
    return 400;
  }
}

const server = createServer(async (request, response) => {
  const status = await receive(request).catch((error) => {
    console.error(error);
    return 500;
  });
  response.writeHead(status).end();
});
server.listen(Number(port), () => console.log(`Receiving at http://localhost:${port}`));
