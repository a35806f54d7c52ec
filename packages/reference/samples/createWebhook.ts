import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const webhook = await idp.webhooks.create({
  url: "https://hooks.example.com/edge-idp",
  events: ["user.locked", "otp.*"],
});
// The secret is shown once.
console.log(webhook.secret);
