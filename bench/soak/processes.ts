/** The processes of a service on this machine, and their memory. Only Linux tells: elsewhere there are none. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { readMemory } from "../support/process.ts";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

/** Undefined if the process has ended, or on another system. */
function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return { pid, parent, name: basename(program) };
  } catch {
    return undefined;
  }
}

/** Finds a process and all that it has started, directly or not. */
function findFamily(root: number): Process[] {
  let pids: number[] = [];
  try {
    pids = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    // Not Linux.
  }
  const all = pids.flatMap((pid) => readProcess(pid) ?? []);
  const family = all.filter(({ pid }) => pid === root);
  // The list grows while it is read.
  for (const { pid } of family) family.push(...all.filter(({ parent }) => parent === pid));
  return family;
}

export interface Memory {
  readonly bytes: number;
  /** Of each process, largest first. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** The memory of a process and all that it has started; undefined if unknown. */
export function readFamilyMemory(root: number | undefined): Memory | undefined {
  if (root === undefined) return undefined;
  const parts = findFamily(root).map(({ pid, name }) => ({
    name,
    bytes: readMemory(pid, "VmRSS") ?? 0,
  }));
  if (parts.length === 0) return undefined;
  return {
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    parts: parts.toSorted((a, b) => b.bytes - a.bytes),
  };
}
