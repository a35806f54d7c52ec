/** Servers on this machine for the check of operations: the receiver of a webhook, and a stand-in of Cloudflare's API. */
import { createServer, type RequestListener } from "node:http";

async function listen(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** Counts the messages of a webhook. */
export async function startReceiver() {
  let messages = 0;
  const server = await listen((request, response) => {
    messages += 1;
    request.resume();
    response.writeHead(204).end();
  });
  return { ...server, count: () => messages };
}

/** The part of the API that lists and exports D1 databases. @param dump what an export contains */
export async function startPlatform(dump: Buffer) {
  const account = "0123456789abcdef0123456789abcdef";
  const uuid = "01234567-89ab-cdef-0123-456789abcdef";
  let exports = 0;
  let isFailing = false;
  let sent = dump;
  const server = await listen((request, response) => {
    request.resume();
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const answer = (result: unknown) =>
      response
        .writeHead(200, { "Content-Type": "application/json" })
        .end(JSON.stringify({ success: true, errors: [], messages: [], result }));
    if (pathname === "/dump.sql") {
      response.writeHead(200).end(sent);
    } else if (pathname === `/client/v4/accounts/${account}/d1/database/${uuid}/export`) {
      exports += 1;
      const signed_url = `http://${request.headers.host}/dump.sql`;
      const shared = { success: true, type: "export", messages: [], at_bookmark: "0" };
      // The first answer says that the export goes on.
      if (isFailing) answer({ ...shared, status: "error", error: "the stand-in refuses" });
      else if (exports === 1) answer({ ...shared, status: "active" });
      else answer({ ...shared, status: "complete", result: { signed_url, filename: "dump.sql" } });
    } else if (pathname.startsWith(`/client/v4/accounts/${account}/d1/database`)) {
      const database = { uuid, name: "edge-idp", version: "production", num_tables: 1 };
      // Without a name in the path it is the list.
      answer(pathname.endsWith("/d1/database") ? [database] : database);
    } else {
      response.writeHead(404).end("{}");
    }
  });
  return {
    ...server,
    account,
    exports: () => exports,
    /** From now on an export ends in the middle of its last row. */
    cut: () => {
      sent = dump.subarray(0, dump.lastIndexOf("INSERT INTO") + 40);
    },
    fail: () => {
      isFailing = true;
    },
  };
}
