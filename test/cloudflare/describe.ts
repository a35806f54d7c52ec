/** Describes an account without ids, so that two accounts with the same content have the same description. */
import type { Account } from "./account.ts";
import type { DeployedService } from "./deployed-service.ts";

/** The content of all tables, and the definitions. */
function describeDatabase({ sql }: Account["databases"] extends Map<string, infer T> ? T : never) {
  return {
    schema: sql.prepare("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name").all(),
    migrations: sql.prepare("SELECT name FROM d1_migrations ORDER BY id").all(),
  };
}

export function describeAccount(account: Account, { tenants }: DeployedService): unknown {
  const names = new Map<string, string>([
    ...[...account.databases.values()].map(({ uuid, name }) => [uuid, `database ${name}`] as const),
    ...[...account.namespaces].map(([id, title]) => [id, `namespace ${title}`] as const),
  ]);
  const scripts = [...account.scripts.values()].map((script) => {
    const active = account.findActiveVersion(script);
    return {
      name: script.name,
      crons: script.crons,
      isOnWorkersDev: script.isOnWorkersDev,
      message: active?.annotations["workers/message"],
      migrationTag: active?.migrationTag,
      bindings: active?.bindings
        .map((binding) =>
          JSON.stringify(
            Object.entries(binding)
              .map(([key, value]) => [key, names.get(String(value)) ?? value])
              .sort(),
          ),
        )
        .sort(),
      secrets: [...(active?.secrets.keys() ?? [])].sort(),
    };
  });
  return {
    databases: [...account.databases.values()].map((database) => ({
      name: database.name,
      jurisdiction: database.jurisdiction,
      ...describeDatabase(database),
    })),
    namespaces: [...account.namespaces.values()].sort(),
    queues: [...account.queues.values()]
      .map(({ name, settings, consumers }) => ({
        name,
        settings,
        consumers: consumers.map(({ script, settings: limits }) => ({ script, limits })),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    buckets: [...account.buckets],
    domains: [...account.domains],
    scripts,
    tenants: tenants.map(({ name, jurisdiction }) => ({ name, jurisdiction })),
  };
}
