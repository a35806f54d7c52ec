#!/usr/bin/env node
/** Starts the command. Plain JavaScript, so that an old Node gives one clear sentence instead of a stack. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `edge-idp needs Node 22.18 or newer; this is Node ${process.versions.node}. ` +
      "Install a newer one from https://nodejs.org.\n",
  );
  process.exitCode = 1;
} else {
  await import("../dist/edge-idp.js");
}
