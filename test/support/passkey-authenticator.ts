/**
 * A browser with an authenticator, in software: it makes passkeys and answers options in the JSON forms of WebAuthn
 * Level 3. It is honest unless a test asks for a deviation.
 */
import { base64urlnopad, hex } from "@scure/base";
import type { Algorithm } from "../../src/passkeys/passkey.ts";
import { encodeAttestationObject, encodeCoseKey } from "./passkey-encoding.ts";
import type {
  AuthenticationAnswer,
  CreationOptions,
  RegistrationAnswer,
  RequestOptions,
} from "./passkey-json.ts";
import { createKeys, exportJwk, isAlgorithm, signMessage } from "./passkey-keys.ts";

/** The page that calls `navigator.credentials`. */
export interface Page {
  readonly origin: string;
  readonly crossOrigin?: boolean;
  readonly topOrigin?: string;
}

export interface Flags {
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly attested: boolean;
  readonly extensions: boolean;
}

/** What an answer says otherwise than an honest one. All of it is signed. */
export interface Deviations {
  readonly flags?: Partial<Flags>;
  readonly signCount?: number;
  readonly type?: string;
  readonly challenge?: string;
  readonly rpId?: string;
  /** Base64url; null: none. */
  readonly userHandle?: string | null;
  readonly credentialId?: string;
  /** Bytes after the authenticator data, such as extensions in CBOR. */
  readonly trailing?: Uint8Array;
  /** Changes the authenticator data before it is signed. */
  readonly editData?: (data: Uint8Array) => Uint8Array;
  /** Replaces the whole client data. */
  readonly clientData?: Uint8Array;
  /** Format and statement of the attestation; the statement is CBOR. */
  readonly format?: string;
  readonly statement?: Uint8Array;
  /** Replaces the COSE key. */
  readonly publicKey?: Uint8Array;
}

interface Credential {
  readonly id: string;
  readonly rpId: string;
  readonly userHandle: string;
  readonly algorithm: Algorithm;
  readonly keys: CryptoKeyPair;
  readonly publicKey: Uint8Array;
}

export interface AuthenticatorSettings {
  /** By default the first that the options offer. */
  readonly algorithm?: Algorithm;
  /** Whether passkeys are copied to other devices. Such authenticators have no counter. */
  readonly synced?: boolean;
  readonly verifiesUser?: boolean;
  readonly aaguid?: string;
  /** The keys of each passkey, for tests that make many: keys of RSA take long to make. */
  readonly keys?: CryptoKeyPair;
}

const flagBits: Readonly<Record<keyof Flags, number>> = {
  userPresent: 0x01,
  userVerified: 0x04,
  backupEligible: 0x08,
  backedUp: 0x10,
  attested: 0x40,
  extensions: 0x80,
};

async function sha256(data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(data)));
}

function formatClientData(type: string, challenge: string, page: Page, deviations: Deviations) {
  const { origin, crossOrigin = false, topOrigin } = page;
  const data = {
    type: deviations.type ?? type,
    challenge: deviations.challenge ?? challenge,
    origin,
    crossOrigin,
    ...(topOrigin === undefined ? {} : { topOrigin }),
  };
  return deviations.clientData ?? new TextEncoder().encode(JSON.stringify(data));
}

/** Each device has its own counter, as a clone of a device has. */
export class PasskeyAuthenticator {
  readonly #settings: AuthenticatorSettings;
  readonly #credentials: Credential[];
  #signCount: number;

  constructor(
    settings: AuthenticatorSettings = {},
    credentials: readonly Credential[] = [],
    signCount = 0,
  ) {
    this.#settings = settings;
    this.#credentials = [...credentials];
    this.#signCount = signCount;
  }

