/** An authenticator of Chromium itself, over the domain `WebAuthn` of the DevTools protocol. */
import type { CDPSession, Page } from "playwright-core";

/** A passkey as Chromium keeps it. Binary values are base64. */
export interface StoredPasskey {
  readonly credentialId: string;
  readonly isResidentCredential: boolean;
  readonly rpId?: string;
  /** PKCS #8. */
  readonly privateKey: string;
  readonly userHandle?: string;
  readonly signCount: number;
  readonly backupEligibility?: boolean;
  readonly backupState?: boolean;
}

export class VirtualAuthenticator {
  readonly #session: CDPSession;
  readonly #id: string;

  private constructor(session: CDPSession, id: string) {
    this.#session = session;
    this.#id = id;
  }

  /**
   * Adds a phone or computer that verifies its user at once: the only one of the page until it is removed.
   *
   * @param isSynced whether its passkeys may be copied to other devices
   */
  static async create(page: Page, isSynced = true): Promise<VirtualAuthenticator> {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        ctap2Version: "ctap2_1",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: isSynced,
        defaultBackupState: false,
      },
    });
    return new VirtualAuthenticator(session, authenticatorId);
  }

  async list(): Promise<StoredPasskey[]> {
    const { credentials } = await this.#session.send("WebAuthn.getCredentials", this.#named);
    return credentials;
  }

  async add(credential: StoredPasskey): Promise<void> {
    await this.#session.send("WebAuthn.addCredential", { ...this.#named, credential });
  }

  /** Whether the user passes the check of the device, such as a PIN. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    await this.#session.send("WebAuthn.setUserVerified", { ...this.#named, isUserVerified });
  }

  /** Whether somebody touches the device when it asks for that. Otherwise it waits. */
  async setPresence(enabled: boolean): Promise<void> {
    const presence = { ...this.#named, enabled };
    await this.#session.send("WebAuthn.setAutomaticPresenceSimulation", presence);
  }

  /** Whether answers lack the flag of the verified user. */
  async setBadUserVerification(isBadUV: boolean): Promise<void> {
    await this.#session.send("WebAuthn.setResponseOverrideBits", { ...this.#named, isBadUV });
  }

  /** Changes the flags of all its passkeys. */
  async change(flags: {
    readonly backupEligibility?: boolean;
    readonly backupState?: boolean;
  }): Promise<void> {
    for (const { credentialId } of await this.list()) {
      const properties = { ...this.#named, credentialId, ...flags };
      await this.#session.send("WebAuthn.setCredentialProperties", properties);
    }
  }

  /** Resolves when the browser deletes a passkey because the page says so. @returns its id */
  async waitForDeletion(): Promise<string> {
    return await new Promise((resolve) => {
      this.#session.once("WebAuthn.credentialDeleted", (event) => resolve(event.credentialId));
    });
  }

  async remove(): Promise<void> {
    await this.#session.send("WebAuthn.removeVirtualAuthenticator", this.#named);
    await this.#session.detach();
  }

  get #named() {
    return { authenticatorId: this.#id };
  }
}
