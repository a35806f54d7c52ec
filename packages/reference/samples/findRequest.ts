import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

const { events } = await idp.tenants.findRequest(
  "6908bffd1c2e4a5b9d7f0a31",
);
console.log(events[0]?.tenant_id);
