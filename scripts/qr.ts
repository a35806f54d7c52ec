/** `npm run --silent qr`: reads an enrolment answer from standard input and draws its QR code. */
import { text } from "node:stream/consumers";
import { renderUnicodeCompact } from "uqr";
import { z } from "zod";

const configured = z.object({
  user: z.object({ new_otp_secret: z.string(), qrcode_payload: z.string() }),
});

const { user } = configured.parse(JSON.parse(await text(process.stdin)));
process.stdout.write(`${renderUnicodeCompact(user.qrcode_payload, { border: 2 })}\n`);
process.stdout.write(`Secret: ${user.new_otp_secret}\n`);
