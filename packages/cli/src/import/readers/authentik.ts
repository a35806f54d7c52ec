/**
 * authentik: the JSON of `ak dumpdata`, which is Django's.
 *
 * The models are those of authentik/stages/authenticator_totp and authenticator_static in the repository
 * goauthentik/authentik; before version 2023.10 authentik used those of django-otp. A blueprint has devices without
 * their keys, because it contains what the API shows.
 */

import { readDump } from "../django-dump.ts";
import type { Form } from "../entry.ts";

export const authentik: Form = {
  name: "authentik",
  title: "a dumpdata of authentik",
  idFields: ["username", "email", "uuid", "pk"],
  read: (chunks, { idField }) =>
    readDump(chunks, idField, {
      totp: ["authentik_stages_authenticator_totp.totpdevice", "otp_totp.totpdevice"],
      staticDevice: [
        "authentik_stages_authenticator_static.staticdevice",
        "otp_static.staticdevice",
      ],
      staticToken: ["authentik_stages_authenticator_static.statictoken", "otp_static.statictoken"],
      command:
        "ak dumpdata authentik_core.user authentik_stages_authenticator_totp authentik_stages_authenticator_static",
    }),
};
