/** Where a tenant may live: what is promised of one holds in every home, and on the way to another. */
import { Tenant } from "../support/client.ts";
import { provideJurisdictions } from "../support/jurisdictions.ts";
import { moved, movedUpTo } from "../support/relocation.ts";

export interface Home {
  readonly home: string;
  /** The platform's jurisdictions are there until the mocks are restored. */
  readonly tenant: () => Promise<Tenant>;
  /** Comes before the attack, once all is set up. */
  readonly begin: (tenant: Tenant) => Promise<unknown>;
  /** Goes on beside the attack. */
  readonly meanwhile: (tenant: Tenant) => Promise<unknown>;
}

async function nothing(): Promise<void> {}

const still = { begin: nothing, meanwhile: nothing };

export const homesAtRest: readonly Home[] = [
  { home: "in DB", tenant: () => Tenant.create(), ...still },
  { home: "in another database", tenant: () => Tenant.create("test", { shard: 1 }), ...still },
  {
    home: "in a jurisdiction",
    tenant: async () => {
      provideJurisdictions();
      return await Tenant.create("test", { jurisdiction: "eu" });
    },
    ...still,
  },
];

export const homes: readonly Home[] = [
  ...homesAtRest,
  {
    home: "on the way to another database",
    tenant: () => Tenant.create(),
    begin: (tenant) => movedUpTo(tenant, 1, "copying"),
    meanwhile: nothing,
  },
  {
    home: "moved to another database meanwhile",
    tenant: () => Tenant.create(),
    begin: nothing,
    meanwhile: (tenant) => moved(tenant, 1),
  },
];
