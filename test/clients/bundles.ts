/**
 * Bundles of events, verified by three programs that share no code: the SDK, the Python program that
 * docs/audit-verification.md prints, and the libraries of Go's own transparency logs. All of them accept the bundles of
 * the service, and refuse forged ones and every bundle in which one byte was changed.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AuditEventBundle, EdgeIdp } from "@edge-idp/sdk";
import { verifyBundle } from "@edge-idp/sdk/audit";
import { formatPublicKey } from "../../src/crypto/signing.ts";
import { Commands } from "../e2e/commands.ts";
import type { LocalService } from "../e2e/local-service.ts";
import type { Report } from "../e2e/report.ts";
import { createForgersKey, forgeBundle, listKeys } from "../support/bundles.ts";

const externalId = 'José 👤 "\\\u2028';
const erasedUser = "somebody who is erased";
const agent = "Mozilla/5.0 (X11; Linux x86_64) <é>";
/** One bit of each byte, or every other value of each byte. */
const masks =
  process.env.TEST_SIZE === "full"
    ? Uint8Array.from({ length: 255 }, (_, index) => index + 1)
    : Uint8Array.from({ length: 8 }, (_, bit) => 1 << bit);

type Keys = AuditEventBundle["keys"];

/** A bundle, and whether it must be accepted. */
interface Case {
  readonly title: string;
  readonly bundle: AuditEventBundle;
  readonly keys: Keys;
  readonly isValid: boolean;
}

/** The program that the document prints. */
function readProgram(root: string): string {
  const text = readFileSync(join(root, "docs/audit-verification.md"), "utf8");
  const [, program] = /^```python\n([\s\S]*?)^```$/m.exec(text) ?? [];
  if (program === undefined) throw new Error("The document prints no program in Python");
  return program;
}

async function casesOf(bundles: readonly AuditEventBundle[], keys: Keys): Promise<Case[]> {
  const [first, second] = bundles;
  if (first === undefined || second === undefined) throw new Error("Two bundles are needed");
  const forged = await forgeBundle(first);
  const forgersKey = formatPublicKey((await createForgersKey()).publicKey);
  const [known] = keys;
  const rotated = listKeys(forgersKey, known?.public_key ?? "");
  const add = (title: string, bundle: AuditEventBundle, given = keys, isValid = false) => ({
    title,
    bundle,
    keys: given,
    isValid,
  });
  const changeProof = (change: Partial<AuditEventBundle["proof"]>) => ({
    ...first,
    proof: { ...first.proof, ...change },
  });
  const isErased = first.event.personal === null;
  return [
    ...bundles.map((bundle) => add(`leaf ${bundle.event.leaf_index}`, bundle, keys, true)),
    add("a key that was replaced since", first, rotated, true),
    add("only a newer key", first, listKeys(forgersKey)),
    add("a forger's bundle", forged),
    add("a forger's bundle with a key of the forger", forged, listKeys(forgersKey), true),
    add("the keys of the service in a forger's bundle", { ...forged, keys }),
    add("the proof of another event", { ...first, proof: second.proof }),
    add("another index", changeProof({ leaf_index: first.proof.leaf_index + 1 })),
    add("no hashes", changeProof({ hashes: [] })),
    add("one hash more", changeProof({ hashes: [...first.proof.hashes, "0".repeat(64)] })),
    add("another size", changeProof({ tree_size: first.proof.tree_size + 1 })),
    add("a forged checkpoint", { ...first, checkpoint: forged.checkpoint }),
    add("another event", { ...first, event: second.event }),
    add("an erasure that never was", {
      ...first,
      event: { ...first.event, erased: !isErased },
    }),
  ];
}

export class BundleCheck {
  readonly #report: Report;
  readonly #service: LocalService;
  readonly #folder: string;
  readonly #commands: Commands;

