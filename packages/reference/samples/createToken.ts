import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const token = await idp.tokens.create({
  name: "backend",
  permissions: ["idp:read"],
});
// The secret is shown once.
console.log(token.secret);
