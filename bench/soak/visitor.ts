/**
 * A visitor sends one request after the other for users of its own, so that it knows what each answer must be. Most
 * users stay; now and then a new one takes the place of the oldest.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { codeFor, wrongCodeFor } from "../hot/authenticator.ts";
import { type Answer, type Request, send } from "./client.ts";
import type { Act, Ledger } from "./ledger.ts";
import type { Load, Tally } from "./load.ts";
import type { SoakTenant } from "./tenant.ts";

/** The time between two visits of a user, by the tenant's clock. */
const visitMs = 5 * 60 * 1000;
/** The default policy locks at five. */
const maxFailures = 3;
const usersPerVisitor = 10;
/** The pause after a request that got no answer. */
const retryMs = 200;
/** Address blocks that the users of all visitors share. */
const addressBlocks = 16;
const agent =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

const enrolled = z.object({ user: z.object({ new_otp_secret: z.string() }) });
const codes = z.object({ user: z.object({ backupCodes: z.array(z.string()) }) });
const assessed = z.object({ recommendation: z.string() });
const refused = z.object({ code: z.string() });

interface User {
  readonly externalId: string;
  readonly secret: string;
  readonly address: string;
  at: number;
  failures: number;
  backupCodes: readonly string[];
}

/** The steps of the mixed load with their shares in per cent. Some send two requests. */
const steps = [
  ["right", 33],
  ["replayed", 10],
  ["wrong", 12],
  ["backupCode", 4],
  ["discover", 20],
  ["profile", 12],
  ["list", 5],
  ["newUser", 4],
] as const;
type Step = (typeof steps)[number][0];

function drawStep(): Step {
  let left = Math.random() * 100;
  for (const [step, share] of steps) {
    left -= share;
    if (left < 0) return step;
  }
  return "right";
}

/** The request got no answer that says what the service did, so the state of its user is unknown. */
class Unacknowledged extends Error {}

export class Visitor {
  readonly #url: string;
  readonly #tenant: SoakTenant;
  readonly #ledger: Ledger;
  readonly #tally: Tally;
  readonly #keepsUsers: boolean;
  readonly #users: User[] = [];
  #next = 0;

  constructor({ url, ledger, tally, keepsUsers }: Load, tenant: SoakTenant) {
    this.#url = url;
    this.#ledger = ledger;
    this.#tally = tally;
    this.#keepsUsers = keepsUsers;
    this.#tenant = tenant;
  }

