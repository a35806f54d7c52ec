/** The licences of the packages whose code is in dist/, which must be passed on with it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Lists the folders of packages from which a bundle has code. @param metafile of esbuild */
function listPackageFolders(root, { outputs }) {
  const folders = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => {
      const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
      return folder === undefined || bytesInOutput === 0 ? [] : [join(root, folder)];
    }),
  );
  return [...new Set(folders)].toSorted();
}

/** @throws Error for a package without a text of its licence */
function readLicence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  if (files.length === 0) throw new Error(`${name} has no file with its licence`);
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
}

/** @param root the folder that the paths of the metafile start from */
export function writeLicences(root, dist, metafile) {
  const title = "Code of these packages is part of the files in this folder.";
  const licences = listPackageFolders(root, metafile).map(readLicence);
  const line = `\n\n${"-".repeat(80)}\n\n`;
  writeFileSync(join(dist, "third-party-licences.txt"), `${[title, ...licences].join(line)}\n`);
}
