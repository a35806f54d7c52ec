import { bodyOf, type Connection } from "../connection.ts";
import { createUnexpectedAnswer } from "../idp-error.ts";
import type { RequestOptions } from "../options.ts";
import type { OtpSetup, VerifyOtpInput, VerifyOtpResult } from "../types.ts";

export interface ConfigureOtpInput {
  /** Your product's name, as the authenticator app shows it. It contains no colon. */
  readonly issuer_name: string;
  /** The user's name in the app, such as an e-mail address. It contains no colon, and the service does not store it. */
  readonly account_name: string;
  /** `svg` adds the QR code to the answer, as `qrcode_svg`. */
  readonly qr?: "svg" | undefined;
}

/** Time-based codes (RFC 6238) and backup codes. */
export class Otp {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates the primary TOTP secret, which replaces the one before; `authenticators.add` adds others beside it. Show
   * `qrcode_payload` or `qrcode_svg` to the user at once: the service never shows the secret again. With the setting
   * `otp.enrolment: "confirm"`, `is_setup_complete` is false, and the secret becomes live with the first code that
   * `verify` accepts within ten minutes. Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`, `user_suspended`, `too_many` (the user has five authenticators beside it)
   */
  async configure(
    externalId: string,
    { qr, ...otp }: ConfigureOtpInput,
    options?: RequestOptions,
  ): Promise<OtpSetup> {
    const query = { externalUserId: externalId, ...(qr === undefined ? {} : { qr }) };
    const api = this.#connection.api(options);
    const call = api.POST("/v1/idp/user/otp", { params: { query }, body: { otp } });
    return (await bodyOf(call)).user;
  }

  /**
   * Verifies a code as the user typed it: the digits that an authenticator shows, or a backup code. A code that is not
   * accepted is an error. `purpose: "confirm"` tries the code against pending secrets alone. With `remember_device`, the
   * answer has the token of a new known device, as `device.token`; send it as `device_token` from then on. With
   * `token: { audience }`, the result has a step-up token for another service, which verifies it with
   * `@edge-idp/sdk/tokens`. Permission: `idp:write`.
   *
   * @throws IdpError `invalid_code` (see `attemptsRemaining`), `code_already_used` (wait for the next code),
   * `user_locked` (see `lockedUntil`), `otp_disabled` (only a new secret helps), `otp_not_configured`,
   * `no_pending_enrolment`, `user_suspended`, `user_not_found`, `invalid_request` (the text is no code),
   * `step_up_tokens_not_set_up`
   */
  async verify(
    externalId: string,
    code: string,
    input: VerifyOtpInput = {},
    options?: RequestOptions,
  ): Promise<VerifyOtpResult> {
    const body = { otp: { ...input, id: externalId, code } };
    const call = this.#connection.api(options).POST("/v1/idp/otp/verify", { body });
    const result = await bodyOf(call);
    // A caller signs the user in after a success, so the answer of a proxy must not pass for one.
    const isSuccess =
      [result.status, result.method].every((text) => typeof text === "string") &&
      result.id === externalId;
    if (isSuccess) return result;
    // Without the answer, which may have tokens.
    throw createUnexpectedAnswer("The answer does not say that the code was accepted.");
  }

  /**
   * Removes all authenticators and the backup codes. If the reply to the first try was lost, its retry finds none: treat
   * `otp_not_configured` as done. Permission: `idp:write`.
   *
   * @throws IdpError `otp_not_configured`, `user_not_found`
   */
  async remove(externalId: string, options?: RequestOptions): Promise<void> {
    const params = { query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/idp/user/otp", { params });
  }
}