  /** A copy with the same passkeys and counter, which then count apart. */
  clone(): PasskeyAuthenticator {
    return new PasskeyAuthenticator(this.#settings, this.#credentials, this.#signCount);
  }

  /** Answers `navigator.credentials.create`. */
  async create(
    options: CreationOptions,
    page: Page,
    deviations: Deviations = {},
  ): Promise<RegistrationAnswer> {
    const algorithm =
      this.#settings.algorithm ??
      options.pubKeyCredParams.map(({ alg }) => alg).find((alg) => isAlgorithm(alg));
    if (!isAlgorithm(algorithm)) throw new TypeError("The options offer no known algorithm");
    const keys = this.#settings.keys ?? (await createKeys(algorithm));
    const credential: Credential = {
      id:
        deviations.credentialId ??
        base64urlnopad.encode(crypto.getRandomValues(new Uint8Array(32))),
      rpId: options.rp.id ?? new URL(page.origin).hostname,
      userHandle: options.user.id,
      algorithm,
      keys,
      publicKey: encodeCoseKey(algorithm, await exportJwk(keys.publicKey)),
    };
    this.#credentials.push(credential);
    const { id } = credential;
    const idBytes = base64urlnopad.decode(id);
    const aaguid = hex.decode((this.#settings.aaguid ?? "00".repeat(16)).replaceAll("-", ""));
    const attested = [
      ...aaguid,
      idBytes.length >> 8,
      idBytes.length & 0xff,
      ...idBytes,
      ...(deviations.publicKey ?? credential.publicKey),
    ];
    const data = await this.#formatData(credential, attested, deviations);
    const clientData = formatClientData("webauthn.create", options.challenge, page, deviations);
    return {
      id,
      rawId: id,
      type: "public-key",
      authenticatorAttachment: "platform",
      clientExtensionResults: {},
      response: {
        clientDataJSON: base64urlnopad.encode(clientData),
        attestationObject: base64urlnopad.encode(
          encodeAttestationObject(data, deviations.format, deviations.statement),
        ),
        transports: ["hybrid", "internal"],
      },
    };
  }

  /** Answers `navigator.credentials.get` with the newest passkey that the options allow. */
  async get(
    options: RequestOptions,
    page: Page,
    deviations: Deviations = {},
  ): Promise<AuthenticationAnswer> {
    const { allowCredentials = [] } = options;
    const rpId = options.rpId ?? new URL(page.origin).hostname;
    const credential = this.#credentials.findLast(
      (one) =>
        one.rpId === rpId &&
        (allowCredentials.length === 0 || allowCredentials.some(({ id }) => id === one.id)),
    );
    if (credential === undefined) throw new RangeError("The device has no such passkey");
    const data = await this.#formatData(credential, [], deviations);
    const clientData = formatClientData("webauthn.get", options.challenge, page, deviations);
    const message = new Uint8Array([...data, ...(await sha256(clientData))]);
    const { userHandle = credential.userHandle, credentialId = credential.id } = deviations;
    return {
      id: credentialId,
      rawId: credentialId,
      type: "public-key",
      authenticatorAttachment: "platform",
      clientExtensionResults: {},
      response: {
        clientDataJSON: base64urlnopad.encode(clientData),
        authenticatorData: base64urlnopad.encode(data),
        signature: base64urlnopad.encode(
          await signMessage(credential.algorithm, credential.keys.privateKey, message),
        ),
        ...(userHandle === null ? {} : { userHandle }),
      },
    };
  }

  async #formatData(
    credential: Credential,
    attested: readonly number[],
    deviations: Deviations,
  ): Promise<Uint8Array> {
    const { synced = false, verifiesUser = true } = this.#settings;
    if (!synced) this.#signCount += 1;
    const flags: Flags = {
      userPresent: true,
      userVerified: verifiesUser,
      backupEligible: synced,
      backedUp: synced,
      attested: attested.length > 0,
      extensions: false,
      ...deviations.flags,
    };
    const bits = [
      ...(flags.userPresent ? [flagBits.userPresent] : []),
      ...(flags.userVerified ? [flagBits.userVerified] : []),
      ...(flags.backupEligible ? [flagBits.backupEligible] : []),
      ...(flags.backedUp ? [flagBits.backedUp] : []),
      ...(flags.attested ? [flagBits.attested] : []),
      ...(flags.extensions ? [flagBits.extensions] : []),
    ];
    const counter = new DataView(new ArrayBuffer(4));
    counter.setUint32(0, deviations.signCount ?? this.#signCount);
    const data = new Uint8Array([
      ...(await sha256(new TextEncoder().encode(deviations.rpId ?? credential.rpId))),
      bits.reduce((sum, bit) => sum | bit, 0),
      ...new Uint8Array(counter.buffer),
      ...attested,
      ...(deviations.trailing ?? []),
    ]);
    return deviations.editData?.(data) ?? data;
  }
}
