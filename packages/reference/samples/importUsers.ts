import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const results = await idp.users.import([
  {
    external_id: "ORG_USR_9921_AFG",
    authenticators: [
      { secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" },
    ],
  },
]);
for (const { external_id, outcome } of results) {
  console.log(external_id, outcome);
}
