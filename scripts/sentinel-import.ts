/**
 * `npm run sentinel:import`: builds the network reputation data from feed files on this machine
 * and puts it into KV, local or remote. See `--help`.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type BuiltShard, buildShards } from "../src/sentinel/network/build.ts";
import {
  type Digests,
  digestsKey,
  parseDigests,
  planImport,
  serializeDigests,
} from "../src/sentinel/network/digests.ts";
import { isNetworkKind, type NetworkKind, networkKinds } from "../src/sentinel/network/facts.ts";
import { createFeedParser, type ParsedFeed } from "../src/sentinel/network/feed.ts";
import {
  createManifest,
  type FeedSummary,
  manifestKey,
  serializeManifest,
} from "../src/sentinel/network/manifest.ts";
import { keyPrefix } from "../src/sentinel/network/shard.ts";
import {
  ImportError,
  type ImportStore,
  openLocalStore,
  openRemoteStore,
} from "./support/sentinel-store.ts";

const helpText = `Import IP reputation feeds into KV (binding IP_REPUTATION).

  npm run sentinel:import -- --feed NAME=FILE [--feed …] [options]

  --feed NAME=FILE       a feed file; may be given many times. What its addresses are follows from
                         the name (vpn=…, x4b_datacenter=…, ipsum=…); the import says what it took.
  --feed NAME:KIND=FILE  the same, told outright. KIND is one of
                         ${networkKinds.join(", ")}.
  --local                the local KV of "wrangler dev" (default)
  --remote               the KV namespace in your Cloudflare account
  --namespace-id ID      with --remote: this namespace instead of that of the deployed Worker
  --persist-to DIR       with --local: as with "wrangler dev --persist-to"
  --dry-run              read and build, write nothing
  --help

Lines: address, CIDR network, address<TAB>count of blacklists, or CSV "first,last,…"; IPv4 and
IPv6; # and ; begin a comment. Lines that cannot be read are reported and skipped; a file without
one good line is an error and nothing is written.

Each import replaces the previous data set whole: name every feed every time.
`;

interface FeedArgument {
  readonly name: string;
  readonly kind: NetworkKind;
  readonly path: string;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Rewrites one line on a terminal; silent elsewhere, where it would fill a log. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** What the words of a feed's name say of its addresses; the first that fits counts. */
const kindHints: readonly (readonly [RegExp, NetworkKind])[] = [
  [/\btor|onion/, "tor"],
  [/relay|icloud|apple/, "relay"],
  [/vpn|tunnel/, "vpn"],
  [/proxy|proxies|socks/, "proxy"],
  [/scan/, "scanner"],
  [/bot\b|crawl|spider/, "crawler"],
  [/hosting|data.?cent/, "hosting"],
  [/cloud|amazon|aws|azure|gcp|google|microsoft|oracle|linode|vultr|digital.?ocean/, "cloud"],
];

/** The kind a feed's name tells of; a name that tells nothing is that of a threat list. */
function kindNamed(name: string): NetworkKind {
  const words = name.toLowerCase().replaceAll("_", " ");
  if (isNetworkKind(words)) return words;
  return kindHints.find(([pattern]) => pattern.test(words))?.[1] ?? "threat";
}

function parseFeedArgument(argument: string): FeedArgument {
  const [, name, kind, path] = /^([^:=]+)(?::([^:=]*))?=(.+)$/.exec(argument) ?? [];
  if (name === undefined || path === undefined) {
    throw new ImportError(`--feed ${argument}: expected NAME=FILE or NAME:KIND=FILE.`);
  }
  if (kind === undefined) return { name, kind: kindNamed(name), path };
  if (!isNetworkKind(kind)) {
    throw new ImportError(`--feed ${argument}: KIND must be one of ${networkKinds.join(", ")}.`);
  }
  return { name, kind, path };
}

async function readFeed(feed: FeedArgument): Promise<ParsedFeed & { sha256: string }> {
  const parser = createFeedParser();
  const hash = createHash("sha256");
  const decoder = new TextDecoder();
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(feed.path)) {
      if (!Buffer.isBuffer(chunk)) continue;
      hash.update(chunk);
      parser.push(decoder.decode(chunk, { stream: true }));
      bytes += chunk.length;
      progress(`${feed.name}: ${(bytes / 1e6).toFixed(1)} MB read`);
    }
  } catch (error) {
    throw new ImportError(`${feed.path}: ${error instanceof Error ? error.message : error}`);
  }
  progress("");
  const parsed = parser.finish();
  say(`${feed.name} (${feed.kind}): ${parsed.rows} entries, ${parsed.skipped} lines skipped`);
  for (const { line, reason } of parsed.badLines) say(`  ${feed.path}:${line}: ${reason}`);
  const more = parsed.skipped - parsed.badLines.length;
  if (more > 0) say(`  … and ${more} more`);
  return { ...parsed, sha256: hash.digest("hex") };
}

