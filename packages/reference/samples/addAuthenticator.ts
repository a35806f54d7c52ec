import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const authenticator = await idp.authenticators.add(
  "ORG_USR_9921_AFG",
  {
    issuer_name: "Acme Enterprise",
    account_name: "alexander@enterprise.com",
    name: "Work phone",
    qr: "svg",
  },
);
// Show the QR code to the user, and keep neither it nor the secret.
console.log(
  authenticator.qrcode_svg,
  authenticator.status,
);
