/** Scenarios of users with several authenticators: as many as a user may have. */
import { codeFor } from "../support/authenticator.ts";
import type { Answer, User } from "../support/client.ts";
import { guardOf } from "../support/guard.ts";
import { createUser, deliverAll, goToNextStep, nextWrongCode, type Scenario } from "./scenario.ts";

interface Owner {
  readonly user: User;
  /** The authenticator that was added last. */
  readonly added: Answer["body"];
}

async function createOwner(): Promise<Owner> {
  const user = await createUser();
  for (let n = 2; n < 5; n += 1) await user.addAuthenticator();
  const added = await user.addAuthenticator();
  await deliverAll(user);
  return { user, added };
}

function scenario(
  operation: string,
  state: string,
  status: number,
  act: (owner: Owner) => Promise<Answer>,
): Scenario {
  const prepare = async () => {
    const owner = await createOwner();
    return { act: () => act(owner), delivers: guardOf(owner.user) };
  };
  return { operation, state, status, prepare };
}

function send(method: string, { user, added }: Owner, body?: object): Promise<Answer> {
  return user.tenant.send(method, user.path(`/authenticators/${added.id}`), body);
}

export const authenticatorScenarios: readonly Scenario[] = [
  scenario("verifyOtp", "right code of the last of five authenticators", 200, ({ user, added }) =>
    user.verify(codeFor(added.new_otp_secret, goToNextStep(user))),
  ),
  scenario("verifyOtp", "wrong code, five authenticators", 422, ({ user }) =>
    user.verify(nextWrongCode(user)),
  ),
  {
    operation: "addAuthenticator",
    state: "the second",
    status: 201,
    prepare: async () => {
      const user = await createUser();
      const labels = { issuer_name: "Acme", account_name: "alexander" };
      const path = user.path("/authenticators");
      const act = () => user.tenant.send("POST", path, { authenticator: labels });
      return { act, delivers: guardOf(user) };
    },
  },
  scenario("listAuthenticators", "five", 200, ({ user }) =>
    user.tenant.send("GET", user.path("/authenticators")),
  ),
  scenario("renameAuthenticator", "one of five", 200, (owner) =>
    send("PATCH", owner, { authenticator: { name: "Work phone" } }),
  ),
  scenario("removeAuthenticator", "one of five", 204, (owner) => send("DELETE", owner)),
];
