import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const { explanation } = await idp.sentinel.assessment(
  "01a20a4597691de6cc1dbcad9cff4cd8dbc0866f162dc9a8",
);
for (const { name, value } of explanation?.steps ?? [])
  console.log(name, value);
