/** Measures the time from the start of workerd to the first answer, without Miniflare. */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { quantile } from "../support/figures.ts";
import { readCpu } from "./cpu.ts";

const starts = 15;
const quickStarts = 5;

interface Start {
  /** Medians, ms. */
  readonly wallMs: number;
  readonly processorMs: number;
}

export interface Startup {
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly starts: number;
  readonly ours: Start;
  readonly hello: Start;
}

/** The package exports the path of its binary for this machine. */
const { default: workerd } = z
  .object({ default: z.string() })
  .parse(createRequire(import.meta.url)("workerd"));

const listening = z.object({ event: z.literal("listen"), port: z.int() });

const hello = 'export default { fetch() { return new Response("hello"); } };\n';

function formatConfig(compatibilityDate: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "index.js")],
  compatibilityDate = "${compatibilityDate}",
);
`;
}

function readPort(control: Readable): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    control.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      for (const line of text.split("\n")) {
        const parsed = line.endsWith("}") ? listening.safeParse(JSON.parse(line)) : undefined;
        if (parsed?.success) resolve(parsed.data.port);
      }
    });
    control.once("end", () => reject(new Error("workerd ended before it listened")));
  });
}

async function startOnce(folder: string): Promise<Start> {
  const startedAt = performance.now();
  const child = spawn(workerd, ["serve", join(folder, "config.capnp"), "--control-fd=3"], {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  try {
    const control = child.stdio[3];
    if (child.pid === undefined || !(control instanceof Readable)) {
      throw new Error("workerd does not start");
    }
    const port = await readPort(control);
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    await answer.arrayBuffer();
    const wallMs = performance.now() - startedAt;
    if (!answer.ok) throw new Error(`The first answer was a ${answer.status}`);
    return { wallMs, processorMs: readCpu(child.pid).ns / 1e6 };
  } finally {
    child.kill("SIGKILL");
  }
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

function medianOf(all: readonly Start[]): Start {
  return {
    wallMs: median(all.map(({ wallMs }) => wallMs)),
    processorMs: median(all.map(({ processorMs }) => processorMs)),
  };
}

/** @param bundle the folder that `bundleService` returned */
export async function measureStartup(
  folder: string,
  bundle: string,
  compatibilityDate: string,
  isQuick: boolean,
): Promise<Startup> {
  const script = readFileSync(join(bundle, "index.js"));
  const folders = ["ours", "hello"].map((name) => {
    const path = join(folder, `start-${name}`);
    mkdirSync(path);
    writeFileSync(join(path, "config.capnp"), formatConfig(compatibilityDate));
    return path;
  });
  const [ofOurs = "", ofHello = ""] = folders;
  copyFileSync(join(bundle, "index.js"), join(ofOurs, "index.js"));
  writeFileSync(join(ofHello, "index.js"), hello);
  const ours: Start[] = [];
  const bare: Start[] = [];
  const count = isQuick ? quickStarts : starts;
  for (let n = 0; n < count; n += 1) {
    ours.push(await startOnce(ofOurs));
    bare.push(await startOnce(ofHello));
  }
  return {
    bytes: script.byteLength,
    gzipBytes: gzipSync(script, { level: 9 }).byteLength,
    starts: count,
    ours: medianOf(ours),
    hello: medianOf(bare),
  };
}
