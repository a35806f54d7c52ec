/** Creates the requests to bench/peers/hand-made.js. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { codeFor, wrongCodeFor } from "./authenticator.ts";
import type { Loader } from "./loader.ts";
import { lanes, Peer, type PeerUser, peerNames, startPeer } from "./peer.ts";
import type { Shot } from "./protocol.ts";
import type { Prepare } from "./subject.ts";

/** Consecutive wrong codes that lock a user. */
const failuresThatLock = 5;
const handMadeUser = z.object({ id: z.string(), secret: z.string() });

export class HandMade extends Peer {
  readonly name = "Express with sealed secrets and a record";
  readonly #token: string;
  #fresh: PeerUser[] = [];
  #locked: PeerUser[] = [];
  #next = 0;

  constructor(child: ChildProcess, port: number, loader: Loader, token: string) {
    super(child, port, loader);
    this.#token = token;
  }

  /**
   * @param count users for codes: each can verify once in a time step
   * @param locked users that are locked from the start
   */
  static async start(file: string, loader: Loader, count: number, locked: number) {
    const token = randomBytes(32).toString("hex");
    const { child, port } = await startPeer("hand-made.js", [file, token]);
    const peer = new HandMade(child, port, loader, token);
    peer.#fresh = await peer.#enrol(peerNames(count, "user"));
    peer.#locked = await peer.#enrol(peerNames(locked, "locked"));
    for (let n = 0; n < failuresThatLock; n += 1) {
      await peer.send(peer.#locked.map((user) => peer.#verify(user, wrongCodeFor, 422)));
    }
    return peer;
  }

  right(): Prepare {
    return this.#row(
      () => this.#user(),
      (user) => this.#verify(user, codeFor, 200),
    );
  }

  wrong(): Prepare {
    return this.#row(
      () => this.#user(),
      (user) => this.#verify(user, wrongCodeFor, 422),
    );
  }

  locked(): Prepare {
    return this.#row(
      (n) => this.#locked[n % this.#locked.length],
      (user) => this.#verify(user, codeFor, 423),
    );
  }

  profile(): Prepare {
    return this.#row(
      (n) => this.#fresh[n % this.#fresh.length],
      ({ name }) => ({
        method: "GET",
        path: `/users/${name}`,
        headers: this.#headers(),
        status: 200,
      }),
    );
  }

  #row(userOf: (n: number) => PeerUser | undefined, shotOf: (user: PeerUser) => Shot): Prepare {
    return (requests) => {
      const chosen = Array.from({ length: requests }, (_, n) => userOf(n)).flatMap(
        (one) => one ?? [],
      );
      const warmUp = chosen.slice(0, lanes).map(
        ({ name }): Shot => ({
          method: "GET",
          path: `/users/${name}`,
          headers: this.#headers(),
          status: 200,
        }),
      );
      return { before: [], warmUp, shots: chosen.map(shotOf) };
    };
  }

  /** Takes users in turn; one round over all of them takes longer than a time step. */
  #user(): PeerUser | undefined {
    return this.#fresh[this.#next++ % this.#fresh.length];
  }

  async #enrol(names: readonly string[]): Promise<PeerUser[]> {
    const answers = await this.send(
      names.map((id) => ({
        method: "POST",
        path: "/users",
        headers: this.#headers(),
        status: 201,
        body: JSON.stringify({ id }),
      })),
    );
    return answers.map(({ body }) => {
      const { id, secret } = handMadeUser.parse(JSON.parse(body));
      return { name: id, secret };
    });
  }

  #verify({ name, secret }: PeerUser, codeOf: typeof codeFor, status: number): Shot {
    const body = JSON.stringify({ id: name, code: codeOf(secret, Date.now()) });
    return { method: "POST", path: "/otp/verify", headers: this.#headers(), body, status };
  }

  #headers() {
    return { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" };
  }
}
