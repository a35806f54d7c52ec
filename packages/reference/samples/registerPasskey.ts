import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const passkey = await idp.passkeys.register(
  "ORG_USR_9921_AFG",
  {
    // From the session of the browser.
    challenge: "AQEAAAGZ0p1dgBeVtKJxSf2wQpLr8s3D",
    // What the page sent: the result of createPasskey().
    credential: {
      id: "7Yw3kZ0mQf2hV9sT1xLr4g",
      rawId: "7Yw3kZ0mQf2hV9sT1xLr4g",
      type: "public-key",
      response: {
        clientDataJSON:
          "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRl",
        attestationObject: "o2NmbXRkbm9uZWdhdHRTdG10oA",
        transports: ["internal", "hybrid"],
      },
    },
    name: "iPhone of Alexander",
  },
);
console.log(passkey.id, passkey.backed_up);
