import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const codes = await idp.backupCodes.regenerate(
  "ORG_USR_9921_AFG",
);
// Show them to the user once, and keep none of them.
console.log(codes.join("\n"));
