/** Tables of what is paid. */
import { table, whole } from "../support/figures.ts";
import {
  costs,
  costsBeyondPlan,
  dollarsFor,
  lingeringGbSeconds,
  monthOf,
  sealedPasses,
  sealingUsage,
  storageUsage,
  times,
  total,
  type Usage,
  usageOf,
} from "./cost.ts";
import {
  coldToken,
  type Delivery,
  discovery,
  type Operation,
  profile,
  storage,
  verification,
  verificationOfSession,
} from "./counts.ts";
import { type Meter, planDollars, prices } from "./prices.ts";
import { dollars, rounded } from "./words.ts";

const million = 1_000_000;
const deliveries: readonly Delivery[] = ["queue", "direct"];
/** Among so many a million events of a month are shared, where nothing else is said. */
const usualTenants = 100;
/** Seconds an object stayed billed after its last event, by an older wording of the price list. */
const formerStaySeconds = 10;

function quantityOf(usage: Usage, meter: Meter): number {
  return usage[meter] ?? 0;
}

function verificationTable(): string {
  const [queued, direct] = deliveries.map((delivery) =>
    times(usageOf(verification, delivery), million),
  );
  if (queued === undefined || direct === undefined) throw new Error("There are two deliveries");
  const directCosts = new Map(costs(direct));
  const rows = costs(queued).flatMap(([meter, cost]) => {
    const quantities = [quantityOf(queued, meter), quantityOf(direct, meter)];
    if (quantities.every((quantity) => quantity === 0)) return [];
    const { what, dollars: price, per } = prices[meter];
    return [
      [
        what,
        ...quantities.map(rounded),
        per === 1 ? `${price} each` : `${price} a million`,
        dollars(cost),
        dollars(directCosts.get(meter) ?? 0),
      ],
    ];
  });
  const seals = sealingUsage(million, usualTenants);
  const sealed = `their seals, ${usualTenants} tenants: ${prices.d1RowsWritten.what}`;
  const sealedRows = whole(quantityOf(seals, "d1RowsWritten"));
  const sealedDollars = total(costs(seals));
  const sums = [queued, direct].map((usage) => dollars(total(costs(usage)) + sealedDollars));
  return table(
    ["a million verifications", "with the queue", "without", "price, $", "$ with", "$ without"],
    [
      ...rows,
      [sealed, sealedRows, sealedRows, "", dollars(sealedDollars), dollars(sealedDollars)],
      ["**sum**", "", "", "", ...sums],
    ],
  );
}

function operationTable(): string {
  const all: readonly Operation[] = [
    verification,
    verificationOfSession,
    discovery,
    profile,
    coldToken,
  ];
  const rows = all.map((operation) => [
    operation.name,
    ...deliveries.map((delivery) =>
      dollars(total(costs(times(usageOf(operation, delivery), million)))),
    ),
  ]);
  return table(["$ a million", "with the queue", "without"], rows);
}

function doubtTable(): string {
  const stays = deliveries.map(
    (delivery) => lingeringGbSeconds(verification, delivery, formerStaySeconds) * million,
  );
  return table(
    ["a million verifications", "GB-s with the queue", "without", "$ with", "$ without"],
    [
      [
        `an object is billed for ${formerStaySeconds} s after each event`,
        ...stays.map(whole),
        ...stays.map((stay) => dollars(dollarsFor(prices.objectGbSeconds, stay))),
      ],
    ],
  );
}

function sealingTable(): string {
  const rows = [1, 100, 10_000].map((tenants) => {
    const usage = sealingUsage(million, tenants);
    return [
      whole(tenants),
      whole(sealedPasses(million, tenants)),
      whole(quantityOf(usage, "d1RowsWritten")),
      dollars(total(costs(usage))),
    ];
  });
  return table(
    ["tenants that share a million events a month", "seals", "D1 rows written", "$"],
    rows,
  );
}

function monthTable(): string {
  const months = [
    { count: 10_000, tenants: 10 },
    { count: million, tenants: usualTenants },
    { count: 100 * million, tenants: 1_000 },
  ];
  const rows = months.flatMap(({ count, tenants }) =>
    deliveries.map((delivery) => {
      const usage = monthOf(verification, count, tenants, delivery);
      const beyond = costsBeyondPlan(usage);
      const month = planDollars + total(beyond);
      const largest = [...beyond]
        .filter(([, cost]) => cost > 0)
        .sort(([, a], [, b]) => b - a)
        .slice(0, 3)
        .map(([meter, cost]) => `${prices[meter].what} ${dollars(cost)}`);
      return [
        whole(count),
        whole(tenants),
        delivery === "queue" ? "with" : "without",
        dollars(month),
        dollars(month - planDollars),
        largest.join("; ") || "all within the plan",
      ];
    }),
  );
  return table(
    ["verifications a month", "tenants", "queue", "$ a month", "beyond the plan", "most of it"],
    rows,
  );
}

function storageTable(): string {
  const rows = [million, 100 * million].flatMap((count) =>
    [1, 12].map((months) => {
      const usage = storageUsage(count * months, count / storage.loginsPerIdentity);
      return [
        whole(count),
        `${months}`,
        rounded(quantityOf(usage, "d1GbMonths")),
        rounded(quantityOf(usage, "objectGbMonths")),
        dollars(total(costsBeyondPlan(usage))),
      ];
    }),
  );
  return table(
    [
      "verifications a month",
      "months kept in D1",
      "GB in D1",
      "GB in guards",
      "$ a month beyond the plan",
    ],
    rows,
  );
}

export function costTables(): Readonly<Record<string, string>> {
  return {
    "A million verifications": verificationTable(),
    "Other requests": operationTable(),
    "Where pages differ": doubtTable(),
    Sealing: sealingTable(),
    "A month": monthTable(),
    "What is kept": storageTable(),
  };
}
