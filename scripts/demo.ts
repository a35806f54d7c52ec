/**
 * `npm run demo`: creates a test tenant with 200 users and a month of logins, attacks and locks, so that every page of
 * the console has something to show. It needs a running service, such as that of `npm run dev`.
 *
 * Its options are `--url`, `--file` (the file with OPERATOR_TOKEN), `--users` and `--seed`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { EdgeIdp } from "@edge-idp/sdk";
import { createRandom, createUsers, demoDays, planMonth } from "./support/demo-month.ts";
import { DemoTenant } from "./support/demo-tenant.ts";
import { Failure, runScript } from "./support/failure.ts";
import { findDemoUrl } from "./support/operator-api.ts";
import { readSecret } from "./support/secret-file.ts";

const root = join(import.meta.dirname, "..");
const dayMs = 24 * 60 * 60 * 1000;
/** Requests at the same time. More of them would mix the order of times. */
const maxTogether = 8;
const reportEvery = 500;

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Failure(`--${name} ${text}: expected a whole number above 0.`);
}

/** Runs the work of each item, some at the same time, in their order. */
async function runInOrder<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
  report: (done: number) => void,
): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      const [item] = items.slice(index, index + 1);
      if (item !== undefined) await work(item);
      if ((index + 1) % reportEvery === 0) report(index + 1);
    }
  };
  await Promise.all(Array.from({ length: maxTogether }, run));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      file: { type: "string", default: join(root, ".dev.vars") },
      users: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
    },
  });
  const url = values.url ?? findDemoUrl();
  const operator = new EdgeIdp({ url, token: readSecret(values.file, "OPERATOR_TOKEN") });
  const random = createRandom(parseCount("seed", values.seed));
  const users = createUsers(parseCount("users", values.users), random);
  const end = Date.now();

  const { tenant, token } = await operator.tenants.create({ name: "Demo data", mode: "test" });
  const idp = new EdgeIdp({ url, token: token.secret, maxRetries: 5 });
  const demo = new DemoTenant(idp, users);
  const print = (text: string) => process.stdout.write(`${text}\n`);

  print(`Creating ${users.length} users …`);
  const indexes = users.map((_, index) => index);
  const enrolledAt = end - (demoDays + 1) * dayMs;
  await runInOrder(
    indexes,
    (index) => demo.enrol(index, enrolledAt + index * 60_000),
    () => {},
  );
  const visits = planMonth(users, end, random);
  print(`Sending ${visits.length} logins and attacks of ${demoDays} days …`);
  await runInOrder(
    visits,
    (visit) => demo.visit(visit),
    (done) => print(`  ${done}`),
  );
  await demo.administer(end);
  // Counts the events, so that the overview has them at once.
  await idp.audit.checkpoint();
  print(`
The tenant "Demo data" is there.

  Tenant   ${tenant.id}
  Console  ${url}/console
  Token    ${token.secret}
`);
  return 0;
}

await runScript(main);
process.exit();
