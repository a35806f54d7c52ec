import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

// The name confirms that it is the right tenant.
console.log(
  await idp.tenants.delete(
    "6908bffd1c2e4a5b9d7f0a31",
    "Acme",
  ),
);
