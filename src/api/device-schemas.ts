/** Known devices in the requests and answers of several routes. */
import { z } from "zod";
import type { Owner } from "../crypto/seal-context.ts";
import { createInvalidRequest } from "../errors.ts";
import type { DeviceAnswer } from "../guard/decisions/device-state.ts";
import type { AddedDevice } from "../guard/decisions/devices.ts";
import type { GuardCall } from "../guard/decisions/transition.ts";
import { digestDeviceToken } from "../guard/device-token.ts";
import { id as anyId, instant, toRfc3339 } from "../http/schemas.ts";
import { createTextSchema } from "../text-schema.ts";

const exampleToken = "dvc_3q2-7wEjRWeJq83vASNFZ4mrze8";
const maxNameLength = 100;
const minDays = 1;
/** As long as browsers keep a cookie (RFC 6265bis). */
const maxDays = 400;

/** A backend passes on what the browser sent, so no text is refused. */
export const deviceToken = z.string().meta({
  description:
    "The device token that the browser kept. Any text that is none of a known device of this user counts as `unknown`.",
  examples: [exampleToken],
});

/** The fields of a verification. */
export const deviceFields = {
  device_token: deviceToken.optional(),
  remember_device: z
    .strictObject({
      days: z
        .int()
        .min(minDays)
        .max(maxDays)
        .meta({
          description: "How long the device is remembered, in days.",
          examples: [30],
        }),
      name: createTextSchema(1, maxNameLength)
        .optional()
        .meta({ description: "What the user calls the device.", examples: ["Chrome on Windows"] }),
    })
    .optional()
    .meta({
      description:
        "With this, an accepted attempt makes the device known, and the answer has its token. A device that is known already keeps its token, and is remembered anew.",
    }),
};

export const deviceId = anyId.meta({ description: "The id of the device. It is no secret." });

export const shownDevice = z
  .object({
    status: z.enum(["new", "known", "unknown", "none"]).meta({
      description:
        "`new`: the device is known from now on. `known`: the token is that of a known device of this user. `unknown`: it is not, or not any more. `none`: no token was sent. Without a token, the answer of a user who has no known device does not have the object at all.",
      examples: ["known"],
    }),
    id: deviceId.optional(),
    token: z
      .string()
      .optional()
      .meta({
        description:
          "With `new`: the device token, which is shown once. Keep it in a cookie that is `HttpOnly`, `Secure` and `SameSite`.",
        examples: [exampleToken],
      }),
    expires_at: instant.optional().meta({ description: "When the device is forgotten." }),
    last_verified_at: instant
      .optional()
      .meta({ description: "When a factor was verified on the device last." }),
  })
  .meta({
    id: "Device",
    description: "What the service knows of the device that the request comes from.",
    examples: [
      {
        status: "known",
        id: "01a20a4597691de6cc1dbcad",
        expires_at: "2026-09-14T09:30:00.000Z",
        last_verified_at: "2026-08-15T09:30:00.000Z",
      },
    ],
  });

export function showDevice(device: DeviceAnswer, token?: string): z.input<typeof shownDevice> {
  if (!("id" in device)) return { status: device.status };
  const { status, id } = device;
  return {
    status,
    id,
    ...(status === "new" && token !== undefined ? { token } : {}),
    expires_at: toRfc3339(device.expiresAt),
    last_verified_at: toRfc3339(device.lastVerifiedAt),
  };
}

/** The field of the answer to a verification. */
export function showVerifiedDevice({ device, deviceToken: token }: AddedDevice) {
  return device === undefined ? {} : { device: showDevice(device, token) };
}

interface NamedDevice {
  readonly device_token?: string | undefined;
  readonly remember_device?: z.output<typeof deviceFields.remember_device>;
  readonly context?: { readonly device_token?: string | undefined } | undefined;
}

/**
 * The part of the guard's call that names the device. The token itself stays here.
 * @param group the group of the body that the fields are in
 * @throws AppError `invalid_request` if the token was sent twice, and differs
 */
export function buildDeviceRequest(
  { device_token: token, remember_device: remember, context }: NamedDevice,
  owner: Owner,
  group: "otp" | "passkey" | "sentinel",
): Pick<GuardCall, "device"> {
  const inContext = context?.device_token;
  if (token !== undefined && inContext !== undefined && token !== inContext) {
    const path = `${group}.device_token`;
    throw createInvalidRequest([{ path, message: "must equal context.device_token" }]);
  }
  const sent = token ?? inContext;
  if (sent === undefined && remember === undefined) return {};
  return {
    device: {
      digest: sent === undefined ? null : digestDeviceToken(owner, sent),
      remember:
        remember === undefined ? null : { days: remember.days, name: remember.name ?? null },
    },
  };
}
