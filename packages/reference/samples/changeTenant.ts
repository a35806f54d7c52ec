import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

await idp.tenants.change("6908bffd1c2e4a5b9d7f0a31", {
  name: "Acme Enterprise",
});
await idp.tenants.suspend("6908bffd1c2e4a5b9d7f0a31");
await idp.tenants.reactivate(
  "6908bffd1c2e4a5b9d7f0a31",
);
