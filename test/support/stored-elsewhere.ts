/** What the source says of data outside of tables: keys of KV and R2, memory, files and browsers. */

import { objectNameOf } from "../../src/audit/tree/read-archive.ts";
import { headNameOf } from "../../src/audit/tree/witness-kv.ts";
import { retiredKey } from "../../src/sentinel/feeds/data-set.ts";
import { feedListKey } from "../../src/sentinel/feeds/feed-record.ts";
import { feedValueKeyOf } from "../../src/sentinel/feeds/feed-value.ts";
import { pendingKey } from "../../src/sentinel/feeds/refresh-progress.ts";
import { currentKey } from "../../src/sentinel/network/current-data-set.ts";
import { shardKeyOf } from "../../src/sentinel/network/shard.ts";
import { populationKeyOf } from "../../src/sentinel/population/read.ts";

const head = headNameOf({ tenantId: "tenant", size: 1 });

/** The names of keys and objects as docs/data.md spells them, each with one that the code makes. */
export const namedKeys = {
  kv: {
    "net/v2/4/<shard>/<digest>": shardKeyOf({ family: 4, number: 1 }, "digest"),
    "net/v2/6/<shard>/<digest>": shardKeyOf({ family: 6, number: 1 }, "digest"),
    "net/v2/current": currentKey,
    "net/v2/feeds": feedListKey,
    "net/v2/feed/<name>/<digest>": feedValueKeyOf("name", "digest"),
    "net/v2/retired": retiredKey,
    "net/v2/pending": pendingKey,
    "pop/v1/<tenant id>": populationKeyOf("tenant"),
    "head/<tenant id>/<number>": head,
  },
  r2: {
    "events/<tenant id>/<first leaf>.ndjson": objectNameOf("tenant", 0),
    "head/<tenant id>/<number>": head,
  },
} as const;

const sources = import.meta.glob<string>("../../src/**/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});
const commandSources = import.meta.glob<string>("../../packages/cli/src/**/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});
const consoleSources = import.meta.glob<string>("../../console/src/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});

function filesWith(texts: Record<string, string>, pattern: RegExp): string[] {
  return Object.entries(texts)
    .filter(([, text]) => pattern.test(text))
    .map(([file]) => file.replace("../../", ""));
}

/** Files with a map that outlives a call: at the top level, or a field of a class or of an object there. */
export const memoryKeepers = filesWith(
  sources,
  /^(?:const \w+|let \w+| {2}(?:readonly )?#?\w+)(?:: [^=\n]+)?(?: =|:) new (?:BoundedMap|WeakMap|Map)\b(?:<.*>)?\((?:\)|\{|\n {4}\w)/m,
).filter((file) => file !== "src/bounded-map.ts");

/** Files of the command that write a file. */
export const cliWriters = filesWith(
  commandSources,
  /\b(?:writeFileSync|writeFile|createWriteStream|openSync)\(/,
);

/** The keys under which the console keeps something in a browser. */
export const storageKeys = Object.values(consoleSources)
  .filter((text) => /\b(?:session|local)Storage\b/.test(text))
  .map((text) => /const storageKey = "([^"]+)"/.exec(text)?.[1] ?? "a key that is no constant");

/** Files that write to KV or to the bucket. A further one needs its keys in `namedKeys`. */
export const keyWriters = filesWith(sources, /(?<!\bkv)\.put\(/);

/** The names of the tables that objects create, and of the keys that they write. */
export const namesInObjects = Object.values(sources).flatMap((text) => {
  const tables = [...text.matchAll(/new SqlTable\((?:\s*[\w.]+,\s*"(\w+)")?/g)].map(
    ([, name]) => name,
  );
  const keys = [...text.matchAll(/\bkv\.put(?:<[^>]*>)?\(\s*("?)(\w+)\1/g)].map(
    ([, quote, name = ""]) =>
      quote === '"' ? name : new RegExp(`const ${name} = "(\\w+)"`).exec(text)?.[1],
  );
  return [...tables, ...keys].map((name) => name ?? "a name that is no constant");
});
