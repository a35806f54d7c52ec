import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const assessment = await idp.sentinel.assess(
  "ORG_USR_9921_AFG",
  { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" },
);
if (assessment.recommendation === "deny")
  console.log("Refuse the session", assessment.reasons);
if (assessment.recommendation === "challenge")
  console.log("Ask for a second factor");
