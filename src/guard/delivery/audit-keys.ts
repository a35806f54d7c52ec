/**
 * A guard's open audit key, and the key that is derived from it and the newest day key: opened and derived once, and not
 * for each event. Both are lost with the guard's memory, and with the first delivery after an erasure.
 */
import { deriveKey } from "../../audit/derived-key.ts";
import { type AuditKey, type OpenAuditKey, openAuditKey } from "../../audit/personal.ts";
import type { DayKey } from "../../audit/personal-keys/day.ts";
import type { Keyring } from "../../crypto/keyring.ts";
import type { Owner } from "../../crypto/seal-context.ts";

export class AuditKeys {
  #opened: { readonly sealed: string; readonly key: OpenAuditKey } | undefined;
  #derived:
    | { readonly auditKey: OpenAuditKey; readonly dayKey: DayKey; readonly key: OpenAuditKey }
    | undefined;

  /** @throws MissingKeyError, BrokenSealError */
  async open(sealingKeys: Keyring, owner: Owner, auditKey: AuditKey): Promise<OpenAuditKey> {
    const { sealed } = auditKey;
    if (this.#opened?.sealed === sealed) return this.#opened.key;
    const key = await openAuditKey(sealingKeys, owner, auditKey);
    this.#opened = { sealed, key };
    return key;
  }

  /** @param auditKey an open one */
  async derive(auditKey: OpenAuditKey, dayKey: DayKey): Promise<OpenAuditKey> {
    const known = this.#derived;
    if (known?.auditKey === auditKey && known.dayKey === dayKey) return known.key;
    const key = await deriveKey(auditKey, dayKey);
    this.#derived = { auditKey, dayKey, key };
    return key;
  }

  clear(): void {
    this.#opened = undefined;
    this.#derived = undefined;
  }
}
