/** `npm run --silent qr`: reads an enrolment answer from standard input and draws its QR code. */
import { text } from "node:stream/consumers";
import { z } from "zod";
import { drawQrForTerminal } from "./support/terminal-qr.ts";

const configured = z.object({
  user: z.object({ new_otp_secret: z.string(), qrcode_payload: z.string() }),
});

const { user } = configured.parse(JSON.parse(await text(process.stdin)));
const drawing = drawQrForTerminal(user.qrcode_payload, { isColoured: process.stdout.isTTY });
process.stdout.write(`${drawing}\n`);
process.stdout.write(`Secret: ${user.new_otp_secret}\n`);
