import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

await idp.users.suspend("ORG_USR_9921_AFG");
await idp.users.reactivate("ORG_USR_9921_AFG");
