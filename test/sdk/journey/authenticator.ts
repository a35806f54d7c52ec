/** An authenticator app with the secret of a QR code. */
import { type HOTP, TOTP, URI } from "otpauth";

export class Authenticator {
  readonly #totp: TOTP;

  constructor(qrcodePayload: string) {
    const otp: TOTP | HOTP = URI.parse(qrcodePayload);
    if (!(otp instanceof TOTP)) throw new Error("The QR code is not for time-based codes");
    this.#totp = otp;
  }

  codeAt(time: Date): string {
    return this.#totp.generate({ timestamp: time.getTime() });
  }

  /** Six digits that are no code near this time. */
  wrongCodeAt(time: Date): string {
    const near = [-60, -30, 0, 30, 60].map((seconds) => this.codeAt(addSeconds(time, seconds)));
    const isWrong = (code: string) => !near.includes(code);
    const found = ["000000", "111111", "222222", "333333", "444444", "555555"].find(isWrong);
    if (found === undefined) throw new Error("Every code is near");
    return found;
  }
}

export function addSeconds(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000);
}
