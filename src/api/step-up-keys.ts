/** `/.well-known/jwks.json`: the public keys of step-up tokens. */
import { z } from "zod";
import { anyone } from "../http/access.ts";
import { defineRoute, none } from "../http/route.ts";
import { listPublishedKeys } from "../step-up/token-keys.ts";

/**
 * How long anybody may keep the keys. A new key is published one rotation before it signs, so it is in every copy by
 * then.
 */
const maxAgeSeconds = 300;

const exampleKey = {
  kty: "OKP" as const,
  crv: "Ed25519" as const,
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
  use: "sig" as const,
  alg: "EdDSA" as const,
};

const keySchema = z
  .object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().meta({ description: "The public key, in base64url without padding." }),
    kid: z.string().meta({ description: "The thumbprint of the key (RFC 7638)." }),
    use: z.literal("sig"),
    alg: z.literal("EdDSA"),
  })
  .meta({
    id: "StepUpKey",
    description: "A JSON Web Key (RFC 7517, RFC 8037).",
    examples: [exampleKey],
  });

export const stepUpRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/.well-known/jwks.json",
      name: "listStepUpKeys",
      summary: "List the public keys that sign step-up tokens",
      description:
        "A JSON Web Key Set (RFC 7517) with the keys that verify step-up tokens. It may be kept for five minutes. It is empty if the service issues no step-up tokens.",
      tag: "Step-up tokens",
      access: anyone,
      body: none,
      query: none,
      responses: {
        200: {
          description:
            "The keys, the newest first. A key is published before it signs the first token.",
          body: z.object({ keys: z.array(keySchema) }),
        },
      },
    },
    async ({ config }) => {
      const { tokenSigningKeys: ring } = config;
      const keys = ring === undefined ? [] : await listPublishedKeys(ring);
      return Response.json(
        { keys },
        { headers: { "Cache-Control": `public, max-age=${maxAgeSeconds}` } },
      );
    },
  ),
];
