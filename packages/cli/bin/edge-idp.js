#!/usr/bin/env node
/**
 * Starts the command. Plain JavaScript, so that an old Node gives one clear sentence instead of a stack. The exit code is
 * then 2, because 1 may be a verdict.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const unusable = 2;

function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = unusable;
}

if (major < 22 || (major === 22 && minor < 18)) {
  refuse(
    `edge-idp needs Node 22.18 or newer; this is Node ${process.versions.node}. ` +
      "Install a newer one from https://nodejs.org.",
  );
} else {
  try {
    await import("../dist/edge-idp.js");
  } catch (error) {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    refuse(
      `edge-idp or a package that it needs is not built or not installed: ${error.message.split("\n")[0]}. ` +
        "Run npm run build:packages, which npm ci runs too unless told to skip scripts.",
    );
  }
}
