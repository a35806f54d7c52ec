/**
 * Says in one sentence that Node is too old, before a script in TypeScript fails with an error
 * that does not. Plain JavaScript on purpose: an old Node has to be able to run it.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `Edge IDP needs Node 22.18 or newer; this is Node ${process.versions.node}. ` +
      "Install a newer one from https://nodejs.org and run npm ci again.\n",
  );
  process.exit(1);
}
