/** Downloads the whole trail and verifies it, beside the page, which stays usable. */
import { EdgeIdp } from "@edge-idp/sdk";
import { type Verdict, verifyTrail } from "@edge-idp/sdk/audit";
import type { ShownVerdict, VerifyAnswer, VerifyRequest } from "./verify-messages.ts";

const progressEveryMs = 100;
const newline = 10;

function say(answer: VerifyAnswer): void {
  postMessage(answer);
}

/** Hands the bytes on, and counts their lines. */
function countLines(
  source: ReadableStream<Uint8Array>,
  onLines: (lines: number) => void,
): ReadableStream<Uint8Array> {
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        let lines = 0;
        for (const byte of piece) if (byte === newline) lines += 1;
        onLines(lines);
        controller.enqueue(piece);
      },
    }),
  );
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showVerdict(verdict: Verdict, milliseconds: number): ShownVerdict {
  const { ok, problems, leaves, newest, older } = verdict;
  return {
    isWhole: ok,
    leaves,
    problems: problems.map(({ message }) => message),
    olderSize: older?.head.size,
    checkpoint: newest && {
      log: newest.head.origin,
      size: newest.head.size,
      root: toHex(newest.head.root),
      signedAt: newest.head.signedAt,
      signedBy: newest.publicKey,
    },
    milliseconds,
  };
}

async function verify({ url, token, older }: VerifyRequest): Promise<ShownVerdict> {
  const startedAt = performance.now();
  const idp = new EdgeIdp({ url, token });
  const checkpoint = await idp.audit.checkpoint();
  const total = checkpoint.checkpoint.tree_size;
  let saidAt = 0;
  const read = () => {
    let done = 0;
    return countLines(idp.audit.exportBytes({ to: total }), (lines) => {
      done += lines;
      const now = performance.now();
      if (now - saidAt < progressEveryMs && done < total) return;
      saidAt = now;
      say({ kind: "progress", done, total });
    });
  };
  const verdict = await verifyTrail({ read, checkpoint: JSON.stringify(checkpoint), older });
  return showVerdict(verdict, performance.now() - startedAt);
}

addEventListener("message", async ({ data }: MessageEvent<VerifyRequest>) => {
  try {
    say({ kind: "verdict", verdict: await verify(data) });
  } catch (error) {
    say({ kind: "failure", sentence: error instanceof Error ? error.message : String(error) });
  }
});
