/** The databases and jurisdictions of tenants. The promises hold in each, and during a relocation. */
import { Tenant } from "../support/client.ts";
import { provideJurisdictions } from "../support/jurisdictions.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";

export interface TenantLocation {
  readonly location: string;
  /** Creates the tenant. Jurisdictions are provided until the mocks are restored. */
  readonly tenant: () => Promise<Tenant>;
  /** Runs after the set-up, before the attack. */
  readonly begin: (tenant: Tenant) => Promise<unknown>;
  /** Runs concurrently with the attack. */
  readonly meanwhile: (tenant: Tenant) => Promise<unknown>;
}

async function doNothing(): Promise<void> {}

const noRelocation = { begin: doNothing, meanwhile: doNothing };

export const fixedLocations: readonly TenantLocation[] = [
  { location: "in DB", tenant: () => Tenant.create(), ...noRelocation },
  {
    location: "in another database",
    tenant: () => Tenant.create("test", { shard: 1 }),
    ...noRelocation,
  },
  {
    location: "in a jurisdiction",
    tenant: async () => {
      provideJurisdictions();
      return await Tenant.create("test", { jurisdiction: "eu" });
    },
    ...noRelocation,
  },
];

export const tenantLocations: readonly TenantLocation[] = [
  ...fixedLocations,
  {
    location: "in the middle of a relocation",
    tenant: () => Tenant.create(),
    begin: (tenant) => relocateUpTo(tenant, 1, "copying"),
    meanwhile: doNothing,
  },
  {
    location: "relocated meanwhile",
    tenant: () => Tenant.create(),
    begin: doNothing,
    meanwhile: (tenant) => relocateFully(tenant, 1),
  },
];
