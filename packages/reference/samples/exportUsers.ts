import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

for await (const user of idp.users.export()) {
  const { external_id, authenticators } = user;
  console.log(external_id, authenticators.length);
}
