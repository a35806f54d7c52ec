/** What the routes share that create a TOTP secret. */
import { z } from "zod";
import { createInvalidRequest } from "../errors.ts";
import { buildKeyUri } from "../otp/key-uri.ts";
import { drawQrSvg } from "../otp/qr-code.ts";
import { secretBytes, type TotpParameters } from "../otp/totp.ts";
import { buildTextPattern, createTextSchema } from "../text-schema.ts";

const maxIssuerLength = 64;
const maxAccountLength = 255;
export const exampleSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/** Capacity of a QR code (ISO/IEC 18004, version 40, level L). */
const maxQrBytes = 2953;

function createLabelSchema(maxLength: number, example: string) {
  return createTextSchema(1, maxLength)
    .refine((text) => !text.includes(":"), "must not contain a colon")
    .meta({ pattern: buildTextPattern(":"), examples: [example] });
}

/** What an authenticator app shows. Neither is stored. */
export const labelFields = {
  issuer_name: createLabelSchema(maxIssuerLength, "Acme Enterprise"),
  account_name: createLabelSchema(maxAccountLength, "alexander@enterprise.com"),
};

export const qrQuery = {
  qr: z
    .enum(["svg"])
    .optional()
    .meta({ description: "`svg`: the answer has the key URI as a QR code too." }),
};

/** The fields of an answer that shows a secret. */
export const secretFields = {
  qrcode_payload: z.string().meta({
    description: "The key URI that an authenticator app reads.",
    examples: [
      buildKeyUri({
        issuer: "Acme Enterprise",
        account: "alexander@enterprise.com",
        secret: exampleSecret,
      }),
    ],
  }),
  qrcode_svg: z
    .string()
    .optional()
    .meta({
      description:
        "With `qr=svg`: the QR code with a quiet zone of four modules on a white ground.",
      examples: ['<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
    }),
};

interface Labels {
  readonly issuer_name: string;
  readonly account_name: string;
}

/**
 * Refuses labels that leave no room in a QR code. The length of a secret is known before it is created.
 * @param group the member of the body that has the labels
 * @throws AppError `invalid_request`
 */
export function requireQrCapacity(group: string, labels: Labels, parameters: TotpParameters): void {
  const { issuer_name: issuer, account_name: account } = labels;
  const secret = "A".repeat(Math.ceil((secretBytes[parameters.algorithm] * 8) / 5));
  if (buildKeyUri({ issuer, account, secret, ...parameters }).length <= maxQrBytes) return;
  throw createInvalidRequest([
    {
      path: `${group}.account_name`,
      message: "is too long for a QR code together with issuer_name",
    },
  ]);
}

/** @param qr `svg`: with the QR code */
export function showKeyUri(
  { issuer_name: issuer, account_name: account }: Labels,
  secret: string,
  parameters: TotpParameters,
  qr: "svg" | undefined,
) {
  const payload = buildKeyUri({ issuer, account, secret, ...parameters });
  return {
    qrcode_payload: payload,
    ...(qr === "svg" ? { qrcode_svg: drawQrSvg(payload) } : {}),
  };
}
