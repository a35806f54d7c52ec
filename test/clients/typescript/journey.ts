/** The journey with a client that openapi-typescript generated: openapi-fetch with the generated types. */
import createClient from "openapi-fetch";
import { Secret, TOTP } from "otpauth";
import type { components, paths } from "./generated/api.d.ts";

type ApiError = components["schemas"]["Error"];
type AuditEvent = components["schemas"]["AuditEvent"];

const externalUserId = "ORG_USR_9921_AFG";

function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const client = createClient<paths>({
  baseUrl: environment("IDP_URL"),
  headers: { Authorization: `Bearer ${environment("IDP_TOKEN")}` },
});

/** Prints what a step read, for the check to compare. */
function report(step: string, read: object): void {
  process.stdout.write(`${JSON.stringify({ step, ...read })}\n`);
}

/** The body of a success. */
function bodyOf<Body>(answer: { data?: Body; error?: ApiError }): Body {
  if (answer.error !== undefined) throw new Error(`${answer.error.code}: ${answer.error.error}`);
  if (answer.data === undefined) throw new Error("The answer has no body");
  return answer.data;
}

/** The body of a refusal. */
function errorOf(answer: { error?: ApiError; response: Response }) {
  if (answer.error === undefined) throw new Error("The request was not refused");
  return { http: answer.response.status, error: answer.error };
}

async function* readEvents(body: ReadableStream<Uint8Array> | null): AsyncGenerator<AuditEvent> {
  if (body === null) throw new Error("The export has no body");
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as AuditEvent;
  }
}

const provisioned = bodyOf(
  await client.POST("/v1/idp/users", { body: { user: { external_id: externalUserId } } }),
);
report("provision", {
  external_id: provisioned.user.external_id,
  status: provisioned.user.status,
});

const enrolled = bodyOf(
  await client.POST("/v1/idp/user/otp", {
    params: { query: { externalUserId } },
    body: { otp: { issuer_name: "Acme", account_name: "alexander@enterprise.com" } },
  }),
);
report("enrol", { is_setup_complete: enrolled.user.is_setup_complete });

const totp = new TOTP({ secret: Secret.fromBase32(enrolled.user.new_otp_secret) });
const code = totp.generate();
const wrongCode = String((Number(code) + 1) % 1_000_000).padStart(6, "0");

const refused = errorOf(
  await client.POST("/v1/idp/otp/verify", {
    body: { otp: { id: externalUserId, code: wrongCode } },
  }),
);
report("wrong code", {
  http: refused.http,
  code: refused.error.code,
  attempts_remaining: refused.error.attempts_remaining,
});

const verified = bodyOf(
  await client.POST("/v1/idp/otp/verify", { body: { otp: { id: externalUserId, code } } }),
);
report("verify", { id: verified.id, status: verified.status, method: verified.method });

const list = bodyOf(await client.GET("/v1/idp/users", { params: { query: { limit: 10 } } }));
report("list", {
  users: list.users.map(({ external_id, status }) => `${external_id} ${status}`),
  has_more: list.has_more,
});

const head = bodyOf(await client.GET("/v1/audit/checkpoint"));
const exported = bodyOf(await client.GET("/v1/audit/export", { parseAs: "stream" }));
const events: AuditEvent[] = [];
for await (const event of readEvents(exported)) events.push(event);
report("export", {
  is_complete: events.length >= head.checkpoint.tree_size,
  actions: events.map(({ action }) => action),
});

const unknown = errorOf(
  await client.GET("/v1/idp/user", { params: { query: { externalUserId: "nobody" } } }),
);
report("unknown user", { http: unknown.http, code: unknown.error.code });
