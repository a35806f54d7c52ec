import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const otp = await idp.otp.configure(
  "ORG_USR_9921_AFG",
  {
    issuer_name: "Acme Enterprise",
    account_name: "alexander@enterprise.com",
    qr: "svg",
  },
);
// Show the QR code to the user, and keep neither it nor the secret.
console.log(otp.qrcode_svg, otp.is_setup_complete);
