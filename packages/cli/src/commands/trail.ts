/** `edge-idp trail tail`: prints a tenant's audit events as they arrive. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { auditActions, auditOutcomes } from "../../../../src/audit/event.ts";
import { parseForwardedAddress } from "../../../../src/sentinel/network/forwarded-address.ts";
import { parseInstant } from "../arguments.ts";
import { addExamples } from "../help.ts";
import { addTenantOptions, connectAsTenant } from "../service.ts";
import { isShown } from "../trail/filter.ts";
import { findStart, followTrail } from "../trail/follow.ts";
import { formatEvent } from "../trail/format-event.ts";

/** An event is in the tree within a second or two. */
const pauseMs = 2_000;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

interface TailOptions {
  readonly since?: number;
  readonly action?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly user?: string;
  readonly address?: string;
  readonly json?: boolean;
}

function parseAction(text: string): string {
  if (auditActions.some((action) => action === text)) return text;
  const [area = ""] = text.split(".");
  const near = auditActions.filter((action) => action.startsWith(area));
  throw new InvalidArgumentError(
    `No event has this action. Expected one of ${(near.length === 0 ? auditActions : near).join(", ")}.`,
  );
}

function parseAddress(text: string): string {
  if (parseForwardedAddress(text) !== undefined) return text;
  throw new InvalidArgumentError("Expected an IPv4 or IPv6 address.");
}

/** @returns Unix ms */
function parseSince(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const length = unitMs[unit];
  return length === undefined
    ? Date.parse(parseInstant(text))
    : Date.now() - Number(count) * length;
}

async function tail(command: Command, options: TailOptions): Promise<void> {
  const { json = false, ...filter } = options;
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stopping.abort());
  }
  const { signal } = stopping;
  const pause = async () => await sleep(pauseMs, undefined, { signal });
  const following = { idp: connectAsTenant(command), pause, signal };
  try {
    const start = await findStart(following, filter.since);
    for await (const event of followTrail(following, start)) {
      if (!isShown(event, filter)) continue;
      const line = json ? JSON.stringify(event) : formatEvent(event);
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export function addTrailCommand(program: Command): void {
  const command = program
    .command("trail")
    .summary("follow an audit trail")
    .description("A tenant's audit trail, as it grows.")
    .command("tail")
    .summary("print audit events as they arrive")
    .description(
      "Prints a tenant's audit events as they are integrated into the trail, one on a line, until Ctrl-C. It misses no event and prints none twice, also when the service restarts meanwhile. Reading events is an event too: it leaves an audit.exported each time that it finds others. Needs the permission audit:read. The filters are those of GET /v1/audit/events, and can be combined.",
    )
    .option(
      "--since <time>",
      "begin with the events at or after an RFC 3339 time, or with those of the last 30s, 15m, 2h or 7d (default: only new events)",
      parseSince,
    )
    .option("--action <action>", "events of this kind, such as otp.verified", parseAction)
    .addOption(new Option("--outcome <outcome>", "events with this outcome").choices(auditOutcomes))
    .option("--reason <reason>", "events with this reason, such as invalid_code")
    .option("--actor <actor>", "events of an API token (its id), of operator or of system")
    .option("--user <external-id>", "events about this user")
    .option("--address <address>", "events about sessions from this address", parseAddress)
    .option("--json", "print each event as one JSON object, as the export has it");
  addTenantOptions(command);
  command.action(async (options: TailOptions) => await tail(command, options));
  addExamples(command, [
    { line: "trail tail", what: "what happens in the demo tenant from now on" },
    {
      line: "trail tail --since 1h --action otp.verified --outcome failure",
      what: "codes that were rejected, from an hour ago on",
    },
    {
      line: "trail tail --json --user ORG_USR_9921_AFG --since 2026-08-15T09:30:00Z",
      what: "everything about one user, for a program",
    },
  ]);
}
