import { EdgeIdp, IdpError } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

try {
  const { device, token } = await idp.otp.verify(
    "ORG_USR_9921_AFG",
    "552192",
    {
      remember_device: { days: 30 },
      // Only for a service that needs a proof of its own.
      token: { audience: "https://api.example.com" },
    },
  );
  // Keep device.token in a cookie.
  console.log(
    "The code is right.",
    device?.status,
    token,
  );
} catch (error) {
  if (!(error instanceof IdpError)) throw error;
  // Such as invalid_code or user_locked.
  console.log(error.code, error.attemptsRemaining);
}
