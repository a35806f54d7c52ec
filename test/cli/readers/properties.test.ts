/** What holds for every text: a reader never crashes, shows no secret, and gives each user the own secrets alone. */
import { base32nopad, base64, hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry, Form } from "../../../packages/cli/src/import/entry.ts";
import { forms } from "../../../packages/cli/src/import/forms.ts";
import { ReadError } from "../../../packages/cli/src/import/read-error.ts";
import { decodeSecret } from "../../../src/otp/decode-secret.ts";
import { readAll, usersOf } from "./read.ts";

const runs = 60;

/** The entries, or nothing if the file is refused as a whole. */
async function attempt(form: Form, text: string): Promise<readonly Entry[]> {
  try {
    return await readAll(form, text);
  } catch (error) {
    // Anything else would be a crash.
    expect(error).toBeInstanceOf(ReadError);
    return [];
  }
}

/** Names of fields that readers look for, so that random values get far into them. */
const fields = [
  ...["users", "user", "id", "user_id", "userId", "external_id", "username", "credentials", "type"],
  ...["secretData", "credentialData", "totp", "config", "totp_url", "recovery_codes", "code"],
  ...["orgs", "humanUsers", "otpCode", "twoFactor", "methods", "secret", "method", "model", "pk"],
  ...["fields", "key", "step", "db", "entries", "info", "version", "services", "schemaVersion"],
  ...["otp", "factor_type", "status", "mfa_factors", "authenticators", "backup_codes", "hashes"],
  ...["__proto__", "constructor", "toString", "length"],
];
const values = [
  ...["otp", "totp", "verified", "active", "authenticator", "otp_totp.totpdevice", "auth.user"],
  ...["{}", "[]", "null", '{"subType":"totp"}', "otpauth://totp/a?secret=AAAA", "\u0000", "😀"],
];

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(...values),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...fields), tie("tree"), { maxKeys: 6 }),
  ),
}));

describe.each(forms.map((form) => [form.name, form] as const))(
  "The reader of %s",
  (_name, form) => {
    it("never crashes on hostile JSON", async () => {
      await fc.assert(
        fc.asyncProperty(tree, async (value) => {
          await attempt(form, JSON.stringify(value) ?? "");
        }),
        { numRuns: runs },
      );
    });

    it("never crashes on other texts", async () => {
      const line = fc.oneof(
        fc.constantFrom(...values, ",", '"', "external_id,secret"),
        fc.string(),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
          await attempt(form, lines.join("\n"));
        }),
        { numRuns: runs },
      );
    });
  },
);

interface Person {
  readonly id: string;
  readonly secrets: readonly Uint8Array[];
}

const people = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z0-9]{1,12}$/),
    secrets: fc.array(fc.uint8Array({ minLength: 10, maxLength: 40 }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 12 },
);

function uriOf(id: string, secret: Uint8Array): string {
  return `otpauth://totp/Acme:${id}?secret=${base32nopad.encode(secret)}`;
}

