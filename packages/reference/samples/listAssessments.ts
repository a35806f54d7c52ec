import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const denied = idp.sentinel.assessments({
  recommendation: "deny",
  min_score: 0.9,
});
for await (const { at, risk_score } of denied)
  console.log(at, risk_score);
