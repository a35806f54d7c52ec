import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const results = await idp.sentinel.importHistory([
  {
    external_id: "ORG_USR_9921_AFG",
    time: "2026-08-15T09:30:00Z",
    context: {
      ip: "1.1.1.1",
      ua: "EnterpriseAgent/1.0",
    },
  },
]);
console.log(results);
