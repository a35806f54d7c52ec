import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

// Send `legitimate` only after a second factor: Sentinel learns from it.
await idp.sentinel.feedback(
  "01a20a4597691de6cc1dbcad9cff4cd8dbc0866f162dc9a8",
  "legitimate",
);
