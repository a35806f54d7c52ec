/** Creates the requests to bench/peers/better-auth.js. */
import { z } from "zod";
import { codeFor, wrongCodeFor } from "./authenticator.ts";
import type { Loader } from "./loader.ts";
import { lanes, Peer, type PeerUser, peerNames, startPeer } from "./peer.ts";
import type { Shot } from "./protocol.ts";
import type { Prepare } from "./subject.ts";

/** Consecutive wrong codes that lock a user. */
const failuresThatLock = 10;
const password = "correct horse battery staple";
const enabled = z.object({ totpURI: z.url() });

export class BetterAuth extends Peer {
  readonly name = "better-auth";
  #users: PeerUser[] = [];
  #locked: PeerUser[] = [];
  #next = 0;

  /** @param count users. @param locked users that are locked from the start */
  static async start(file: string, loader: Loader, count: number, locked: number) {
    const { child, port } = await startPeer("better-auth.js", [file]);
    const peer = new BetterAuth(child, port, loader);
    peer.#users = await peer.#enrol(peerNames(count, "user"));
    peer.#locked = await peer.#enrol(peerNames(locked, "locked"));
    for (let n = 0; n < failuresThatLock; n += 1) {
      await peer.send(await peer.#verifyAll(peer.#locked, wrongCodeFor, 401));
    }
    return peer;
  }

  right(): Prepare {
    return this.#row(() => this.#user(), codeFor, 200);
  }

  wrong(): Prepare {
    return this.#row(() => this.#user(), wrongCodeFor, 401);
  }

  locked(): Prepare {
    return this.#row((n) => this.#locked[n % this.#locked.length], codeFor, 429);
  }

  #row(
    userOf: (n: number) => PeerUser | undefined,
    codeOf: typeof codeFor,
    status: number,
  ): Prepare {
    return async (requests) => {
      const chosen = Array.from({ length: requests }, (_, n) => userOf(n)).flatMap(
        (one) => one ?? [],
      );
      const shots = await this.#verifyAll(chosen, codeOf, status);
      const ok: Shot = { method: "GET", path: "/api/auth/ok", headers: {}, status: 200 };
      return { before: [], warmUp: Array.from({ length: lanes }, () => ok), shots };
    };
  }

  #user(): PeerUser | undefined {
    return this.#users[this.#next++ % this.#users.length];
  }

  /** Runs the first step of each sign-in, and creates the requests of the second. */
  async #verifyAll(
    some: readonly PeerUser[],
    codeOf: typeof codeFor,
    status: number,
  ): Promise<Shot[]> {
    const challenged = await this.send(
      some.map(({ name }) => this.#post("sign-in/email", { email: emailOf(name), password }, 200)),
    );
    return some.map(({ secret }, n) => {
      const code = codeOf(secret, Date.now());
      return this.#post("two-factor/verify-totp", { code }, status, challenged[n]?.cookie);
    });
  }

  async #enrol(names: readonly string[]): Promise<PeerUser[]> {
    const signedUp = await this.send(
      names.map((name) =>
        this.#post("sign-up/email", { email: emailOf(name), name, password }, 200),
      ),
    );
    const answers = await this.send(
      signedUp.map(({ cookie }) => this.#post("two-factor/enable", { password }, 200, cookie)),
    );
    const enrolled = answers.map(({ body }, n): PeerUser => {
      const { totpURI } = enabled.parse(JSON.parse(body));
      return { name: names[n] ?? "", secret: new URL(totpURI).searchParams.get("secret") ?? "" };
    });
    await this.send(
      enrolled.map(({ secret }, n) =>
        this.#post(
          "two-factor/verify-totp",
          { code: codeFor(secret, Date.now()) },
          200,
          signedUp[n]?.cookie,
        ),
      ),
    );
    return enrolled;
  }

  #post(path: string, body: unknown, status: number, cookie = ""): Shot {
    const headers = {
      "Content-Type": "application/json",
      Origin: "http://localhost",
      ...(cookie === "" ? {} : { Cookie: cookie }),
    };
    return {
      method: "POST",
      path: `/api/auth/${path}`,
      headers,
      body: JSON.stringify(body),
      status,
    };
  }
}

function emailOf(name: string): string {
  return `${name}@example.com`;
}
