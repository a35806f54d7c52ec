/** Loads real agents with their shares from the package `user-agents` (BSD-2-Clause). */
import UserAgent from "user-agents";
import { type AgentTable, deviceKinds, type KnownAgent } from "./agents.ts";

/** A week before the release of the package (2026-09-29). */
const at = Date.UTC(2026, 8, 22);

/**
 * The package includes scrapers, which imitate old phones with random versions. A Chrome that is fifty
 * releases old is one of them.
 */
const oldestChrome = 100;

function isDisguise(text: string): boolean {
  const major = /\bChrome\/(\d+)/.exec(text)?.[1];
  return major !== undefined && Number(major) < oldestChrome;
}

function deviceOf(text: string): KnownAgent["device"] {
  if (/iPad|Tablet|SM-[TX]\d/.test(text)) return "tablet";
  return /Mobile|iPhone|Android/.test(text) ? "mobile" : "desktop";
}

export function loadRealAgents(): AgentTable {
  const weights = new Map<string, number>();
  for (const { userAgent, weight } of UserAgent.top()) {
    if (isDisguise(userAgent)) continue;
    weights.set(userAgent, (weights.get(userAgent) ?? 0) + weight);
  }
  const agents = [...weights].map(([text, weight]) => ({ text, weight, device: deviceOf(text) }));
  const present = deviceKinds.map((kind) => agents.filter(({ device }) => device === kind).length);
  if (present.includes(0)) throw new Error("The package has no agent of some kind of device");
  return { source: "user-agents 2.1.198", agents, at };
}
