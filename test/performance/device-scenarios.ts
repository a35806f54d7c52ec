/** Scenarios of known devices. */
import type { Answer, User } from "../support/client.ts";
import { rememberDevice, verifyWith } from "../support/devices.ts";
import { guardOf } from "../support/guard.ts";
import {
  createUser,
  deliverAll,
  goToNextStep,
  nextCode,
  nextWrongCode,
  type Scenario,
} from "./scenario.ts";

/** @param prepare returns the request of a user on a known device */
function scenario(
  operation: string,
  state: string,
  status: number,
  prepare: (user: User, device: Answer["body"]) => () => Promise<Answer>,
  delivers = true,
): Scenario {
  return {
    operation,
    state,
    status,
    prepare: async () => {
      const user = await createUser();
      const device = await rememberDevice(user, goToNextStep(user));
      await deliverAll(user);
      const act = prepare(user, device);
      return delivers ? { act, delivers: guardOf(user) } : { act };
    },
  };
}

export const deviceScenarios: readonly Scenario[] = [
  scenario("verifyOtp", "right code from a known device", 200, (user, { token }) => {
    const code = nextCode(user);
    return () => verifyWith(user, code, { device_token: token });
  }),
  scenario("verifyOtp", "right code, and the device is remembered", 200, (user) => {
    const code = nextCode(user);
    return () => verifyWith(user, code, { remember_device: { days: 30 } });
  }),
  scenario("verifyOtp", "wrong code from a known device", 422, (user, { token }) => {
    const code = nextWrongCode(user);
    return () => verifyWith(user, code, { device_token: token });
  }),
  scenario(
    "listDevices",
    "warm",
    200,
    (user) => () => user.tenant.send("GET", user.path("/devices")),
    false,
  ),
  scenario(
    "removeDevice",
    "warm",
    204,
    (user, { id }) =>
      () =>
        user.tenant.send("DELETE", user.path(`/devices/${id}`)),
  ),
  scenario(
    "removeDevices",
    "warm",
    204,
    (user) => () => user.tenant.send("DELETE", user.path("/devices")),
  ),
];
