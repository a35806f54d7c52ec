/**
 * Django: the JSON of `manage.py dumpdata` with the devices of django-otp (`otp_totp.totpdevice`, `otp_static`), and with
 * the users for their names.
 *
 * The fields are those of the models in the PyPI package django-otp (1.7). A key is hex, a static token is in clear, and
 * all TOTP devices have SHA-1. Devices and users refer to each other, so all of them are kept in memory.
 */

import { readDump } from "../django-dump.ts";
import type { Form } from "../entry.ts";

export const django: Form = {
  name: "django",
  title: "a dumpdata of Django with the devices of django-otp",
  idFields: ["username", "email", "pk"],
  read: (chunks, { idField }) =>
    readDump(chunks, idField, {
      totp: ["otp_totp.totpdevice"],
      staticDevice: ["otp_static.staticdevice"],
      staticToken: ["otp_static.statictoken"],
      command: "manage.py dumpdata auth.user otp_totp otp_static",
    }),
};
