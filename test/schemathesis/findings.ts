/** Reads the events that schemathesis writes, and compares what it found with the explained findings. */
import { z } from "zod";

/** One reason why a check of schemathesis failed. */
export interface Finding {
  readonly check: string;
  readonly operation: string;
  /** Status, code and one issue of the answer, or what the check says. */
  readonly what: string;
}

/** A finding that is right as it is. */
export interface Explained {
  readonly check: string;
  /** The operations, or all of them. */
  readonly operations?: readonly string[] | undefined;
  /** A regular expression for the whole of `Finding.what`. */
  readonly what: string;
  readonly reason: string;
}

export const explainedSchema = z.array(
  z.strictObject({
    check: z.string(),
    operations: z.array(z.string()).optional(),
    what: z.string(),
    reason: z.string().min(1),
  }),
);

const checkSchema = z.object({
  name: z.string(),
  status: z.string(),
  failure_info: z
    .object({ failure: z.object({ operation: z.string(), message: z.string() }) })
    .optional(),
});

const interactionSchema = z.object({
  response: z
    .object({
      status_code: z.number(),
      content: z.object({ $base64: z.string() }).nullish(),
    })
    .nullish(),
});

const eventSchema = z.object({
  ScenarioFinished: z
    .object({
      recorder: z.object({
        checks: z.record(z.string(), z.array(checkSchema)).default({}),
        interactions: z.record(z.string(), interactionSchema).default({}),
      }),
    })
    .optional(),
});

const errorSchema = z.object({
  code: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});

const maxTextLength = 200;

/** Status, code and issue of an error, a list of each that the answer names; the first line of one that is not JSON. */
function describeError({ response }: z.output<typeof interactionSchema>): string[] {
  if (!response?.content) return [];
  const text = Buffer.from(response.content.$base64, "base64").toString("utf8");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const [firstLine = ""] = text.split("\n");
    return [`${response.status_code} not JSON: ${firstLine.slice(0, maxTextLength)}`];
  }
  const { data: error } = errorSchema.safeParse(body);
  if (error === undefined) return [];
  const answer = `${response.status_code} ${error.code}`;
  if (error.issues.length === 0) return [answer];
  return error.issues.map(({ path, message }) => `${answer}: ${path} ${message}`);
}

/** @param line one event, as JSON */
function readFindings(line: string): Finding[] {
  const { ScenarioFinished: scenario } = eventSchema.parse(JSON.parse(line));
  const { checks = {}, interactions = {} } = scenario?.recorder ?? {};
  return Object.entries(checks).flatMap(([id, ofCase]) =>
    ofCase.flatMap(({ name, status, failure_info: info }) => {
      if (status !== "failure" || info === undefined) return [];
      const { operation, message } = info.failure;
      const refusals = interactions[id] === undefined ? [] : describeError(interactions[id]);
      // Only a refused request is explained by the refusal; other checks say themselves what they found.
      const whats =
        name === "positive_data_acceptance" && refusals.length > 0
          ? refusals
          : [[message.replaceAll("\n", " "), ...refusals].filter(Boolean).join(" | ")];
      return whats.map((what) => ({ check: name, operation, what }));
    }),
  );
}

/** The different findings of a run. @param events NDJSON */
export function readReport(events: string): Finding[] {
  const found = new Map<string, Finding>();
  for (const line of events.split("\n")) {
    if (line === "") continue;
    for (const finding of readFindings(line)) {
      found.set(`${finding.check} ${finding.operation} ${finding.what}`, finding);
    }
  }
  return [...found.values()];
}

function explains({ check, operations, what }: Explained, finding: Finding): boolean {
  return (
    check === finding.check &&
    (operations === undefined || operations.includes(finding.operation)) &&
    new RegExp(`^(?:${what})$`, "u").test(finding.what)
  );
}

export function compareFindings(findings: readonly Finding[], list: readonly Explained[]) {
  return {
    unexplained: findings.filter((finding) => !list.some((entry) => explains(entry, finding))),
    unused: list.filter((entry) => !findings.some((finding) => explains(entry, finding))),
  };
}