  /** Sends requests until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const user = this.#users[this.#next++ % usersPerVisitor];
      try {
        if (user === undefined) await this.#createUser();
        else await this.#take(drawStep(), user);
      } catch (error) {
        if (!(error instanceof Unacknowledged)) throw error;
        const index = user === undefined ? -1 : this.#users.indexOf(user);
        if (index >= 0) this.#users.splice(index, 1);
        await sleep(retryMs);
      }
    }
  }

  async #take(step: Step, user: User): Promise<void> {
    user.at += visitMs;
    switch (step) {
      case "right":
        return await this.#verifyRight(user);
      case "replayed":
        return await this.#replay(user);
      case "wrong":
        if (user.failures >= maxFailures) return await this.#verifyRight(user);
        return await this.#verifyWrong(user);
      case "backupCode":
        return await this.#spendBackupCode(user);
      case "discover":
        return await this.#discover(user);
      case "profile":
        await this.#send(this.#get(`/v1/idp/user?externalUserId=${user.externalId}`, user.at), 200);
        return;
      case "list":
        await this.#send(this.#get("/v1/idp/users?limit=20"), 200);
        return;
      case "newUser":
        if (this.#keepsUsers) return await this.#verifyRight(user);
        this.#users.shift();
        return await this.#createUser();
    }
  }

  async #createUser(): Promise<void> {
    this.#tally.users += 1;
    const n = this.#tally.users;
    const externalId = `SOAK_USER_${n}`;
    const provisioned: Act = {
      externalId,
      action: "user.provisioned",
      outcome: "success",
      reason: null,
    };
    await this.#act("/v1/idp/users", { user: { external_id: externalId } }, 201, provisioned);
    const otp = { issuer_name: "Acme", account_name: "soak@example.com" };
    const path = `/v1/idp/user/otp?externalUserId=${externalId}`;
    const configured: Act = { ...provisioned, action: "otp.configured" };
    const { body } = await this.#act(path, { otp }, 200, configured);
    this.#users.push({
      externalId,
      secret: enrolled.parse(body).user.new_otp_secret,
      address: `85.16.${n % addressBlocks}.${10 + (n % 200)}`,
      at: Date.now(),
      failures: 0,
      backupCodes: [],
    });
  }

  async #verifyRight(user: User): Promise<void> {
    await this.#verify(user, codeFor(user.secret, user.at), 200, "success", null);
    user.failures = 0;
  }

  async #replay(user: User): Promise<void> {
    await this.#verifyRight(user);
    const code = codeFor(user.secret, user.at);
    await this.#verify(user, code, 422, "refused", "code_already_used");
  }

  async #verifyWrong(user: User): Promise<void> {
    user.failures += 1;
    const code = wrongCodeFor(user.secret, user.at);
    await this.#verify(user, code, 422, "failure", "invalid_code");
  }

  async #spendBackupCode(user: User): Promise<void> {
    const { externalId } = user;
    const [code, ...others] = user.backupCodes;
    if (code === undefined) {
      const path = `/v1/idp/user/backup-codes?externalUserId=${externalId}`;
      const { body } = await this.#act(
        path,
        undefined,
        200,
        { externalId, action: "backup_codes.generated", outcome: "success", reason: null },
        user.at,
      );
      user.backupCodes = codes.parse(body).user.backupCodes;
      return;
    }
    user.backupCodes = others;
    await this.#verify(user, code, 200, "success", null);
    user.failures = 0;
  }

  async #discover({ externalId, address, at }: User): Promise<void> {
    const body = { sentinel: { external_id: externalId, context: { ip: address, ua: agent } } };
    const request = { ...this.#post("/v1/sentinel/discover", body), at };
    const act = { externalId, action: "session.assessed", outcome: "success" } as const;
    const answer = await this.#send(request, undefined, { ...act, reason: null });
    const parsed = assessed.safeParse(answer.body);
    if (!parsed.success) return this.#addWrongAnswer(request, answer);
    this.#ledger.acknowledge(answer.requestId, { ...act, reason: parsed.data.recommendation });
  }

  async #verify(
    { externalId, at }: User,
    code: string,
    status: number,
    outcome: Act["outcome"],
    reason: string | null,
  ): Promise<void> {
    const body = { otp: { id: externalId, code } };
    const act = { externalId, action: "otp.verified", outcome, reason };
    const answer = await this.#act("/v1/idp/otp/verify", body, status, act, at);
    if (status !== 422) return;
    const wanted = reason ?? "";
    const { data } = refused.safeParse(answer.body);
    if (data?.code !== wanted) this.#tally.wrongAnswers.push(`${wanted}: ${data?.code}`);
  }

  /** Sends a request that must have this status, and enters the act that it acknowledges. */
  async #act(path: string, body: object | undefined, status: number, act: Act, at?: number) {
    const request = { ...this.#post(path, body), ...(at === undefined ? {} : { at }) };
    const answer = await this.#send(request, status, act);
    this.#ledger.acknowledge(answer.requestId, act);
    return answer;
  }

  #get(path: string, at?: number): Request {
    const { token } = this.#tenant;
    return { method: "GET", path, token, ...(at === undefined ? {} : { at }) };
  }

  #post(path: string, body: object | undefined): Request {
    const { token } = this.#tenant;
    return { method: "POST", path, token, ...(body === undefined ? {} : { body }) };
  }

  /**
   * @param status the only right one; undefined if there are several
   * @param act what the service does; undefined if it only reads
   * @throws Unacknowledged without an answer, for 429 and 503, and for a wrong answer
   */
  async #send(request: Request, status: number | undefined, act?: Act): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await send(this.#url, request);
    } catch (error) {
      this.#tally.addUnacknowledged(error instanceof Error ? error.message : "no answer");
      if (act !== undefined) this.#ledger.leaveOpen(act);
      throw new Unacknowledged();
    }
    this.#tally.answers += 1;
    if (status === answer.status) return answer;
    if (status === undefined && [200, 403].includes(answer.status)) return answer;
    if (act !== undefined) this.#ledger.leaveOpen(act);
    if ([429, 503].includes(answer.status)) {
      this.#tally.addUnacknowledged(`status ${answer.status}`);
    } else {
      this.#addWrongAnswer(request, answer);
    }
    throw new Unacknowledged();
  }

  #addWrongAnswer({ method, path }: Request, { status, body, requestId }: Answer): void {
    this.#tally.wrongAnswers.push(
      `${method} ${path} answered ${status} to request ${requestId}: ${JSON.stringify(body)}`,
    );
  }
}
