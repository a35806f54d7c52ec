/** The tenant's settings of passkeys: their ranges, and what only a test tenant may set. */
import { z } from "zod";
import type { Issue } from "../errors.ts";
import { createTextSchema } from "../text-schema.ts";
import type { PasskeyPolicy } from "./policy.ts";

const hostLabel = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const host = `${hostLabel}(\\.${hostLabel})*`;
/** The last label begins with a letter, unlike that of an IP address, which no passkey can belong to. */
const domain = `(${hostLabel}\\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?`;
const webOrigin = `(https://${host}|http://localhost)(:[1-9][0-9]{0,4})?`;
const appOrigin = "android:apk-key-hash:[A-Za-z0-9_-]{43}";

function createOriginSchema(origin: string, description: string, example: string) {
  return z
    .string()
    .regex(new RegExp(`^(${origin})$`))
    .max(300)
    .meta({ description, examples: [example] });
}

export const passkeySettings = z.strictObject({
  rp_id: z
    .string()
    .regex(new RegExp(`^${domain}$`))
    .max(253)
    .nullable()
    .meta({
      description:
        "The host that passkeys belong to, in lower case and without a port, such as the domain of the login page. `localhost` is for test tenants. Passkeys that were registered under another one do not work any more. Null: passkeys are not set up.",
      examples: ["login.example.com"],
    }),
  rp_name: createTextSchema(1, 64)
    .nullable()
    .meta({
      description: "The name that authenticators show. Null: the `rp_id`.",
      examples: ["Example"],
    }),
  origins: z
    .array(
      createOriginSchema(
        `${webOrigin}|${appOrigin}`,
        "`https://host[:port]` as browsers send it, or `android:apk-key-hash:…`. `http://localhost[:port]` is for test tenants.",
        "https://login.example.com",
      ),
    )
    .max(20)
    .meta({
      description: "The origins whose passkeys are accepted. They are compared exactly.",
    }),
  top_origins: z
    .array(
      createOriginSchema(
        webOrigin,
        "`https://host[:port]` as browsers send it. `http://localhost[:port]` is for test tenants.",
        "https://shop.example.com",
      ),
    )
    .max(20)
    .meta({
      description:
        "The origins of pages that may embed the login page of another origin. Empty: none may.",
    }),
  user_verification: z.enum(["required", "preferred"]).meta({
    description:
      "Whether the authenticator must verify the user, by a PIN or a fingerprint. With `preferred`, the answer says whether it has.",
    examples: ["required"],
  }),
  recent_verification_seconds: z
    .int()
    .min(60)
    .max(86_400)
    .meta({
      description:
        "A user who has a factor must have been verified within this time to register a passkey.",
      examples: [600],
    }),
});

type PasskeySettings = z.output<typeof passkeySettings>;

export function passkeySettingsOf(policy: PasskeyPolicy): PasskeySettings {
  return {
    rp_id: policy.rpId,
    rp_name: policy.rpName,
    origins: [...policy.origins],
    top_origins: [...policy.topOrigins],
    user_verification: policy.userVerification,
    recent_verification_seconds: policy.recentVerificationSeconds,
  };
}

export function passkeyPolicyOf(settings: PasskeySettings): PasskeyPolicy {
  return {
    rpId: settings.rp_id,
    rpName: settings.rp_name,
    origins: settings.origins,
    topOrigins: settings.top_origins,
    userVerification: settings.user_verification,
    recentVerificationSeconds: settings.recent_verification_seconds,
  };
}

/** The fields of a live tenant's patch that only a test tenant may set. Their paths begin at the group. */
export function findTestOnlyValues(
  patch: {
    readonly [Field in keyof PasskeySettings]?: PasskeySettings[Field] | undefined;
  },
): readonly Issue[] {
  const isTestOrigin = (origin: string) => origin.startsWith("http://");
  const lists = (["origins", "top_origins"] as const).flatMap((field) =>
    (patch[field] ?? []).flatMap((origin, index) =>
      isTestOrigin(origin) ? [`${field}.${index}`] : [],
    ),
  );
  const paths = patch.rp_id === "localhost" ? ["rp_id", ...lists] : lists;
  return paths.map((path) => ({ path, message: "is for test tenants only" }));
}
