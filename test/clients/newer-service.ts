/**
 * Answers as a later version of the service may: with a field more in every object, with values that are new, with
 * error codes that are new, and with a status that the document does not name. A client must read all of it.
 */
import { createServer, type Server } from "node:http";

/** Fields of answers whose values may become more. */
const openFields = new Set(["action", "code", "method", "otp_status", "outcome", "status", "type"]);
/** The status of an unknown user becomes one that no operation names. */
const newStatuses: Readonly<Record<number, number>> = { 404: 410 };

export function renew(value: string): string {
  return `new_${value}`;
}

export function renewStatus(status: number): number {
  return newStatuses[status] ?? status;
}

function renewDeeply(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renewDeeply);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    openFields.has(name) && typeof field === "string" ? renew(field) : renewDeeply(field),
  ]);
  return { ...Object.fromEntries(fields), new_field: { list: [1, null, "text"] } };
}

function renewLines(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => `${JSON.stringify(renewDeeply(JSON.parse(line)))}\n`).join("");
}

/** Passes each request on to the service. @returns its address, and a function that ends it */
export async function startNewerService(
  service: string,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization = "", "content-type": contentType } = request.headers;
    const answer = await fetch(`${service}${request.url}`, {
      method: request.method ?? "GET",
      headers: { authorization, ...(contentType ? { "content-type": contentType } : {}) },
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    response.writeHead(renewStatus(answer.status), {
      "Content-Type": answer.headers.get("Content-Type") ?? "application/json",
    });
    response.end(renewLines(await answer.text()));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
