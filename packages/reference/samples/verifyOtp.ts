import { EdgeIdp, IdpError } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

try {
  const { token } = await idp.otp.verify(
    "ORG_USR_9921_AFG",
    "552192",
    {
      // Only for a service that needs a proof of its own.
      token: { audience: "https://api.example.com" },
    },
  );
  console.log("The code is right.", token);
} catch (error) {
  if (!(error instanceof IdpError)) throw error;
  // Such as invalid_code or user_locked.
  console.log(error.code, error.attemptsRemaining);
}
