import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

// The audit trail names the administrator who asked for it.
await idp
  .actingFor("ORG_ADMIN_17")
  .users.unlock("ORG_USR_9921_AFG");
