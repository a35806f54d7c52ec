/** What a guard keeps of the devices that an identity is known on, and what a request says of one. */
import { z } from "zod";

export interface KnownDevice {
  /** 24 hex digits. It says nothing about the token. */
  readonly id: string;
  /** SHA-256 of the token, hex; see device-token.ts. */
  readonly digest: string;
  readonly name: string | null;
  /** Unix ms, as all times here. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** When a factor was verified on it last. */
  readonly lastUsedAt: number;
  /** Wrong codes from it since its last right one. */
  readonly failures: number;
  /** The passkey that it was remembered with; null: a code. */
  readonly passkeyId: string | null;
  /** The assessment of the session in which it was remembered, if the request named one. */
  readonly assessmentId: string | null;
}

export const devicesSchema = z.array(
  z.looseObject({
    id: z.string(),
    digest: z.string(),
    name: z.string().nullable(),
    createdAt: z.int(),
    expiresAt: z.int(),
    lastUsedAt: z.int(),
    failures: z.int(),
    passkeyId: z.string().nullable(),
    assessmentId: z.string().nullable(),
  }),
);

/** What a request says of the device that it comes from. */
export interface DeviceRequest {
  /** SHA-256 of the device token, hex; null if none was sent. */
  readonly digest: string | null;
  /** Set if the device is to be remembered. */
  readonly remember: { readonly days: number; readonly name: string | null } | null;
  /** A new device. The guard creates it before it decides, because a decision draws no random bytes. */
  readonly created?: Pick<KnownDevice, "id" | "digest">;
}

/**
 * What an answer says of the device. `new`: it is remembered from now on. `unknown`: its token is none of a device
 * that this user has now. `none`: no token was sent. Times are Unix ms.
 */
export type DeviceAnswer =
  | { readonly status: "unknown" | "none" }
  | {
      readonly status: "new" | "known";
      readonly id: string;
      readonly expiresAt: number;
      readonly lastVerifiedAt: number;
    };
