/** Checks `edge-idp backup` and `edge-idp restore drill`, with the backup whole and damaged in several ways. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EdgeIdp } from "@edge-idp/sdk";
import { z } from "zod";
import type { CommandRunner } from "./command-runner.ts";
import { startPlatform } from "./operations-servers.ts";

const manifestSchema = z.looseObject({
  databases: z.array(
    z.looseObject({ file: z.string(), sha256: z.string(), rows: z.record(z.string(), z.number()) }),
  ),
  trails: z.array(z.object({ tenant_id: z.string(), size: z.number() })),
});

export class BackupCheck {
  readonly #commands: CommandRunner;
  readonly #scratch: string;
  /** The users of the databases together that the main database has. */
  readonly #users: number;

  constructor(commands: CommandRunner, users: number) {
    this.#commands = commands;
    this.#scratch = commands.copy.scratch;
    this.#users = users;
  }

  async backUp(idp: EdgeIdp): Promise<string> {
    const folder = join(this.#scratch, "backup");
    await this.#commands.expect("a backup has every database", ["backup", "--out", folder], 0, [
      "2 database(s)",
      "the checkpoints of 2 trails",
    ]);
    const manifest = this.#readManifest(folder);
    const modes = ["manifest.json", "DB.sql"].map(
      (name) => statSync(join(folder, name)).mode & 0o777,
    );
    const { checkpoint } = await idp.audit.checkpoint();
    const [database] = manifest.databases;
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, "DB.sql")))
      .digest("hex");
    this.#commands.report.add(
      "its manifest says what the backup has, and only its owner can read it",
      [
        ...modes.flatMap((mode) =>
          mode === 0o600 ? [] : [`a file has the mode ${mode.toString(8)}`],
        ),
        ...((statSync(folder).mode & 0o777) === 0o700 ? [] : ["others can list the folder"]),
        ...(database?.rows.identities === this.#users
          ? []
          : [`identities: ${database?.rows.identities}`]),
        ...(database?.sha256 === digest ? [] : ["the digest is another one"]),
        ...(manifest.trails.some(({ size }) => size === checkpoint.tree_size)
          ? []
          : ["the trail has another size"]),
      ],
    );
    await this.#commands.expect(
      "a folder with files is not overwritten",
      ["backup", "--out", folder],
      1,
      ["is not empty"],
    );
    return folder;
  }

  /** Against a stand-in of Cloudflare's API on this machine. It exports what the local backup has. */
  async backUpRemotely(local: string): Promise<void> {
    const platform = await startPlatform(readFileSync(join(local, "DB.sql")));
    const folder = join(this.#scratch, "remote");
    const environment = {
      CLOUDFLARE_API_BASE_URL: `${platform.url}/client/v4`,
      CLOUDFLARE_API_TOKEN: "a-token-of-the-check",
      CLOUDFLARE_ACCOUNT_ID: platform.account,
    };
    const { code, errors } = await this.#commands.run(
      ["backup", "--remote", "--out", folder],
      environment,
    );
    const [remote, own] = [folder, local].map((one) => readFileSync(join(one, "DB.sql"), "utf8"));
    this.#commands.report.add("a backup of a deployed database has what the platform exports", [
      ...(code === 0 ? [] : [errors]),
      ...(remote === own ? [] : ["the files differ"]),
      ...(platform.exports() > 0 ? [] : ["nothing was asked of the platform"]),
    ]);
    platform.cut();
    const cut = join(this.#scratch, "cut");
    await this.#commands.expect(
      "an export that was cut off is no backup",
      ["backup", "--remote", "--out", cut],
      1,
      ["ends within a statement"],
      environment,
    );
    platform.fail();
    const failed = join(this.#scratch, "failed");
    const result = await this.#commands.run(["backup", "--remote", "--out", failed], environment);
    this.#commands.report.add("a backup that the platform refuses leaves no manifest", [
      ...(result.code === 1 ? [] : [`exit code ${result.code}`]),
      ...(result.errors.includes("the stand-in refuses") ? [] : [result.errors]),
      ...(existsSync(join(failed, "manifest.json")) ? ["there is a manifest"] : []),
    ]);
    await platform.close();
  }

  #readManifest(folder: string) {
    return manifestSchema.parse(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
  }

  async drill(folder: string): Promise<void> {
    const drill = ["restore", "drill", folder];
    const { output } = await this.#commands.expect("the backup can be restored", drill, 0, [
      "ok    each table has as many rows as in the manifest",
      "ok    the restored service is ready",
      "ok    2 trails extend their checkpoints",
      "The backup can be restored.",
    ]);
    process.stdout.write(`      ${output.trimEnd().split("\n").at(-1)}\n`);
    const wrong = [...drill, "--secrets-file", this.#commands.writeOtherSecrets()];
    await this.#commands.expect("a drill with other secrets says which key is missing", wrong, 1, [
      "keys_do_not_fit",
    ]);
  }

  async drillDamaged(whole: string): Promise<void> {
    const damage = async (
      title: string,
      change: (text: string) => string,
      isHidden: boolean,
      part: string,
    ) => {
      const folder = join(this.#scratch, title.replaceAll(/\W/g, "-"));
      cpSync(whole, folder, { recursive: true });
      const file = join(folder, "DB.sql");
      const text = readFileSync(file, "utf8");
      const changed = change(text);
      if (changed === text) throw new Error(`${title}: the backup has nothing to change`);
      writeFileSync(file, changed);
      if (isHidden) this.#hideChange(folder);
      await this.#commands.expect(title, ["restore", "drill", folder], 1, [part]);
    };
    const suspended = /"user\.suspended"|'user\.suspended'/;
    await damage(
      "a changed file is noticed",
      (text) => text.replace(suspended, "'user.unlocked'"),
      false,
      "DB.sql was changed",
    );
    await damage(
      "a changed event is noticed by the verifier, although the manifest has the new digest",
      (text) => text.replace(suspended, "'user.unlocked'"),
      true,
      "FAIL  2 trails extend",
    );
    await damage(
      "a missing row is noticed, although the manifest has the new digest",
      (text) => text.replace(/^INSERT INTO "?identities"? .*;$/m, ""),
      true,
      "identities has 11 rows, and had 12",
    );
    const empty = join(this.#scratch, "no-backup");
    cpSync(join(this.#commands.copy.project, "migrations", "meta"), empty, { recursive: true });
    await this.#commands.expect(
      "a folder without a manifest is no backup",
      ["restore", "drill", empty],
      1,
      ["has no manifest.json"],
    );
  }

  /** Has the manifest name the digest of what the files are now. */
  #hideChange(folder: string): void {
    const path = join(folder, "manifest.json");
    const sha256 = createHash("sha256")
      .update(readFileSync(join(folder, "DB.sql")))
      .digest("hex");
    // The first digest is that of DB.sql.
    const text = readFileSync(path, "utf8").replace(
      /"sha256": "[0-9a-f]{64}"/,
      `"sha256": "${sha256}"`,
    );
    writeFileSync(path, text);
  }
}
