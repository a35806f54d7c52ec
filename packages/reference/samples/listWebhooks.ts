import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const webhooks = await idp.webhooks.list();
for (const { url, status } of webhooks) {
  console.log(url, status);
}
