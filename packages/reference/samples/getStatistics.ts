import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const statistics = await idp.audit.statistics({
  metric: "verifications",
  step: "day",
});
console.log(statistics);
