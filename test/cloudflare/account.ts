/**
 * The state of a Cloudflare account, as far as Edge IDP uses one. D1 databases hold real SQL (node:sqlite), so that
 * migrations apply or fail as they would.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

export interface Database {
  readonly uuid: string;
  readonly name: string;
  readonly jurisdiction: string | null;
  readonly sql: DatabaseSync;
}

export interface Version {
  readonly id: string;
  readonly number: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name and type of each binding, the ids of resources, and the values of plain variables. */
  readonly bindings: readonly Readonly<Record<string, unknown>>[];
  /** By name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly migrationTag: string | null;
  readonly hasCode: boolean;
}

export interface Deployment {
  readonly id: string;
  readonly versionId: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Script {
  readonly name: string;
  /** The newest first. */
  readonly versions: Version[];
  /** The newest first. */
  readonly deployments: Deployment[];
  isOnWorkersDev: boolean;
  crons: readonly string[];
  observability: unknown;
}

export interface Queue {
  readonly id: string;
  readonly name: string;
  settings: Readonly<Record<string, unknown>>;
  readonly consumers: { id: string; script: string; settings: unknown }[];
}

export interface AccountOptions {
  readonly plan?: "paid" | "free" | "hidden";
  /** Of workers.dev; null: the account has none yet. */
  readonly subdomain?: string | null;
}

export class Account {
  readonly id = randomBytes(16).toString("hex");
  readonly name = "Example's account";
  readonly token = `cf_${randomBytes(20).toString("hex")}`;
  readonly plan: "paid" | "free" | "hidden";
  readonly subdomain: string | null;
  readonly databases = new Map<string, Database>();
  /** Title by id. */
  readonly namespaces = new Map<string, string>();
  readonly queues = new Map<string, Queue>();
  /** Jurisdiction by name. */
  readonly buckets = new Map<string, string>();
  readonly scripts = new Map<string, Script>();
  /** Hashes of the static files that were uploaded. */
  readonly assets = new Set<string>();
  /** The zone that the account has. */
  readonly zone = { id: randomBytes(16).toString("hex"), name: "example.com" };
  /** Hosts with a DNS record of type A. */
  readonly hosts = new Set(["taken.example.com"]);
  /** Script by host name. */
  readonly domains = new Map<string, string>();

  constructor({ plan = "paid", subdomain = "example" }: AccountOptions = {}) {
    this.plan = plan;
    this.subdomain = subdomain;
  }

  createDatabase(name: string, jurisdiction: string | null): Database {
    const sql = new DatabaseSync(":memory:");
    const database = { uuid: randomUUID(), name, jurisdiction, sql };
    this.databases.set(database.uuid, database);
    return database;
  }

  createScript(name: string): Script {
    const script: Script = {
      name,
      versions: [],
      deployments: [],
      isOnWorkersDev: false,
      crons: [],
      observability: undefined,
    };
    this.scripts.set(name, script);
    return script;
  }

  /** The version that requests reach; undefined before the first deployment. */
  findActiveVersion(script: Script): Version | undefined {
    const [deployment] = script.deployments;
    return script.versions.find(({ id }) => id === deployment?.versionId);
  }

  close(): void {
    for (const { sql } of this.databases.values()) sql.close();
  }
}
