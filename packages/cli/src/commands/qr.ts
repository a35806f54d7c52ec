/** `edge-idp qr`: draws the QR code of an enrolment. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { addExamples } from "../help.ts";
import { drawQrForTerminal } from "../terminal-qr.ts";

const configured = z.object({
  user: z.object({ new_otp_secret: z.string(), qrcode_payload: z.string() }),
});

function parseAnswer(json: string) {
  try {
    return configured.parse(JSON.parse(json)).user;
  } catch {
    // What was read may be a secret, so the message does not repeat it.
    throw new Failure("Standard input is not an answer of POST /v1/idp/user/otp.");
  }
}

export function addQrCommand(program: Command): void {
  const command = program
    .command("qr")
    .summary("draw the QR code of an enrolment")
    .description(
      "Reads an answer of POST /v1/idp/user/otp from standard input, and draws its QR code in the terminal.",
    )
    .action(async () => {
      const user = parseAnswer(await text(process.stdin));
      const drawing = drawQrForTerminal(user.qrcode_payload, {
        isColoured: process.stdout.isTTY,
      });
      process.stdout.write(`${drawing}\nSecret: ${user.new_otp_secret}\n`);
    });
  addExamples(command, [
    { line: "qr < answer.json", what: "an answer that was saved" },
    { line: 'qr <<< "$ANSWER"', what: "one in a variable of the shell" },
  ]);
}
