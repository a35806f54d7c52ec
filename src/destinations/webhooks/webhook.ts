/** What a webhook sends, and where: its public configuration and its secrets. */
import { z } from "zod";
import type { AuditAction } from "../../audit/event.ts";

/** The configuration as it is stored. */
export const webhookConfiguration = z.strictObject({
  url: z.string(),
  /** Types of events; `*` stands for any, and `otp.*` for all that begin with `otp.`. */
  events: z.array(z.string()),
  description: z.string().nullable(),
});
export type WebhookConfiguration = Readonly<z.output<typeof webhookConfiguration>>;

const webhookSecret = z.strictObject({
  /** `whsec_` and base64, as the tenant received it. */
  secret: z.string(),
  /** When it stops to sign, real time, Unix ms; null: it is the current one. */
  endsAt: z.number().nullable(),
});

/** The credentials as they are sealed: the current secret first. */
export const webhookCredentials = z.strictObject({ secrets: z.array(webhookSecret) });
export type WebhookCredentials = Readonly<z.output<typeof webhookCredentials>>;

/** Whether a filter lets events of this type through. */
export function isWanted(filter: readonly string[], type: AuditAction | string): boolean {
  return filter.some(
    (wanted) =>
      wanted === "*" ||
      wanted === type ||
      (wanted.endsWith(".*") && type.startsWith(wanted.slice(0, -1))),
  );
}
