/** The list of log events, against the code that logs them, the documents and the alert rules. */
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import alertText from "../docs/alerts.json?raw";
import operations from "../docs/operations.md?raw";
import { logFields } from "../src/log.ts";
import { logEvents } from "../src/log-events.ts";
import { onSchedule } from "../src/scheduled.ts";
import { Tenant, User } from "./support/client.ts";

const sources = Object.entries(
  import.meta.glob<string>("../src/**/*.ts", { query: "?raw", import: "default", eager: true }),
)
  .filter(([file]) => !file.endsWith("log-events.ts"))
  .map(([, text]) => text);

const fieldName = z.enum(Object.keys(logFields));
const alerts = z
  .strictObject({
    alerts: z.array(
      z.strictObject({
        name: z.string(),
        severity: z.enum(["page", "ticket"]),
        event: z.enum(logEvents),
        where: z.array(
          z.union([
            z.strictObject({ field: fieldName, is: z.string() }),
            z.strictObject({ field: fieldName, at_least: z.number().positive() }),
          ]),
        ),
        when: z.union([
          z.strictObject({ absent_for_minutes: z.int().positive() }),
          z.strictObject({ times: z.int().positive(), within_minutes: z.int().positive() }),
        ]),
        runbook: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(alertText)).alerts;

/** The source after each place that names the event, as far as its fields can be. */
function findCalls(event: string): string[] {
  return sources.flatMap((text) =>
    [...text.matchAll(new RegExp(`"${event}"`, "g"))].map(({ index }) =>
      text.slice(index, index + 400),
    ),
  );
}

describe("The list of log events", () => {
  it("is in order, and has each event once", () => {
    expect(logEvents).toEqual([...new Set(logEvents)].toSorted());
  });

  it.each(logEvents)("has %s, which the source logs and docs/operations.md explains", (event) => {
    expect(findCalls(event).length).toBeGreaterThan(0);
    const rows = operations.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.some((row) => row.split("|")[1]?.includes(`\`${event}\``))).toBe(true);
  });

  it("has every event of the table in docs/operations.md", () => {
    const [, table = ""] = operations.split("\n## Log events\n");
    const [section = ""] = table.split("\n## ");
    const named = section
      .split("\n")
      .flatMap((line) => (line.startsWith("| `") ? [line.split("|")[1] ?? ""] : []))
      .flatMap((cell) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = ""]) => name));
    expect(named.length).toBeGreaterThanOrEqual(logEvents.length);
    const known: readonly string[] = logEvents;
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe("The alert rules in docs/alerts.json", () => {
  it("have different names, and cover what an operator must know", () => {
    expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
    for (const event of ["run_ended", "events_waiting", "deliveries_waiting", "request_failed"]) {
      expect(alerts.map((alert): string => alert.event)).toContain(event);
    }
  });

  it.each(alerts)("$name: the event has each field, and the runbook has the section", (alert) => {
    for (const { field } of alert.where) {
      expect(findCalls(alert.event).some((call) => call.includes(field))).toBe(true);
    }
    expect(operations.split("\n").map((line) => line.replace(/^#+ /, ""))).toContain(alert.runbook);
  });

  it("compare with what the log has every minute", async () => {
    await User.provision(await Tenant.create());
    const lines: string[] = [];
    for (const level of ["info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
    }
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    await onSchedule(env, "* * * * *", Date.now());
    vi.restoreAllMocks();
    const written = lines.map((line): Record<string, unknown> => JSON.parse(line));
    const everyMinute = ["run_ended", "events_waiting", "deliveries_waiting"];
    for (const alert of alerts.filter(({ event }) => everyMinute.includes(event))) {
      const line = written.find(({ event }) => event === alert.event);
      for (const condition of alert.where) {
        const value = line?.[condition.field];
        if ("is" in condition) expect(value).toBe(condition.is);
        else expect(value).toEqual(expect.any(Number));
      }
    }
  });
});
