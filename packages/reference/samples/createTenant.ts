import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

const { tenant, token } = await idp.tenants.create({
  name: "Acme",
  mode: "live",
});
// The secret is shown once: hand it to the tenant's backend.
console.log(tenant.id, token.secret);
