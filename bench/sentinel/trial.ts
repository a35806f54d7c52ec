/** A login or an attack that the models score (pure). protocol.ts chooses them. */
import type { AttackerKind } from "./generator/attackers.ts";
import type { Visit } from "./generator/logins.ts";
import type { Crowd } from "./login.ts";

export const protocols = ["matched", "operation", "first", "experience"] as const;
export type Protocol = (typeof protocols)[number];
export const periods = ["validation", "test"] as const;
export type Period = (typeof periods)[number];

/** The worst that happens to real users: logins in which one thing is new (experiences.ts). */
export const experienceKinds = [
  "nothingNew",
  "travel",
  "newPhone",
  "newProvider",
  "browserUpdate",
  "ipv6Renumbering",
  "officeMove",
  "officeNewcomers",
] as const;
export type ExperienceKind = (typeof experienceKinds)[number];

export type Kind = AttackerKind | ExperienceKind | "real";

/** A login or an attack to score, with its position among the real logins. */
export interface Trial {
  readonly protocol: Protocol;
  readonly period: Period;
  readonly kind: Kind;
  /** The other identities around it; null: those that the real logins show. */
  readonly crowd: Crowd | null;
  /** It is scored after every login before this position was observed. */
  readonly position: number;
  readonly visit: Visit;
  /** The number of earlier logins of the user. */
  readonly logins: number;
  readonly sinceLastMs: number;
}

/** A real login with the user's earlier logins. */
export interface Course {
  readonly position: number;
  readonly period: Period;
  readonly visit: Visit;
  readonly known: readonly Visit[];
  readonly last: Visit | undefined;
}

/** What is tried in the place of a login: the login itself, an attack, or a change. */
interface Attempt {
  readonly kind: Kind;
  readonly crowd: Crowd | null;
  readonly visit: Visit;
}

export function createTrial(protocol: Protocol, course: Course, attempt: Attempt): Trial {
  const { position, period, known, last } = course;
  const sinceLastMs = last === undefined ? Number.POSITIVE_INFINITY : attempt.visit.at - last.at;
  return { ...attempt, protocol, period, position, logins: known.length, sinceLastMs };
}

export function createRealTrial(protocol: Protocol, course: Course): Trial {
  return createTrial(protocol, course, { kind: "real", crowd: null, visit: course.visit });
}