/** Writers of forms, each in the order of the people. */
const writers: Readonly<Record<string, (all: readonly Person[]) => string>> = {
  keycloak: (all) =>
    JSON.stringify({
      users: all.map(({ id, secrets }) => ({
        id,
        credentials: secrets.map((secret) => ({
          type: "otp",
          credentialData: '{"subType":"totp","secretEncoding":"BASE32"}',
          secretData: JSON.stringify({ value: base32nopad.encode(secret) }),
        })),
      })),
    }),
  fusionauth: (all) =>
    JSON.stringify({
      users: all.map(({ id, secrets }) => ({
        id,
        twoFactor: {
          methods: secrets.map((secret) => ({
            method: "authenticator",
            secret: base64.encode(secret),
          })),
        },
      })),
    }),
  // Keys and names of different people may be the same text.
  django: (all) =>
    JSON.stringify([
      ...all.flatMap(({ secrets }, index) =>
        secrets.map((secret) => ({
          model: "otp_totp.totpdevice",
          pk: 1,
          fields: { user: index, key: hex.encode(secret) },
        })),
      ),
      ...all.map(({ id }, index) => ({
        model: "auth.user",
        pk: index,
        fields: { username: id, password: "", last_login: null },
      })),
    ]),
  auth0: (all) =>
    all
      .flatMap(({ id, secrets }) =>
        secrets.map((secret) =>
          JSON.stringify({ user_id: id, type: "otp", otp_secret: base32nopad.encode(secret) }),
        ),
      )
      .join("\n"),
  otpauth: (all) =>
    all.flatMap(({ id, secrets }) => secrets.map((secret) => uriOf(id, secret))).join("\r\n"),
  csv: (all) =>
    [
      "external_id,encoding,secret",
      ...all.flatMap(({ id, secrets }) =>
        secrets.map((secret) => `${id},hex,${hex.encode(secret)}`),
      ),
    ].join("\n"),
  aegis: (all) =>
    JSON.stringify({
      version: 1,
      db: {
        entries: all.flatMap(({ id, secrets }) =>
          secrets.map((secret) => ({
            type: "totp",
            name: id,
            info: { secret: base32nopad.encode(secret) },
          })),
        ),
      },
    }),
};

describe.each(Object.entries(writers))("A row of %s", (name, write) => {
  it("has the user's own secrets, all of them, and no other", async () => {
    const form = forms.find((one) => one.name === name);
    if (form === undefined) throw new Error(name);
    await fc.assert(
      fc.asyncProperty(people, async (all) => {
        const found = usersOf(await readAll(form, write(all))).map(({ row }) => ({
          id: row.external_id,
          secrets: row.authenticators.map(({ secret, encoding }) =>
            hex.encode(decodeSecret(secret, encoding) ?? new Uint8Array()),
          ),
        }));
        const wanted = all.map(({ id, secrets }) => ({
          id,
          secrets: secrets.map((secret) => hex.encode(secret)),
        }));
        expect(found).toEqual(wanted);
      }),
      { numRuns: runs },
    );
  });
});

describe("What is said about a user", () => {
  it("never has a part of the secret", async () => {
    const marker = "SECRETSECRETSECRET";
    const spoil = (person: string) =>
      [
        ...["keycloak", "fusionauth", "kratos", "zitadel"].map((name) => [
          name,
          JSON.stringify({
            users: [
              {
                id: person,
                credentials: [
                  {
                    type: "otp",
                    secretData: `{"value":"${marker}!"}`,
                    credentialData: '{"subType":"totp","secretEncoding":"BASE32"}',
                  },
                ],
                twoFactor: { methods: [{ method: "authenticator", secret: `${marker}!` }] },
              },
            ],
          }),
        ]),
        ["csv", `external_id,secret\n${person},${marker}!\n"${marker}`],
        ["otpauth", `otpauth://totp/${person}?secret=${marker}!\nnonsense ${marker}`],
        [
          "2fas",
          `{"schemaVersion":4,"services":[{"secret":"${marker}!","otp":{"account":"${person}"}}]}`,
        ],
        [
          "aegis",
          `{"version":1,"db":{"entries":[{"type":"totp","name":"${person}","info":{"secret":"${marker}!"}}]}}`,
        ],
        [
          "edge-idp",
          `{"external_id":"${person}","authenticators":[{"secret":"${marker}!"}]}\n{"x":"${marker}`,
        ],
      ] as const;
    for (const [name, text] of spoil("alice")) {
      const form = forms.find((one) => one.name === name);
      if (form === undefined || text === undefined) throw new Error(name);
      const said: unknown[] = [];
      try {
        for await (const entry of form.read(pieces(text), { idField: form.idFields[0] })) {
          said.push(entry.kind === "user" ? entry.notes : entry);
        }
      } catch (error) {
        said.push(String(error));
      }
      expect(said, name).not.toEqual([]);
      expect(JSON.stringify(said), name).not.toContain(marker.slice(0, 6));
    }
  });
});

async function* pieces(text: string): AsyncGenerator<string> {
  yield text;
}
