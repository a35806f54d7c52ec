import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

for await (const tenant of idp.tenants.list({
  status: "active",
}))
  console.log(tenant.name);
