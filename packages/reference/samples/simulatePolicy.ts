import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const result = await idp.sentinel.simulate({
  sentinel: { challenge_at: 0.4, deny_at: 0.7 },
});
console.log(result);