/**
 * Writes the data set. Order matters: digests that hold even if the rest fails, shards, the
 * manifest that makes them visible, and only then the removal of what it no longer names.
 */
async function store(
  target: ImportStore,
  shards: readonly BuiltShard[],
  manifestText: string,
): Promise<string> {
  const stored = await target.list(keyPrefix);
  const digests = stored.delete(digestsKey) ? await target.read(digestsKey) : undefined;
  stored.delete(manifestKey);
  const plan = planImport(shards, stored, parseDigests(digests));
  const putDigests = (value: Digests) => put(target, digestsKey, serializeDigests(value));
  const changes = plan.write.length + plan.remove.length;
  if (changes > 0) await putDigests(plan.digestsDuring);
  await target.write(plan.write, (done) =>
    progress(`${done} of ${plan.write.length} shards written`),
  );
  progress("");
  await put(target, manifestKey, manifestText);
  await target.remove(plan.remove);
  if (changes > 0) await putDigests(plan.digestsAfter);
  return `${plan.write.length} written, ${plan.unchanged} unchanged, ${plan.remove.length} deleted`;
}

function put(target: ImportStore, key: string, text: string): Promise<void> {
  return target.write([{ key, bytes: new TextEncoder().encode(text) }], () => {});
}

async function main(): Promise<void> {
  const startedAt = Date.now();
  const { values: options } = parseArgs({
    options: {
      feed: { type: "string", multiple: true, default: [] },
      local: { type: "boolean", default: false },
      remote: { type: "boolean", default: false },
      "namespace-id": { type: "string" },
      "persist-to": { type: "string" },
      "dry-run": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (options.help) {
    process.stdout.write(helpText);
    return;
  }
  if (options.feed.length === 0) throw new ImportError("No --feed given; see --help.");
  if (options.local && options.remote) throw new ImportError("--local or --remote, not both.");

  const argumentsOfFeeds = options.feed.map(parseFeedArgument);
  const feeds: { kind: NetworkKind; ranges: ParsedFeed["ranges"] }[] = [];
  const summaries: FeedSummary[] = [];
  for (const feed of argumentsOfFeeds) {
    const { ranges, rows, skipped, sha256 } = await readFeed(feed);
    if (rows === 0) throw new ImportError(`${feed.path}: no line could be read; nothing written.`);
    feeds.push({ kind: feed.kind, ranges });
    const source = basename(feed.path);
    summaries.push({ name: feed.name, kind: feed.kind, source, rows, skipped, sha256 });
  }

  say("Building shards …");
  const shards = buildShards(feeds, Math.floor(startedAt / 1000));
  const manifestText = serializeManifest(createManifest(startedAt, summaries, shards));

  let outcome = `${shards.length} built, none written (dry run)`;
  if (!options["dry-run"]) {
    const target = options.remote
      ? await openRemoteStore(options["namespace-id"])
      : await openLocalStore(options["persist-to"]);
    try {
      outcome = await store(target, shards, manifestText);
    } finally {
      await target.close();
    }
  }

  const sum = (of: (shard: BuiltShard) => number) =>
    shards.reduce((total, shard) => total + of(shard), 0);
  const largest = shards.reduce((most, { bytes }) => Math.max(most, bytes.length), 0);
  const ipv4 = shards.filter(({ family }) => family === 4).length;
  process.stdout.write(
    [
      `Feeds:         ${feeds.length}, ${summaries.reduce((n, { rows }) => n + rows, 0)} entries`,
      `Records:       ${sum(({ recordCount }) => recordCount)}`,
      `Shards:        ${shards.length} (${ipv4} IPv4, ${shards.length - ipv4} IPv6): ${outcome}`,
      `Largest value: ${largest} bytes; all shards ${sum(({ bytes }) => bytes.length)} bytes`,
      `Manifest:      ${manifestText.length} bytes`,
      `Took:          ${((Date.now() - startedAt) / 1000).toFixed(1)} s`,
      "",
    ].join("\n"),
  );
}

try {
  await main();
} catch (error) {
  progress("");
  // Mistakes in the arguments come from parseArgs, with a code.
  const expected = error instanceof ImportError || (error instanceof Error && "code" in error);
  if (!expected) throw error;
  say(`Error: ${error.message}`);
  process.exitCode = 1;
}
