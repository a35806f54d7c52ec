/** A tenant with the data of `npm run demo`, but fewer users. */
import { fillDemoTenant } from "../../../scripts/support/demo-fill.ts";
import { type ConsolePlace, createTenant, type TestTenant } from "./console-place.ts";

const size = { users: 8, seed: 5 };

export async function createDemoTenant(place: ConsolePlace): Promise<TestTenant> {
  const tenant = await createTenant(place, "Demo data");
  await fillDemoTenant(tenant.idp, size, () => {});
  return tenant;
}