  /** @param scratch a new folder */
  constructor(report: Report, root: string, scratch: string, service: LocalService) {
    this.#report = report;
    this.#service = service;
    this.#folder = join(scratch, "bundles");
    this.#commands = new Commands(this.#folder);
    cpSync(join(root, "test/clients/bundles"), this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, "verify_bundle.py"), readProgram(root));
  }

  async run(): Promise<void> {
    await this.#commands.installPythonPackages();
    await this.#commands.run("go", ["vet", "."]);
    await this.#commands.run("go", ["build", "-o", "verify", "."]);

    const { bundles, keys } = await this.#fetchBundles();
    const cases = await casesOf(bundles, keys);
    for (const [index, { bundle, keys: given }] of cases.entries()) {
      this.#write(`bundle-${index}.json`, bundle);
      this.#write(`keys-${index}.json`, { keys: given });
    }
    await this.#checkCases("SDK", cases, async ({ bundle, keys: given }) => {
      return (await verifyBundle({ bundle, keys: given })).ok;
    });
    await this.#checkCases("Python", cases, async (_, index) => {
      const files = [`bundle-${index}.json`, `keys-${index}.json`];
      const args = ["verify_bundle.py", ...files];
      return (await this.#commands.start("venv/bin/python", args).ended) === 0;
    });
    await this.#checkCases("Go", cases, async (_, index) => {
      const args = [`keys-${index}.json`, `bundle-${index}.json`];
      return (await this.#commands.run("./verify", args)).trim() === "true";
    });

    const files = bundles.map((_, index) => `bundle-${index}.json`);
    const hex = Buffer.from(masks).toString("hex");
    const counted = ["keys-0.json", "--changed", hex, ...files];
    await this.#checkChanges("Go", bundles, "./verify", counted);
    const args = ["count_accepted.py", "keys-0.json", hex, ...files];
    await this.#checkChanges("Python", bundles, "venv/bin/python", args);
  }

  async close(): Promise<void> {
    await this.#commands.close();
  }

  #write(name: string, value: object): void {
    writeFileSync(join(this.#folder, name), JSON.stringify(value));
  }

  /** Bundles of events with every kind of personal parts, and with none, from a service that is running. */
  async #fetchBundles() {
    const { url, operatorToken } = this.#service;
    const operator = new EdgeIdp({ url, token: operatorToken });
    const { token } = await operator.tenants.create({ name: "Acme", mode: "test" });
    const idp = new EdgeIdp({ url, token: token.secret });
    for (const name of [externalId, erasedUser]) await idp.users.provision(name);
    await idp.sentinel.assess(externalId, { ip: "2001:db8::7", ua: agent });
    await idp.settings.change({ otp: { enrolment: "confirm" } }, { actingFor: "agent-7" });
    await idp.users.erase(erasedUser);
    // The list of one user's events files what the user's guard has not delivered yet.
    await idp.audit.events({ externalUserId: externalId }).page();
    const bundles: AuditEventBundle[] = [];
    for await (const { id } of idp.audit.events()) bundles.push(await idp.audit.bundle(id));
    const has = (what: string, isThere: (bundle: AuditEventBundle) => boolean) =>
      bundles.some(isThere) ? [] : [`There is no bundle with ${what}`];
    this.#report.add(`bundles: ${bundles.length} events of the service`, [
      ...has("an agent", ({ event }) => event.personal?.agent === agent),
      ...has("a person", ({ event }) => event.actor.acting_for === "agent-7"),
      ...has("erased parts", ({ event }) => event.erased && event.personal_digest !== null),
      ...has("no parts", ({ event }) => !event.erased && event.personal === null),
    ]);
    return { bundles, keys: await idp.audit.keys() };
  }

  async #checkCases(
    program: string,
    cases: readonly Case[],
    isAccepted: (one: Case, index: number) => Promise<boolean>,
  ): Promise<void> {
    const problems: string[] = [];
    for (const [index, one] of cases.entries()) {
      if ((await isAccepted(one, index)) === one.isValid) continue;
      problems.push(`${one.isValid ? "refuses" : "accepts"} ${one.title}`);
    }
    this.#report.add(`bundles: ${cases.length} right and forged ones (${program})`, problems);
  }

  async #checkChanges(
    program: string,
    bundles: readonly AuditEventBundle[],
    command: string,
    args: readonly string[],
  ): Promise<void> {
    const output = await this.#commands.run(command, args);
    const counts = output.trim().split("\n");
    const problems = bundles.flatMap((bundle, index) => {
      const [changes = 0, accepted] = (counts[index] ?? "").split(" ").map(Number);
      const bytes = Buffer.byteLength(JSON.stringify(bundle).split('"keys":[')[0] ?? "");
      const isRight = changes === bytes * masks.length && accepted === 0;
      return isRight ? [] : [`leaf ${bundle.event.leaf_index}: ${counts[index]}`];
    });
    this.#report.add(
      `bundles: ${masks.length} changes of each byte of ${bundles.length} (${program})`,
      problems,
    );
  }
}
