/**
 * The evidence of an assessment as D1 keeps it: sealed under a key that is derived from the day key of its delivery. So
 * it expires with the day, in every copy. The stored text is `d<day>.<box>`; what older builds stored is not sealed.
 *
 * The key is derived with HKDF and SHA-256 (RFC 5869) from the day key alone. An erasure deletes the assessments.
 */
import { base64urlnopad } from "@scure/base";
import type { DayKey, DayKeys } from "../audit/personal-keys/day.ts";
import { encodeUtf8 } from "../crypto/bytes.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { BrokenSealError, seal, unseal } from "../crypto/sealed-box.ts";
import { mapInSlices } from "../slices.ts";

const derivedBits = 256;
/** About 3 ms of computing. */
const maxRowsPerSlice = 100;
const sealedText = /^d(0|[1-9][0-9]{0,6})\.(.+)$/;
/** The compact form (stored-assessment.ts): one digit, and bytes in base64url, which the box gets as bytes. */
const compactText = /^([1-9])\.([\w-]*)$/;
/** Stands for the digit of a text in another form. */
const otherForm = 0;

/** Finds the tenant's day keys, for all days of a page at once. */
export type FindDayKeys = (days: readonly number[]) => Promise<Pick<DayKeys, "keys">>;

function contextOf({ tenantId, identityId }: Owner): SealContext {
  return { tenantId, identityId, purpose: "assessment" };
}

const derivedKeys = new WeakMap<Uint8Array, Promise<Keyring>>();

async function derive({ day, key }: DayKey): Promise<Keyring> {
  const material = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveBits"]);
  const info = new Uint8Array(encodeUtf8(`edge-idp assessments of day ${day}`));
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  const bits = await crypto.subtle.deriveBits(parameters, material, derivedBits);
  return { newest: 1, keys: new Map([[1, new Uint8Array(bits)]]) };
}

function deriveOnce(dayKey: DayKey): Promise<Keyring> {
  const known = derivedKeys.get(dayKey.key);
  if (known !== undefined) return known;
  const deriving = derive(dayKey);
  derivedKeys.set(dayKey.key, deriving);
  return deriving;
}

function decodeCompact(encoded: string): Uint8Array | undefined {
  try {
    return base64urlnopad.decode(encoded);
  } catch {
    return undefined;
  }
}

/** A box is base64url too. Base64url of base64url would be a third longer. */
function pack(text: string): Uint8Array<ArrayBuffer> {
  const [, digit, encoded] = compactText.exec(text) ?? [];
  const bytes = encoded === undefined ? undefined : decodeCompact(encoded);
  return bytes === undefined
    ? new Uint8Array([otherForm, ...encodeUtf8(text)])
    : new Uint8Array([Number(digit), ...bytes]);
}

function unpack(bytes: Uint8Array): string {
  const [form] = bytes;
  const rest = bytes.subarray(1);
  return form === otherForm
    ? new TextDecoder().decode(rest)
    : `${form}.${base64urlnopad.encode(rest)}`;
}

/** Seals the text of an assessment's evidence. */
export async function sealEvidence(dayKey: DayKey, owner: Owner, text: string): Promise<string> {
  return `d${dayKey.day}.${await seal(await deriveOnce(dayKey), contextOf(owner), pack(text))}`;
}

function parse(stored: string): { readonly day: number; readonly box: string } | undefined {
  const [, day, box] = sealedText.exec(stored) ?? [];
  return day === undefined || box === undefined ? undefined : { day: Number(day), box };
}

/** A row of `assessments`, or what a left join has instead of one. */
interface EvidenceRow {
  readonly identityId: string | null;
  readonly evidence: string | null;
}

/** Empty if the key of the day is gone, or the box was altered. */
async function open(
  tenantId: string,
  row: EvidenceRow,
  { keys }: Pick<DayKeys, "keys">,
): Promise<string> {
  const { identityId, evidence } = row;
  const sealed = parse(evidence ?? "");
  const key = sealed && keys.get(sealed.day);
  if (sealed === undefined || key === undefined || identityId === null) return "";
  const keyring = await deriveOnce({ day: sealed.day, key });
  try {
    return unpack(await unseal(keyring, contextOf({ tenantId, identityId }), sealed.box));
  } catch (error) {
    if (error instanceof BrokenSealError) return "";
    throw error;
  }
}

/**
 * Opens the evidence of rows of one tenant, with one call for all their days. Evidence that has expired becomes an
 * empty text, which no reader can parse; what older builds stored stays as it is.
 * @throws StoreError if the day keys do not answer
 */
export async function openEvidence<Row extends EvidenceRow>(
  tenantId: string,
  rows: readonly Row[],
  findKeys: FindDayKeys,
): Promise<Row[]> {
  const days = new Set(rows.flatMap(({ evidence }) => parse(evidence ?? "")?.day ?? []));
  if (days.size === 0) return [...rows];
  const keys = await findKeys([...days]);
  return await mapInSlices(rows, maxRowsPerSlice, async (row) =>
    parse(row.evidence ?? "") === undefined
      ? row
      : { ...row, evidence: await open(tenantId, row, keys) },
  );
}

/** Asks for each day once, for the pages of one request. */
export function cacheDayKeys(findKeys: FindDayKeys): FindDayKeys {
  const asked = new Set<number>();
  const found = new Map<number, Uint8Array<ArrayBuffer>>();
  return async (days) => {
    const wanted = days.filter((day) => !asked.has(day));
    if (wanted.length > 0) {
      const { keys } = await findKeys(wanted);
      for (const day of wanted) asked.add(day);
      for (const [day, key] of keys) found.set(day, key);
    }
    return { keys: found };
  };
}
