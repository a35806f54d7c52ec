/** Fills a test tenant with the demo's users and their month. */
import type { EdgeIdp } from "@edge-idp/sdk";
import {
  createRandom,
  createUsers,
  type DemoUser,
  demoDays,
  enrolledAt,
  planMonth,
} from "./demo-month.ts";
import { DemoTenant } from "./demo-tenant.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Requests at the same time. More of them would mix the order of times. */
const maxTogether = 8;
const reportEvery = 500;

export interface DemoSize {
  readonly users: number;
  /** The same seed gives the same month. */
  readonly seed: number;
}

/** Runs the work of each item, some at the same time, in their order. */
async function runInOrder<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
  report: (text: string) => void,
): Promise<void> {
  const waiting = items.entries();
  const run = async () => {
    for (const [index, item] of waiting) {
      await work(item);
      if ((index + 1) % reportEvery === 0) report(`  ${index + 1}`);
    }
  };
  await Promise.all(Array.from({ length: maxTogether }, run));
}

/** @param report takes a line about the progress */
export async function fillDemoTenant(
  idp: EdgeIdp,
  { users: count, seed }: DemoSize,
  report: (text: string) => void,
): Promise<void> {
  const random = createRandom(seed);
  const users = createUsers(count, random);
  const demo = new DemoTenant(idp, users);
  const end = Date.now();

  report(`Creating ${users.length} users …`);
  const start = end - demoDays * dayMs;
  const enrol = ([index, user]: readonly [number, DemoUser]) =>
    demo.enrol(index, Math.min(end, enrolledAt(user, start)));
  await runInOrder([...users.entries()], enrol, report);

  const visits = planMonth(users, end, random);
  report(`Sending ${visits.length} logins and attacks of ${demoDays} days …`);
  await runInOrder(visits, (visit) => demo.visit(visit), report);
  await demo.administer(end);
  // Counts the events, so that the overview has them at once.
  await idp.audit.checkpoint();
}
