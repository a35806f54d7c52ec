/** Where a tenant may live: what is promised of one holds in every home, and on the way to another. */
import { Tenant } from "../support/client.ts";
import { provideJurisdictions } from "../support/jurisdictions.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";

export interface TenantLocation {
  readonly location: string;
  /** The platform's jurisdictions are there until the mocks are restored. */
  readonly tenant: () => Promise<Tenant>;
  /** Comes before the attack, once all is set up. */
  readonly begin: (tenant: Tenant) => Promise<unknown>;
  /** Goes on beside the attack. */
  readonly meanwhile: (tenant: Tenant) => Promise<unknown>;
}

async function nothing(): Promise<void> {}

const still = { begin: nothing, meanwhile: nothing };

export const fixedLocations: readonly TenantLocation[] = [
  { location: "in DB", tenant: () => Tenant.create(), ...still },
  { location: "in another database", tenant: () => Tenant.create("test", { shard: 1 }), ...still },
  {
    location: "in a jurisdiction",
    tenant: async () => {
      provideJurisdictions();
      return await Tenant.create("test", { jurisdiction: "eu" });
    },
    ...still,
  },
];

export const tenantLocations: readonly TenantLocation[] = [
  ...fixedLocations,
  {
    location: "on the way to another database",
    tenant: () => Tenant.create(),
    begin: (tenant) => relocateUpTo(tenant, 1, "copying"),
    meanwhile: nothing,
  },
  {
    location: "moved to another database meanwhile",
    tenant: () => Tenant.create(),
    begin: nothing,
    meanwhile: (tenant) => relocateFully(tenant, 1),
  },
];
