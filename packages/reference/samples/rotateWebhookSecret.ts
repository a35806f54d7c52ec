import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const webhook = await idp.webhooks.rotateSecret(
  "6908bffd1c2e4a5b9d7f0a31",
  { overlap_seconds: 3600 },
);
// The new secret is shown once.
console.log(webhook.secret);
