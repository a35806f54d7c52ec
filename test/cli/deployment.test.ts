/** The configuration that `edge-idp setup` derives, and when `edge-idp upgrade` may roll back. */
import { parse, stringify } from "smol-toml";
import { describe, expect, it } from "vitest";
import {
  type Configuration,
  configurationSchema,
  createQueues,
  type Deployment,
  deriveConfiguration,
} from "../../packages/cli/src/cloudflare/configuration.ts";
import { findObstacle } from "../../packages/cli/src/cloudflare/roll-back.ts";
import wranglerToml from "../../wrangler.toml?raw";

const base = configurationSchema.parse(parse(wranglerToml));

const deployment: Deployment = {
  name: "idp",
  accountId: "account",
  publicUrl: "https://idp.example.workers.dev",
  domain: undefined,
  isFree: false,
  hasQueues: false,
  hasArchive: false,
  jurisdiction: undefined,
  databaseIds: new Map([["DB", "database"]]),
  namespaceIds: new Map([
    ["IP_REPUTATION", "reputation"],
    ["AUDIT_WITNESS", "witness"],
  ]),
};

/** As the next run reads what this one has written. */
function reread(configuration: Configuration): Configuration {
  return configurationSchema.parse(parse(stringify(configuration)));
}

describe("The configuration of a deployment", () => {
  it("has its own name and ids, and everything else from wrangler.toml", () => {
    const derived = deriveConfiguration(base, undefined, deployment);
    expect(derived).toMatchObject({ name: "idp", account_id: "account" });
    expect(derived.d1_databases).toEqual([
      { ...base.d1_databases[0], database_name: "idp", database_id: "database" },
    ]);
    expect(derived.kv_namespaces.map(({ id }) => id)).toEqual(["reputation", "witness"]);
    const { name, account_id, vars, d1_databases, kv_namespaces, ...others } = derived;
    expect(base).toMatchObject(others);
  });

  it("has the same text when it is derived again", () => {
    const everything = { ...deployment, hasQueues: true, hasArchive: true };
    const first = deriveConfiguration(base, undefined, everything);
    expect(stringify(deriveConfiguration(base, reread(first), everything))).toBe(stringify(first));
  });

  it("keeps variables, further databases and what wrangler.toml does not have", () => {
    const first = reread(deriveConfiguration(base, undefined, deployment));
    const second = { binding: "DB_1", database_name: "idp-1", database_id: "second" };
    const changed = {
      ...first,
      vars: { ...first.vars, SENTINEL_FEEDS: "ipsum" },
      d1_databases: [...first.d1_databases, second],
      limits: { cpu_ms: 300_000 },
    };
    const derived = deriveConfiguration(base, changed, deployment);
    expect(derived.vars).toMatchObject({ SENTINEL_FEEDS: "ipsum" });
    expect(derived.d1_databases[1]).toEqual(second);
    expect(derived).toMatchObject({ limits: { cpu_ms: 300_000 } });
  });

  it("takes over new bindings and variables of wrangler.toml", () => {
    const first = reread(deriveConfiguration(base, undefined, deployment));
    const newer = {
      ...base,
      vars: { ...base.vars, NEW_SETTING: "on" },
      kv_namespaces: [...base.kv_namespaces, { binding: "MORE" }],
    };
    const namespaceIds = new Map([...deployment.namespaceIds, ["MORE", "more"] as const]);
    const derived = deriveConfiguration(newer, first, { ...deployment, namespaceIds });
    expect(derived.vars).toMatchObject({ NEW_SETTING: "on" });
    expect(derived.kv_namespaces[2]).toEqual({ binding: "MORE", id: "more" });
  });

  it("serves at a host of the operator, and no longer at workers.dev", () => {
    const first = reread(deriveConfiguration(base, undefined, deployment));
    const hosted = {
      ...deployment,
      domain: "idp.example.com",
      publicUrl: "https://idp.example.com",
    };
    const derived = deriveConfiguration(base, first, hosted);
    expect(derived).toMatchObject({
      workers_dev: false,
      routes: [{ pattern: "idp.example.com", custom_domain: true }],
    });
    expect(derived.vars.PUBLIC_URL).toBe("https://idp.example.com");
    expect(deriveConfiguration(base, reread(derived), deployment)).toEqual(reread(derived));
  });

  it("warns at the size of Workers Free", () => {
    const free = deriveConfiguration(base, undefined, { ...deployment, isFree: true });
    expect(free.vars.MAX_DATABASE_MB).toBe("500");
  });

  it("has the queues that wrangler.toml has in comments", () => {
    const [, commented = ""] = /\n((?:# ?\[\[queues[\s\S]*?)\n)\n/.exec(wranglerToml) ?? [];
    const sections = commented.replaceAll(/^# ?/gm, "");
    expect(parse(sections)).toEqual({ queues: createQueues("edge-idp") });
  });
});

describe("An upgrade", () => {
  const note = {
    tag: "edge-idp-0",
    startedAt: "2026-11-30T00:00:00Z",
    previousVersion: "before",
    previousMigrationTag: "v7",
    wasReady: true,
    migrations: ["0009_destinations.sql"],
    backup: null,
  };

  it("may roll back after migrations that only add", () => {
    expect(findObstacle(note, "v7")).toBeUndefined();
  });

  it.each([
    [
      "a migration that the version before cannot run with",
      { migrations: ["0005_reviewed_faults.sql"] },
      "v7",
    ],
    ["a migration of Durable Objects", {}, "v8"],
    ["a version that was not ready", { wasReady: false }, "v7"],
  ])("does not roll back to %s", (_title, change, migrationTag) => {
    expect(findObstacle({ ...note, ...change }, migrationTag)).toBeTypeOf("string");
  });
});
