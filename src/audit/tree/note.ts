/**
 * The text form of signed tree heads (pure), as transparency logs share it: a signed note
 * (https://c2sp.org/signed-note) whose body is a checkpoint (https://c2sp.org/tlog-checkpoint). Witnesses
 * and tools for such logs can read it.
 *
 * The body has the origin, the tree size, the root hash in base64, and the time as an extension line.
 */
import { base64 } from "@scure/base";
import { encodeUtf8 } from "../../crypto/bytes.ts";
import { sha256Of } from "../../crypto/digest.ts";

export interface TreeHead {
  /** The name of the log; within the log also the name of its key. */
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** Unix ms. */
  readonly signedAt: number;
}

export interface SignedHead extends TreeHead {
  /** The bytes that are signed. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The first 4 bytes of SHA-256 over name, newline, 0x01 and the public key. */
  readonly keyHash: Uint8Array;
  readonly signature: Uint8Array<ArrayBuffer>;
}

/** The signature type of Ed25519 in signed notes. */
const ed25519 = 0x01;
const keyHashBytes = 4;
const notePattern =
  /^((edge-idp\/audit\/[0-9a-f]{24})\n(0|[1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)\nsealed_at (\S{24})\n)\n\u2014 (\S+) ([A-Za-z0-9+/]+=*)\n$/;

export function originOf(tenantId: string): string {
  return `edge-idp/audit/${tenantId}`;
}

export function formatBody({ origin, size, root, signedAt }: TreeHead): Uint8Array<ArrayBuffer> {
  const time = new Date(signedAt).toISOString();
  return new Uint8Array(
    encodeUtf8(`${origin}\n${size}\n${base64.encode(root)}\nsealed_at ${time}\n`),
  );
}

export function keyHashOf(origin: string, publicKey: Uint8Array): Uint8Array {
  const name = encodeUtf8(`${origin}\n`);
  return sha256Of(new Uint8Array([...name, ed25519, ...publicKey])).slice(0, keyHashBytes);
}

export function formatNote(head: TreeHead, publicKey: Uint8Array, signature: Uint8Array): string {
  const blob = new Uint8Array([...keyHashOf(head.origin, publicKey), ...signature]);
  const body = new TextDecoder().decode(formatBody(head));
  return `${body}\n\u2014 ${head.origin} ${base64.encode(blob)}\n`;
}

/** Parses a note; undefined if it is not a note of this service. Does not verify the signature. */
export function parseNote(note: string): SignedHead | undefined {
  const [, body, origin, size, root, time, name, signed] = notePattern.exec(note) ?? [];
  if (body === undefined || origin === undefined || name !== origin) return undefined;
  try {
    const blob = base64.decode(signed ?? "");
    const signedAt = Date.parse(time ?? "");
    if (Number.isNaN(signedAt)) return undefined;
    return {
      origin,
      size: Number(size),
      root: base64.decode(root ?? ""),
      signedAt,
      body: new Uint8Array(encodeUtf8(body)),
      keyHash: blob.slice(0, keyHashBytes),
      signature: new Uint8Array(blob.slice(keyHashBytes)),
    };
  } catch {
    return undefined;
  }
}
