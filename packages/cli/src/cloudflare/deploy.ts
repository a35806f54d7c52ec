/** Builds the pages and deploys the Worker, its secrets and its triggers in one command of wrangler. */
import { spawn } from "node:child_process";
import { Failure } from "../failure.ts";
import { configurationFile } from "./configuration.ts";
import { secretsFile, type Target, wranglerOptionsOf } from "./target.ts";
import { runWrangler } from "./wrangler.ts";

const pages = ["@edge-idp/reference", "@edge-idp/console"];

/** Brings public/docs and public/console up to date. @throws Failure with the output */
async function buildPages(project: string): Promise<void> {
  const args = ["run", "build", ...pages.flatMap((name) => ["-w", name])];
  const child = spawn("npm", args, {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    // On Windows npm is a script of the shell.
    shell: process.platform === "win32",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Failure(`${output}\nThe pages could not be built.`);
}

/** @param tag the fingerprint of what is deployed */
export async function deploy(target: Target, tag: string): Promise<void> {
  await buildPages(target.project);
  await runWrangler(
    [
      ...["deploy", "--config", configurationFile, "--secrets-file", secretsFile],
      ...["--tag", tag, "--message", `Edge IDP ${target.version}`],
    ],
    wranglerOptionsOf(target),
  );
}
