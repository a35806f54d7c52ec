/** The devices and users in a `dumpdata` of Django: a list of `{ model, pk, fields }` in any order. */
import { z } from "zod";
import type { Chunks, Entry } from "./entry.ts";
import { describeShape, optionalNumber, optionalText } from "./issues.ts";
import { readJsonItems } from "./json-items.ts";
import { ReadError } from "./read-error.ts";
import { buildUser, type Checked, checkSecret, leaveOut, refuse } from "./user.ts";

/** The names of the models, as `app.model` in lower case. */
export interface DumpModels {
  readonly totp: readonly string[];
  readonly staticDevice: readonly string[];
  readonly staticToken: readonly string[];
  /** What makes such a dump. */
  readonly command: string;
}

const recordSchema = z.object({
  model: z.string().toLowerCase(),
  pk: z.union([z.number(), z.string()]).nullish(),
  fields: z.unknown().optional(),
});

/** A primary key and a natural key of different users may be the same text. */
const keyOf = {
  primary: (pk: string | number) => `pk ${pk}`,
  natural: (name: string) => `name ${name}`,
};

/** A reference to a user: its primary key, or a natural key, which is a list. */
const reference = z
  .union([z.number(), z.string(), z.tuple([z.string()])])
  .transform((value) => (Array.isArray(value) ? keyOf.natural(value[0]) : keyOf.primary(value)));

const totpSchema = z.object({
  user: reference,
  name: optionalText,
  confirmed: z.boolean().default(true),
  key: z.string(),
  step: optionalNumber,
  t0: optionalNumber,
  digits: optionalNumber,
});

const staticDeviceSchema = z.object({ user: reference, confirmed: z.boolean().default(true) });
const staticTokenSchema = z.object({
  device: z.union([z.number(), z.string()]).transform(String),
  token: z.string(),
});

/** Every model of users has a password and a time of the last login (`AbstractBaseUser`). */
const userSchema = z.object({
  password: z.string(),
  last_login: z.string().nullable(),
  username: optionalText,
  email: optionalText,
  uuid: optionalText,
  is_active: z.boolean().default(true),
});

interface DumpUser {
  readonly ids: Readonly<Record<string, string | undefined>>;
  readonly isActive: boolean;
}

class Dump {
  readonly #models: DumpModels;
  readonly users = new Map<string, DumpUser>();
  readonly authenticators = new Map<string, Checked[]>();
  readonly #codes = new Map<string, string[]>();
  /** The users of static devices; undefined for a device that was never confirmed. */
  readonly #deviceUsers = new Map<string, string | undefined>();
  readonly early: Entry[] = [];

  constructor(models: DumpModels) {
    this.#models = models;
  }

  add(value: unknown, place: string): void {
    const { data: record, error } = recordSchema.safeParse(value);
    if (record === undefined) {
      this.early.push(refuse(place, undefined, describeShape(error)));
      return;
    }
    const { model, pk, fields } = record;
    const { totp, staticDevice, staticToken } = this.#models;
    if (totp.includes(model)) this.#addTotp(fields, place);
    else if (staticDevice.includes(model)) this.#addStaticDevice(fields, place, String(pk));
    else if (staticToken.includes(model)) this.#addStaticToken(fields, place);
    else this.#addUser(fields, pk == null ? undefined : String(pk));
  }

  /** Unspent static tokens of each user. */
  get codes(): ReadonlyMap<string, readonly string[]> {
    const byUser = new Map<string, string[]>();
    for (const [device, codes] of this.#codes) {
      const user = this.#deviceUsers.get(device);
      if (user !== undefined) byUser.set(user, [...(byUser.get(user) ?? []), ...codes]);
    }
    return byUser;
  }

  /** Static tokens whose device is missing. */
  get strayCodes(): number {
    return [...this.#codes]
      .filter(([device]) => !this.#deviceUsers.has(device))
      .reduce((sum, [, codes]) => sum + codes.length, 0);
  }

  #addTotp(fields: unknown, place: string): void {
    const { data: device, error } = totpSchema.safeParse(fields);
    if (device === undefined) {
      this.early.push(refuse(place, undefined, describeShape(error)));
      return;
    }
    const { user, name, confirmed, key, step, t0 = 0, digits } = device;
    if (!confirmed) {
      this.early.push(leaveOut(place, undefined, "the device was never confirmed"));
      return;
    }
    const checked =
      t0 === 0
        ? checkSecret({ secret: key, encoding: "hex", digits, period: step, name })
        : { problem: "a device counts its steps from another time than 1970" };
    this.authenticators.set(user, [...(this.authenticators.get(user) ?? []), checked]);
  }

  #addStaticDevice(fields: unknown, place: string, pk: string): void {
    const { data: device, error } = staticDeviceSchema.safeParse(fields);
    if (device === undefined) this.early.push(refuse(place, undefined, describeShape(error)));
    else this.#deviceUsers.set(pk, device.confirmed ? device.user : undefined);
  }

  #addStaticToken(fields: unknown, place: string): void {
    const { data, error } = staticTokenSchema.safeParse(fields);
    if (data === undefined) {
      this.early.push(refuse(place, undefined, describeShape(error)));
      return;
    }
    this.#codes.set(data.device, [...(this.#codes.get(data.device) ?? []), data.token]);
  }

  /** Other records than users are of no interest. */
  #addUser(fields: unknown, pk: string | undefined): void {
    const { data: user } = userSchema.safeParse(fields);
    if (user === undefined) return;
    const { username, email, uuid, is_active: isActive } = user;
    const found = { ids: { pk, username, email, uuid }, isActive };
    // Devices name a user by the primary key or by the natural one.
    if (pk !== undefined) this.users.set(keyOf.primary(pk), found);
    if (username !== undefined) this.users.set(keyOf.natural(username), found);
  }
}

/** @throws ReadError if there is no device in the dump */
export async function* readDump(
  chunks: Chunks,
  idField: string,
  models: DumpModels,
): AsyncGenerator<Entry> {
  const dump = new Dump(models);
  for await (const { value, number } of readJsonItems(chunks)) dump.add(value, `object ${number}`);
  const { users, authenticators, codes, early } = dump;
  yield* early;
  if (dump.strayCodes > 0) {
    const why = `${dump.strayCodes} static tokens are there without their devices; make the dump with`;
    yield refuse("the dump", undefined, `${why} \`${models.command}\``);
  }
  const owners = new Set([...authenticators.keys(), ...codes.keys()]);
  if (owners.size === 0 && early.length === 0 && dump.strayCodes === 0) {
    throw new ReadError(`has no devices; make it with \`${models.command}\`.`);
  }
  for (const owner of owners) {
    const place = `user with ${owner}`;
    const user = users.get(owner);
    if (user === undefined && idField !== "pk") {
      const why = "the dump has its devices and not the user; make it with";
      yield refuse(place, undefined, `${why} \`${models.command}\`, or use --external-id pk`);
      continue;
    }
    const found = codes.get(owner);
    yield buildUser({
      ...{ place, id: user === undefined ? owner.replace(/^(pk|name) /, "") : user.ids[idField] },
      isSuspended: user !== undefined && !user.isActive,
      authenticators: authenticators.get(owner) ?? [],
      ...(found === undefined ? {} : { codes: { codes: found } }),
    });
  }
}
