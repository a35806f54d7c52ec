import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const events = idp.audit.events({
  action: "otp.verified",
  externalUserId: "ORG_USR_9921_AFG",
});
for await (const event of events)
  console.log(event.at, event.outcome);
