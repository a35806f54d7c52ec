/**
 * Live messages of webhooks, during a rotation of the secret too. Each is verified by four programs that read the same
 * bytes: the libraries of Standard Webhooks of npm, PyPI and Go, and the SDK. They refuse altered ones.
 */
import { cpSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EdgeIdp } from "@edge-idp/sdk";
import { verifyWebhook } from "@edge-idp/sdk/webhooks";
import { Webhook } from "standardwebhooks";
import { Commands } from "../e2e/commands.ts";
import type { LocalService } from "../e2e/local-service.ts";
import type { Report } from "../e2e/report.ts";

const wantedMessages = 6;
const pollMs = 100;
const maxPolls = 300;
const headerNames = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;

interface Message {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A message, and whether it must be accepted. */
interface Case {
  readonly title: string;
  readonly message: Message;
  readonly isValid: boolean;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Replaces one digit or letter of the signature. */
function alterSignature(signature: string): string {
  return signature.replaceAll(/,(.)/g, (_, first) => (first === "A" ? ",B" : ",A"));
}

function casesOf(
  received: readonly Omit<Message, "secret">[],
  older: string,
  newer: string,
): Case[] {
  const other = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  return received.flatMap(({ headers, body }): Case[] => {
    const isRotated = headers["webhook-signature"]?.includes(" ") ?? false;
    const add = (title: string, message: Partial<Message>, isValid: boolean) => ({
      title,
      isValid,
      message: { secret: older, headers, body, ...message },
    });
    return [
      add("the first secret", {}, true),
      add("the second secret", { secret: newer }, isRotated),
      add("another secret", { secret: other }, false),
      add("another body", { body: `${body} ` }, false),
      add("another id", { headers: { ...headers, "webhook-id": "1".repeat(24) } }, false),
      add("another time", { headers: { ...headers, "webhook-timestamp": "1" } }, false),
      add(
        "another signature",
        {
          headers: {
            ...headers,
            "webhook-signature": alterSignature(headers["webhook-signature"] ?? ""),
          },
        },
        false,
      ),
    ];
  });
}

export class WebhookCheck {
  readonly #report: Report;
  readonly #service: LocalService;
  readonly #folder: string;
  readonly #commands: Commands;
  readonly #received: Omit<Message, "secret">[] = [];
  readonly #server: Server;

  /** @param scratch a new folder */
  constructor(report: Report, root: string, scratch: string, service: LocalService) {
    this.#report = report;
    this.#service = service;
    this.#folder = join(scratch, "webhooks");
    this.#commands = new Commands(this.#folder);
    cpSync(join(root, "test/clients/webhooks"), this.#folder, { recursive: true });
    this.#server = createServer(async (request, response) => {
      const body = await readBody(request);
      const headers = headerNames.map((name) => [name, String(request.headers[name])]);
      this.#received.push({ headers: Object.fromEntries(headers), body });
      response.writeHead(204).end();
    });
  }

  async run(): Promise<void> {
    await this.#commands.installPythonPackages();
    await this.#commands.run("go", ["vet", "."]);
    await this.#commands.run("go", ["build", "-o", "verify", "."]);

    const cases = await this.#collectCases();
    writeFileSync(
      join(this.#folder, "messages.ndjson"),
      cases.map(({ message }) => `${JSON.stringify(message)}\n`).join(""),
    );
    const isAccepted = (verify: (message: Message) => unknown) =>
      Promise.all(
        cases.map(async ({ message }) => {
          try {
            await verify(message);
            return true;
          } catch {
            return false;
          }
        }),
      );
    this.#compare(
      "npm",
      cases,
      await isAccepted(({ secret, headers, body }) => new Webhook(secret).verify(body, headers)),
    );
    this.#compare(
      "SDK",
      cases,
      await isAccepted(({ secret, headers, body }) => verifyWebhook(headers, body, secret)),
    );
    this.#compare("PyPI", cases, await this.#verifyIn("venv/bin/python", ["verify.py"]));
    this.#compare("Go", cases, await this.#verifyIn("./verify", []));
  }

  async close(): Promise<void> {
    await this.#commands.close();
    this.#server.close();
  }

  /** Has the service send messages: with one secret, and then with two. */
  async #collectCases(): Promise<Case[]> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port }: Pick<AddressInfo, "port"> = Object(this.#server.address());
    const { url, operatorToken } = this.#service;
    const operator = new EdgeIdp({ url, token: operatorToken });
    const { token } = await operator.tenants.create({ name: "Acme", mode: "test" });
    const idp = new EdgeIdp({ url, token: token.secret });
    const target = { url: `http://127.0.0.1:${port}/hooks`, events: ["user.*" as const] };
    const { id, secret: older } = await idp.webhooks.create(target);
    for (const name of ["José 👤", "\u2028 line", "plain"]) await idp.users.provision(name);
    await this.#waitFor(wantedMessages / 2);
    const { secret: newer } = await idp.webhooks.rotateSecret(id, { overlap_seconds: 600 });
    for (const name of ["second 1", "second 2", "second 3"]) await idp.users.provision(name);
    await this.#waitFor(wantedMessages);
    return casesOf(this.#received, older, newer);
  }

  async #waitFor(count: number): Promise<void> {
    for (let poll = 0; poll < maxPolls && this.#received.length < count; poll += 1)
      await sleep(pollMs);
    if (this.#received.length < count)
      throw new Error(`${this.#received.length} messages have arrived`);
  }

  #compare(library: string, cases: readonly Case[], accepted: readonly boolean[]): void {
    const problems = cases.flatMap(({ title, isValid }, index) =>
      accepted[index] === isValid ? [] : [`${isValid ? "refuses" : "accepts"} ${title}`],
    );
    this.#report.add(`webhooks: ${cases.length} messages and alterations (${library})`, problems);
  }

  async #verifyIn(command: string, args: readonly string[]): Promise<boolean[]> {
    const output = await this.#commands.run(command, [...args, "messages.ndjson"]);
    return output
      .trim()
      .split("\n")
      .map((line) => line === "true");
  }
}
