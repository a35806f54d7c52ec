/** Sends requests over open connections. */
import { Agent, request } from "node:http";

/** Longer than any answer should take; the request then counts as unanswered. */
const requestTimeoutMs = 30_000;
const agent = new Agent({ keepAlive: true });

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly token: string;
  readonly body?: object;
  /** The time at which a test tenant runs the request, Unix ms. */
  readonly at?: number;
}

export interface Answer {
  readonly status: number;
  readonly requestId: string;
  readonly body: unknown;
}

function headersOf({ token, at }: Request, body: string | undefined): Record<string, string> {
  return {
    Authorization: `Bearer ${token}`,
    ...(at === undefined ? {} : { "Test-Clock": new Date(at).toISOString() }),
    ...(body === undefined
      ? {}
      : {
          "Content-Type": "application/json",
          "Content-Length": String(Buffer.byteLength(body)),
        }),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws Error if the connection breaks, or no answer comes in time */
export function send(url: string, asked: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, path } = asked;
    const body = asked.body === undefined ? undefined : JSON.stringify(asked.body);
    const options = { method, headers: headersOf(asked, body), agent, timeout: requestTimeoutMs };
    const sent = request(`${url}${path}`, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () => {
        const { statusCode = 0, headers } = answer;
        resolve({
          status: statusCode,
          requestId: String(headers["x-request-id"] ?? ""),
          body: parseJson(Buffer.concat(chunks).toString("utf8")),
        });
      });
    });
    sent.once("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Closes the open connections. */
export function closeConnections(): void {
  agent.destroy();
}
