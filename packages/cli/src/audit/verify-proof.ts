/** `edge-idp audit verify` with `--bundle`, `--proof` or `--consistency`: verifies one event, or that a log only grew. */
import type { AuditEvent, AuditEventBundle } from "@edge-idp/sdk";
import {
  type BundleVerdict,
  type CheckpointVerdict,
  verifyBundle,
  verifyConsistency,
  verifyInclusion,
} from "@edge-idp/sdk/audit";
import { formatEvent } from "../trail/format-event.ts";
import { readJson, readOptionalJson, requireVerdict } from "./read-file.ts";
import { describeVerdict, formatCheckpoints, formatConclusion } from "./verdict.ts";

type ProvenEvent = AuditEvent | AuditEventBundle["event"];

/** A verdict as it is printed. */
export interface ShownVerdict {
  readonly ok: boolean;
  readonly text: string;
  readonly json: string;
}

const keysOfBundle = [
  "The keys come from the bundle itself. Whoever makes up a bundle can make up its keys too:",
  "compare the key above with one that you got elsewhere, or name a file of keys with --keys.",
];

/** What is said about the personal parts of an event that is verified. */
function describePersonalParts(event: ProvenEvent): string {
  if (event.personal !== null) return " Its personal parts are those that were recorded.";
  if (event.personal_digest === null) return "";
  return " Its personal parts were erased or have expired; the rest is complete.";
}

/** The name of a token is not in the leaf, so it is not shown. */
function formatProvenEvent(event: ProvenEvent): string {
  return formatEvent({ ...event, actor: { ...event.actor, name: null } });
}

function showInclusion(
  event: ProvenEvent,
  verdict: CheckpointVerdict | BundleVerdict,
  isPinned: boolean,
): ShownVerdict {
  const trustsBundle = "trustsBundle" in verdict && verdict.trustsBundle;
  const source = isPinned ? "one of --keys" : trustsBundle ? "a key in the bundle" : undefined;
  const checkpoints = formatCheckpoints(verdict, source);
  const condition = trustsBundle ? ", if the key above is the service's" : "";
  const proven = `${condition}: leaf ${event.leaf_index} of the log is this event, as it was recorded.${describePersonalParts(event)}`;
  const lines = [
    `Event:      ${formatProvenEvent(event)}`,
    ...checkpoints,
    "",
    ...formatConclusion(verdict, proven),
    ...(trustsBundle && verdict.ok ? keysOfBundle.map((line) => `  ${line}`) : []),
  ];
  const { older_tree_size: _, ...described } = describeVerdict(verdict);
  const keys = isPinned ? "given" : trustsBundle ? "bundle" : null;
  const json = { ...described, event_id: event.id, leaf_index: event.leaf_index, keys };
  return { ok: verdict.ok, text: lines.join("\n"), json: JSON.stringify(json) };
}

/** @throws Failure if there can be no verdict */
export async function verifyBundleFile(
  bundlePath: string,
  keysPath: string | undefined,
): Promise<ShownVerdict> {
  return await requireVerdict(async () => {
    const bundle: AuditEventBundle = await readJson(bundlePath);
    const keys = await readOptionalJson(keysPath);
    const verdict = await verifyBundle({ bundle, keys });
    return showInclusion(bundle.event, verdict, keys !== undefined);
  });
}

/** @throws Failure if there can be no verdict */
export async function verifyProofFiles(files: {
  readonly proof: string;
  readonly event: string;
  readonly checkpoint: string | undefined;
  readonly keys: string | undefined;
}): Promise<ShownVerdict> {
  return await requireVerdict(async () => {
    const event: AuditEvent = await readJson(files.event);
    const proof = await readJson(files.proof);
    const checkpoint = await readOptionalJson(files.checkpoint);
    const keys = await readOptionalJson(files.keys);
    const verdict = await verifyInclusion({ event, proof, checkpoint, keys });
    return showInclusion(event, verdict, keys !== undefined);
  });
}

/** @throws Failure if there can be no verdict */
export async function verifyConsistencyFiles(files: {
  readonly proof: string;
  readonly older: string;
  readonly newest: string;
  readonly keys: string | undefined;
}): Promise<ShownVerdict> {
  return await requireVerdict(async () => {
    const [proof, older, newest] = [
      await readJson(files.proof),
      await readJson(files.older),
      await readJson(files.newest),
    ];
    const keys = await readOptionalJson(files.keys);
    const verdict = await verifyConsistency({ older, newest, proof, keys });
    const size = verdict.older?.head.size ?? 0;
    const added = (verdict.newest?.head.size ?? 0) - size;
    const proven = `: the log begins with the ${size} leaves of the older checkpoint, unchanged, and ${added} were added at its end.`;
    const checkpoints = formatCheckpoints(
      verdict,
      keys === undefined ? undefined : "one of --keys",
    );
    const lines = [...checkpoints, "", ...formatConclusion(verdict, proven)];
    const json = { ...describeVerdict(verdict), keys: keys === undefined ? null : "given" };
    return { ok: verdict.ok, text: lines.join("\n"), json: JSON.stringify(json) };
  });
}
