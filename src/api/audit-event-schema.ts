/** An event of the audit trail in the JSON of the API. */
import { z } from "zod";
import {
  actorTypes,
  auditActions,
  auditDetails,
  auditOutcomes,
  targetTypes,
} from "../audit/event.ts";
import { id, instant, sha256, shownExternalId } from "../http/schemas.ts";

export const eventSchema = z
  .object({
    id,
    at: instant,
    actor: z.object({
      type: z.enum(actorTypes),
      id: id.nullable().meta({
        description: "The API token; null for the operator and for the service itself.",
      }),
      name: z
        .string()
        .nullable()
        .meta({
          description:
            "The name of the API token; null if its record is gone. The leaf does not contain it.",
          examples: ["backend"],
        }),
      acting_for: z
        .string()
        .nullable()
        .meta({
          description:
            "The tenant's own id of the person on whose behalf the request acted (`Acting-For`). A personal part: the leaf contains its digest.",
          examples: ["agent-7"],
        }),
    }),
    action: z.enum(auditActions),
    target: z.object({
      type: z.enum(targetTypes),
      id,
      external_id: shownExternalId.nullable(),
    }),
    outcome: z.enum(auditOutcomes),
    reason: z
      .string()
      .nullable()
      .meta({ examples: [null] }),
    request_id: z
      .string()
      .nullable()
      .meta({ examples: ["6a7f2c1e0b9d4e5f8a3c1d20"] }),
    details: auditDetails,
    leaf_index: z.int().min(0).meta({ description: "The event's position in the tenant's log." }),
    personal: z
      .object({
        external_id: shownExternalId.exactOptional(),
        address: z
          .string()
          .exactOptional()
          .meta({ examples: ["192.0.2.1"] }),
        agent: z
          .string()
          .exactOptional()
          .meta({ examples: ["EnterpriseAgent/1.0"] }),
        acting_for: z
          .string()
          .exactOptional()
          .meta({ examples: ["agent-7"] }),
        nonce: z
          .string()
          .meta({ description: "Random, so that the digest does not reveal the parts." }),
      })
      .nullable()
      .meta({
        description:
          "The personal parts; null if the event has none, or has lost them to an erasure, to the deletion of the tenant, or because they expired.",
      }),
    personal_digest: sha256
      .nullable()
      .meta({ description: "The digest of `personal` that the leaf contains." }),
    erased: z
      .boolean()
      .meta({ description: "True if `personal` was erased with the user or the tenant." }),
    expired: z.boolean().meta({
      description:
        "True if `personal` expired: the key of its day is gone, as after `retention.personal_days`. False if the user was erased too.",
    }),
  })
  .meta({ id: "AuditEvent" });
