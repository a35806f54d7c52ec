import { Connection } from "./connection.ts";
import type { EdgeIdpOptions } from "./options.ts";
import { Audit } from "./resources/audit.ts";
import { Authenticators } from "./resources/authenticators.ts";
import { BackupCodes } from "./resources/backup-codes.ts";
import { Devices } from "./resources/devices.ts";
import { Health } from "./resources/health.ts";
import { Keys } from "./resources/keys.ts";
import { Otp } from "./resources/otp.ts";
import { Passkeys } from "./resources/passkeys.ts";
import { Sentinel } from "./resources/sentinel.ts";
import { Settings } from "./resources/settings.ts";
import { StepUp } from "./resources/step-up.ts";
import { Streams } from "./resources/streams.ts";
import { Tenants } from "./resources/tenants.ts";
import { Tokens } from "./resources/tokens.ts";
import { Users } from "./resources/users.ts";
import { Webhooks } from "./resources/webhooks.ts";

/**
 * The client of one tenant, or of the operator. It has no state and no open connection, so create it once and share it.
 *
 *     const idp = new EdgeIdp({ url: "https://idp.example.com", token });
 *     await idp.users.provision("ORG_USR_9921_AFG");
 *
 * A call that fails rejects with an `IdpError`. Calls repeat themselves after network errors, time-outs, 429 and 503.
 */
export class EdgeIdp {
  readonly users: Users;
  readonly otp: Otp;
  readonly authenticators: Authenticators;
  readonly backupCodes: BackupCodes;
  readonly passkeys: Passkeys;
  readonly stepUp: StepUp;
  readonly devices: Devices;
  readonly sentinel: Sentinel;
  readonly audit: Audit;
  readonly webhooks: Webhooks;
  readonly streams: Streams;
  readonly tokens: Tokens;
  readonly settings: Settings;
  readonly tenants: Tenants;
  readonly keys: Keys;
  readonly health: Health;
  readonly #options: EdgeIdpOptions;

  /** @throws TypeError for a URL that is not absolute, and for a token that no header can carry */
  constructor(options: EdgeIdpOptions) {
    const connection = new Connection(options);
    this.#options = options;
    this.users = new Users(connection);
    this.otp = new Otp(connection);
    this.authenticators = new Authenticators(connection);
    this.backupCodes = new BackupCodes(connection);
    this.passkeys = new Passkeys(connection);
    this.stepUp = new StepUp(connection);
    this.devices = new Devices(connection);
    this.sentinel = new Sentinel(connection);
    this.audit = new Audit(connection);
    this.webhooks = new Webhooks(connection);
    this.streams = new Streams(connection);
    this.tokens = new Tokens(connection);
    this.settings = new Settings(connection);
    this.tenants = new Tenants(connection);
    this.keys = new Keys(connection);
    this.health = new Health(connection);
  }

  /**
   * The same client, whose writes carry `Acting-For`.
   *
   * @param personId your id of the administrator or support agent: 1 to 255 printable ASCII characters, no e-mail address
   */
  actingFor(personId: string): EdgeIdp {
    return new EdgeIdp({ ...this.#options, actingFor: personId });
  }
}
