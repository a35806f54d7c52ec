import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const authenticators = await idp.authenticators.list(
  "ORG_USR_9921_AFG",
);
for (const {
  name,
  last_used_at,
  drift_seconds,
} of authenticators)
  console.log(name, last_used_at, drift_seconds);
