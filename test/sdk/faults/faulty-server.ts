/** An HTTP server that answers as it is told, or not at all. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What the server does with a request. */
export type Reaction = (response: ServerResponse) => void;

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export function answer(
  status: number,
  body: unknown = {},
  headers: Record<string, string> = {},
): Reaction {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return (response) => {
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(text);
  };
}

/** An error body of the service. */
export function refuse(
  status: number,
  code: string,
  {
    headers = {},
    ...fields
  }: { readonly headers?: Record<string, string>; [name: string]: unknown } = {},
): Reaction {
  const body = { error: `The sentence of ${code}.`, code, request_id: "0".repeat(24), ...fields };
  return answer(status, body, headers);
}

export const cutConnection: Reaction = (response) => response.destroy();
export const staySilent: Reaction = () => {};

/** Sends text without an end, then cuts the connection or stays silent. */
export function beginAnswer(text: string, after: "cut" | "silence"): Reaction {
  return (response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.write(text, () => {
      if (after === "cut") response.destroy();
    });
  };
}

export class FaultyServer {
  readonly received: Received[] = [];
  readonly #server: Server;
  #reactions: Reaction[] = [];
  /** Resolves the promise of `untilReceived`. */
  #notify: () => void = () => {};

  private constructor() {
    this.#server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { method = "", url: path = "", headers } = request;
      this.received.push({ method, path, headers, body });
      this.#notify();
      const react = this.#reactions.shift();
      if (react === undefined) answer(500, "no reaction is left")(response);
      else react(response);
    });
  }

  static async start(): Promise<FaultyServer> {
    const server = new FaultyServer();
    await new Promise<void>((resolve) => {
      server.#server.listen(0, "127.0.0.1", resolve);
    });
    return server;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("The server has no port");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Forgets what it received, and reacts to the next requests in this order. */
  expect(...reactions: Reaction[]): void {
    this.received.length = 0;
    this.#reactions = reactions;
  }

  /** Waits until this many requests have arrived. */
  async untilReceived(count: number): Promise<void> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  cutConnections(): void {
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.cutConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
