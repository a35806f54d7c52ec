/** A tenant with the data of `npm run demo`, but fewer users. */
import { createRandom, createUsers, planMonth } from "../../../scripts/support/demo-month.ts";
import { DemoTenant } from "../../../scripts/support/demo-tenant.ts";
import { type ConsolePlace, createTenant, type TestTenant } from "./console-place.ts";

const users = 8;
const seed = 5;
const enrolledDaysAgo = 31;
const dayMs = 24 * 60 * 60 * 1000;

export async function createDemoTenant(place: ConsolePlace): Promise<TestTenant> {
  const tenant = await createTenant(place, "Demo data");
  const random = createRandom(seed);
  const people = createUsers(users, random);
  const demo = new DemoTenant(tenant.idp, people);
  const end = Date.now();
  for (const index of people.keys()) await demo.enrol(index, end - enrolledDaysAgo * dayMs);
  for (const visit of planMonth(people, end, random)) await demo.visit(visit);
  await demo.administer(end);
  await tenant.idp.audit.checkpoint();
  return tenant;
}
