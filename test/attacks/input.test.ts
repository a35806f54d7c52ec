/** Input: bodies that are too large, too deep, malformed or of the wrong type, and unknown fields. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { defaultMaxBodyBytes } from "../../src/http/body.ts";
import { send, Tenant, User } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { operations } from "./operations.ts";

let tenant: Tenant;
let user: User;

beforeAll(async () => {
  tenant = await Tenant.create();
  user = await User.withTotp(tenant, "alice");
});

const withBody = operations.filter(({ takesBody }) => takesBody);
const json = { "Content-Type": "application/json" };
const bytes = (text: string) => new TextEncoder().encode(text);

/** A JSON body around bytes that are not UTF-8. */
function wrapBytes(...wrong: number[]): Uint8Array {
  return new Uint8Array([...bytes('{"user":{"external_id":"'), ...wrong, ...bytes('"}}')]);
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The one object to which browsers add fields. */
const openObject = "credential";

/** The path of each strict object within a body, as field names. */
function findObjectPaths(value: unknown): string[][] {
  if (!isObject(value)) return [];
  const strict = Object.entries(value).filter(([name]) => name !== openObject);
  const within = strict.flatMap(([name, part]) =>
    findObjectPaths(part).map((rest) => [name, ...rest]),
  );
  return [[], ...within];
}

/** The body as JSON text, with one more field in the object at that path. */
function addField(value: unknown, [next, ...rest]: readonly string[], field: string): string {
  const fields = isObject(value) ? Object.entries(value) : [];
  const written = fields.map(
    ([name, part]) =>
      `${JSON.stringify(name)}:${name === next ? addField(part, rest, field) : JSON.stringify(part)}`,
  );
  return `{${[...written, ...(next === undefined ? [`"${field}":{"locked":false}`] : [])].join()}}`;
}

describe.each(withBody)("$method $template", ({ name, method, isForOperator }) => {
  const { path, body = {} } = requestTo(name, { ...unknownUser, externalId: "alice" });
  const good = JSON.stringify(body);
  const route = apiRoutes.find(({ definition }) => definition.name === name);
  const { maxBodyBytes = defaultMaxBodyBytes } = route?.definition ?? {};
  const [group = ""] = Object.keys(body);
  const ask = async (sent: string | Uint8Array, headers: Record<string, string> = json) => {
    const token = isForOperator ? env.OPERATOR_TOKEN : tenant.token;
    const answer = await send(method, path, { token, body: sent, headers });
    return `${answer.status} ${answer.body.code}`;
  };

  it("refuses a body that is too large, of another type or malformed", async () => {
    expect(await ask(good + " ".repeat(maxBodyBytes))).toBe("413 body_too_large");
    expect(await ask(" ".repeat(1_000_000))).toBe("413 body_too_large");
    expect(await ask("[".repeat(maxBodyBytes + 1))).toBe("413 body_too_large");
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "",
    ]) {
      expect(await ask(good, { "Content-Type": type })).toBe("415 unsupported_media_type");
    }
    for (const text of [
      "",
      " ",
      good.slice(0, -1),
      `${good}}`,
      `${good},`,
      "{'a':1}",
      "NaN",
      "{a:1}",
    ]) {
      expect(await ask(text)).toBe("400 invalid_json");
    }
    for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) {
      expect(await ask(wrapBytes(...wrong))).toBe("400 invalid_json");
    }
    const nested = 4_000;
    for (const text of [
      "null",
      "[]",
      '"text"',
      "1e999",
      "{}",
      `[${good}]`,
      `${"[".repeat(nested)}${"]".repeat(nested)}`,
      `{"${group}":${'{"a":'.repeat(2_500)}1${"}".repeat(2_500)}}`,
      `{"${group}":null}`,
      `{"${group}":[]}`,
      `{"${group}":"text"}`,
    ]) {
      expect(await ask(text)).toBe("400 invalid_request");
    }
  });

  it("refuses an unknown field at any depth and names it", async () => {
    const token = isForOperator ? env.OPERATOR_TOKEN : tenant.token;
    for (const objectPath of findObjectPaths(body)) {
      for (const field of ["tenant_id", "locked", "failed_attempts", "__proto__", "constructor"]) {
        const sent = addField(body, objectPath, field);
        const answer = await send(method, path, { token, body: sent, headers: json });
        expect(answer.body.code).toBe("invalid_request");
        expect(answer.body.issues).toContainEqual({
          path: [...objectPath, field].join("."),
          message: "is not a field of this request",
        });
      }
    }
    expect(Reflect.get({}, "locked")).toBeUndefined();
  });
});

it("The refused bodies leave the user unchanged and count as no attempt", async () => {
  expect(await user.profile()).toMatchObject({
    status: "active",
    has_otp: true,
    failed_attempts: 0,
    saas_client_id: tenant.id,
  });
});

describe("A body with hundreds of wrong parts", () => {
  it.each([
    [
      "networks",
      `{"settings":{"sentinel":{"deny":[${Array.from({ length: 500 }, () => '"x"')}]}}}`,
    ],
    ["fields", `{${Array.from({ length: 1_500 }, (_, n) => `"f${n}":1`)}}`],
  ])("(%s) gets an issue for each of the first twenty only", async (_, body) => {
    const answer = await send("PATCH", "/v1/settings", {
      token: tenant.token,
      body,
      headers: json,
    });
    expect(answer.body.code).toBe("invalid_request");
    expect(answer.body.issues).toHaveLength(20);
  });
});

describe("A body", () => {
  const request = (external_id: string) => JSON.stringify({ user: { external_id } });

  it("of exactly 16 KiB passes, and one byte more is refused", async () => {
    const text = request("to the byte");
    const full = text + " ".repeat(16 * 1024 - text.length);
    const sent = async (body: string) =>
      (await send("POST", "/v1/idp/users", { token: tenant.token, body })).status;
    expect(await sent(`${full} `)).toBe(413);
    expect(await sent(full)).toBe(201);
  });

  it("that arrives in chunks without a length has the same limit", async () => {
    const post = async (piece: string, pieces: number) => {
      const body = new ReadableStream({
        start(controller) {
          for (let n = 0; n < pieces; n += 1) controller.enqueue(bytes(piece));
          controller.close();
        },
      });
      const init = {
        method: "POST",
        body,
        headers: { Authorization: `Bearer ${tenant.token}`, ...json },
      };
      return (await exports.default.fetch(new Request("https://idp.test/v1/idp/users", init)))
        .status;
    };
    expect(await post(" ".repeat(1024), 1024)).toBe(413);
    expect(await post("[", 20_000)).toBe(413);
    expect(await post(request("in pieces"), 1)).toBe(201);
  });

  it("with another media type for JSON passes", async () => {
    const types = [
      "application/json; charset=utf-8",
      "APPLICATION/JSON",
      "application/vnd.api+json",
    ];
    for (const [n, type] of types.entries()) {
      const { status } = await send("POST", "/v1/idp/users", {
        token: tenant.token,
        body: request(`type ${n}`),
        headers: { "Content-Type": type },
      });
      expect(status).toBe(201);
    }
  });

  it("is refused and changes nothing on a route that takes none", async () => {
    for (const suffix of ["/unlock", "/backup-codes"]) {
      const answer = await tenant.send("POST", user.path(suffix), { user: { locked: false } });
      expect(answer.body.code).toBe("invalid_request");
    }
    const erasing = await tenant.send("DELETE", user.path(), { confirm: true });
    expect(erasing.status).toBe(400);
    expect((await user.profile()).backup_codes_remaining).toBe(0);
  });
});
