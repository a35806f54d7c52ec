/** Everything that the service stores, by the section of docs/data.md that describes it. */
import { env } from "cloudflare:workers";
import { auditEventSchema, personalParts } from "../../src/audit/event.ts";
import type { NoncedParts } from "../../src/audit/leaf.ts";
import { splitTarget, streamTarget } from "../../src/destinations/streams/stream.ts";
import {
  webhookConfiguration,
  webhookCredentials,
} from "../../src/destinations/webhooks/webhook.ts";
import { stateSchema } from "../../src/guard/decisions/state.ts";
import type { Delivery } from "../../src/guard/delivery/build-delivery.ts";
import type { WaitingEntry } from "../../src/guard/delivery/outbox-entry.ts";
import type { DeliveryMessage } from "../../src/guard/delivery/producer.ts";
import { logFields } from "../../src/log.ts";
import { knownSessionSchema } from "../../src/sentinel/history.ts";
import { populationSchema } from "../../src/sentinel/population/population.ts";
import { contentSchema } from "../../src/sentinel/stored-assessment.ts";
import { settingsSchema } from "../../src/tenancy/settings.ts";
import { makeObjects } from "./made-objects.ts";
import { cliWriters, memoryKeepers, namedKeys, storageKeys } from "./stored-elsewhere.ts";
import { listColumnsOf, listFields, listFieldsOf, type ObjectContent } from "./stored-names.ts";

/** The names of a type's fields: the compiler refuses a list that lacks one, or has another. */
function fieldsOf<T>(names: Readonly<Record<keyof T & string, true>>): string[] {
  return Object.keys(names);
}

const entryFields = fieldsOf<WaitingEntry>({
  seq: true,
  writtenAt: true,
  events: true,
  assessment: true,
  verdict: true,
  releasedClaims: true,
  mayQueue: true,
});
const messageFields = fieldsOf<DeliveryMessage>({
  format: true,
  sentAt: true,
  delivery: true,
  destinations: true,
});
const deliveryFields = fieldsOf<Delivery>({
  record: true,
  events: true,
  assessments: true,
  verdicts: true,
  claims: true,
  auditKeyId: true,
  keys: true,
});
const ownNoncedFields = fieldsOf<Omit<NoncedParts, keyof typeof personalParts.shape>>({
  nonce: true,
});

/** What is shown of an HTTP stream, whose headers are credentials. */
const { configuration: httpConfiguration } = splitTarget({
  type: "http",
  format: "native",
  url: "https://logs.example.com/",
  headers: {},
});

function prefixAll(prefix: string, names: readonly string[]): string[] {
  return names.map((name) => `${prefix}.${name}`);
}

/** The fields with one of them replaced by its own. */
function expand(names: readonly string[], name: string, own: readonly string[]): string[] {
  return names.flatMap((one) => (one === name ? prefixAll(name, own) : [one]));
}

function namesOf({ columns, values }: ObjectContent): string[] {
  return [
    ...columns,
    ...Object.entries(values).flatMap(([key, value]) => listFieldsOf(value, key)),
  ];
}

/** The names of all data, by section. */
export async function listStoredData(): Promise<ReadonlyMap<string, readonly string[]>> {
  const objects = await makeObjects();
  const inObject = (binding: string) => {
    const content = objects.get(binding);
    if (content === undefined) throw new Error(`No object of ${binding}`);
    return content;
  };
  const refusals = inObject("REFUSALS");
  return new Map([
    ["D1", await listColumnsOf(env.DB)],
    ["Settings of a tenant", listFields(settingsSchema)],
    [
      "Destinations",
      [
        ...new Set([
          ...listFields(webhookConfiguration),
          ...listFields(webhookCredentials),
          ...listFields(streamTarget),
          ...Object.keys(httpConfiguration),
        ]),
      ],
    ],
    ["Personal parts of an event", [...listFields(personalParts), ...ownNoncedFields]],
    ["Evidence of an assessment", listFields(contentSchema)],
    ["Guards", namesOf(inObject("GUARD"))],
    ["Guards: the state", listFields(stateSchema)],
    ["Guards: known sessions", listFields(knownSessionSchema)],
    ["Guards: entries of the outbox", expand(entryFields, "events", listFields(auditEventSchema))],
    [
      "Refusal logs",
      namesOf(refusals).flatMap((name) =>
        name === "live.state" ? listFieldsOf(refusals.state, name) : [name],
      ),
    ],
    ["Token registers", namesOf(inObject("REGISTER"))],
    ["Export registers", namesOf(inObject("EXPORTS"))],
    ["Day keys", namesOf(inObject("PERSONAL_KEYS"))],
    ["Prefix watches", namesOf(inObject("PREFIXES"))],
    ["Tenant watches", namesOf(inObject("TENANT_WATCHES"))],
    ["Followers", namesOf(inObject("FOLLOWERS"))],
    ["KV", Object.keys(namedKeys.kv)],
    ["Populations", listFields(populationSchema)],
    ["R2", Object.keys(namedKeys.r2)],
    ["Queues", expand(messageFields, "delivery", deliveryFields)],
    ["Logs", ["level", "event", ...Object.keys(logFields)]],
    ["Memory", memoryKeepers],
    ["Files of the command", cliWriters],
    ["Browsers", storageKeys],
  ]);
}
