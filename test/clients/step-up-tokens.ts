/**
 * Step-up tokens before and after a rotation of their keys. Each is verified with the live keys of the service by three
 * programs: jose and the SDK in Node, and PyJWT in Python.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { EdgeIdp } from "@edge-idp/sdk";
import { StepUpTokenError, verifyStepUpToken } from "@edge-idp/sdk/tokens";
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";
import { LocalService } from "../e2e/local-service.ts";
import { ProcessGroup } from "../e2e/process-group.ts";
import type { ProjectCopy } from "../e2e/project-copy.ts";
import type { Report } from "../e2e/report.ts";
import { Authenticator, addSeconds } from "../sdk/journey/authenticator.ts";

const audience = "https://api.example.com";
const externalId = "ORG_USR_9921_AFG";
/** Longer than the check takes. */
const lifetimeSeconds = 600;
const refusedByPython = { audience: true, issuer: true, "alg none": true, "changed claims": true };

interface Enrolled {
  readonly idp: EdgeIdp;
  readonly tenant: string;
  readonly app: Authenticator;
}

export class StepUpCheck {
  readonly #report: Report;
  readonly #copy: ProjectCopy;
  readonly #folder: string;
  readonly #started: ProcessGroup[] = [];
  #service: LocalService;

  /** @param service restarted with other keys, at the same address */
  constructor(report: Report, root: string, copy: ProjectCopy, service: LocalService) {
    this.#report = report;
    this.#copy = copy;
    this.#service = service;
    this.#folder = join(copy.scratch, "step-up");
    cpSync(join(root, "test/clients/step-up"), this.#folder, { recursive: true });
  }

  async run(): Promise<void> {
    const requirements = ["--require-hashes", "--requirement", "requirements.txt"];
    await this.#runIn(this.#folder, "python3", ["-m", "venv", "venv"]);
    await this.#runIn(this.#folder, "venv/bin/pip", ["install", "--quiet", ...requirements]);

    const user = await this.#enrol();
    const first = await this.#issue(user, -30);
    await this.#check("before the rotation", user, first, true);

    await this.#rotate(["add", "token_signing"]);
    const second = await this.#issue(user, 0);
    const isSame = kidOf(second) === kidOf(first);
    this.#report.add("step-up tokens: another key signs", isSame ? ["The same key signs"] : []);
    await this.#check("after the rotation", user, second, true);
    await this.#check("an earlier one after the rotation", user, first, true);

    await this.#rotate(["drop", "token_signing", "1"]);
    await this.#check("without the earlier key", user, await this.#issue(user, 30), true);
    await this.#check("an earlier one without its key", user, first, false);
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((group) => group.end("SIGTERM")));
    await this.#service.close();
  }

  async #enrol(): Promise<Enrolled> {
    const { url, operatorToken } = this.#service;
    const operator = new EdgeIdp({ url, token: operatorToken });
    const { tenant, token } = await operator.tenants.create({ name: "Acme", mode: "live" });
    const idp = new EdgeIdp({ url, token: token.secret });
    await idp.users.provision(externalId);
    const names = { issuer_name: "Acme", account_name: "alexander" };
    const { qrcode_payload } = await idp.otp.configure(externalId, names);
    return { idp, tenant: tenant.id, app: new Authenticator(qrcode_payload) };
  }

  /** @param seconds from now to the time of the code; each code must be later than the one before */
  async #issue({ idp, app }: Enrolled, seconds: number): Promise<string> {
    const code = app.codeAt(addSeconds(new Date(), seconds));
    const asked = { token: { audience, lifetime_seconds: lifetimeSeconds } };
    const { token = "" } = await idp.otp.verify(externalId, code, asked);
    return token;
  }

  /** Adds or drops a version, and starts the service with the result. */
  async #rotate(args: readonly string[]): Promise<void> {
    const { project } = this.#copy;
    await this.#runIn(project, "npx", ["edge-idp", "keys", "rotate", ...args]);
    await this.#service.close();
    this.#service = await LocalService.create(this.#copy, Number(new URL(this.#service.url).port));
    await this.#service.waitUntilReady();
  }

  /** Reports whether each program accepts the token, or refuses it for want of its key. */
  async #check(title: string, { tenant }: Enrolled, token: string, isValid: boolean) {
    const { url: issuer } = this.#service;
    const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer));
    const byJose = await jwtVerify(token, keys, { issuer, audience, algorithms: ["EdDSA"] }).then(
      ({ payload }) => payload.sub === externalId,
      (error: unknown) => requireUnknownKey(error instanceof errors.JWKSNoMatchingKey, error),
    );
    // A function of its own has keys of its own, as a process that starts now.
    const send: typeof fetch = async (input, init) => await fetch(input, init);
    const byTheSdk = await verifyStepUpToken(token, { issuer, audience, tenant, fetch: send }).then(
      ({ sub }) => sub === externalId,
      (error: unknown) =>
        requireUnknownKey(
          error instanceof StepUpTokenError && error.reason === "unknown_key",
          error,
        ),
    );
    const environment = { IDP_URL: issuer, STEP_UP_TOKEN: token, AUDIENCE: audience };
    const output = await this.#runIn(this.#folder, "venv/bin/python", ["verify.py"], environment);
    const { claims, refused }: { claims?: { sub: string }; refused?: object } = JSON.parse(output);
    const byPython = claims?.sub === externalId;
    const isStrict = JSON.stringify(refusedByPython) === JSON.stringify(refused);
    const found = { jose: byJose, SDK: byTheSdk, PyJWT: byPython };
    this.#report.add(`step-up tokens: ${title}`, [
      ...Object.entries(found).flatMap(([name, isAccepted]) =>
        isAccepted === isValid ? [] : [`${name} ${isAccepted ? "accepts" : "refuses"} the token`],
      ),
      ...(isStrict === isValid ? [] : [`PyJWT refuses ${JSON.stringify(refused)}`]),
    ]);
  }

  /** @returns the output @throws Error if the command fails */
  async #runIn(
    folder: string,
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const group = new ProcessGroup(command, args, folder, environment);
    this.#started.push(group);
    if ((await group.ended) === 0) return group.output;
    throw new Error(`${command} ${args.join(" ")} failed: ${group.output}${group.errors}`);
  }
}

function kidOf(token: string): string | undefined {
  return decodeProtectedHeader(token).kid;
}

/** @returns false: the token is refused @throws the error, if it is another than that of an unknown key */
function requireUnknownKey(isUnknownKey: boolean, error: unknown): false {
  if (isUnknownKey) return false;
  throw error;
}
