/**
 * A guard's open audit key: opened once, and not for each event. It is lost with the guard's memory, and with the
 * first delivery after an erasure.
 */
import { type AuditKey, type OpenAuditKey, openAuditKey } from "../../audit/personal.ts";
import type { Keyring } from "../../crypto/keyring.ts";
import type { Owner } from "../../crypto/seal-context.ts";

export class AuditKeys {
  #opened: { readonly sealed: string; readonly key: OpenAuditKey } | undefined;

  /** @throws MissingKeyError, BrokenSealError */
  async open(sealingKeys: Keyring, owner: Owner, auditKey: AuditKey): Promise<OpenAuditKey> {
    const { sealed } = auditKey;
    if (this.#opened?.sealed === sealed) return this.#opened.key;
    const key = await openAuditKey(sealingKeys, owner, auditKey);
    this.#opened = { sealed, key };
    return key;
  }

  clear(): void {
    this.#opened = undefined;
  }
}
