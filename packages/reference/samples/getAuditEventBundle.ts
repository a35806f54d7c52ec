import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const bundle = await idp.audit.bundle(
  "6908bffd1c2e4a5b9d7f0a31",
);
console.log(JSON.stringify(bundle));
