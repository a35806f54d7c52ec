import { EdgeIdp } from "@edge-idp/sdk";

const { OPERATOR_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: OPERATOR_TOKEN,
});

const { runs } = await idp.health.measure();
console.log(runs);
