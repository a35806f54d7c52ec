/** Authy: no form, but a sentence for those who look for it. */
import type { Form } from "../entry.ts";
import { ReadError } from "../read-error.ts";

export const authy: Form = {
  name: "authy",
  title: "nothing: Authy has no export",
  idFields: ["name"],
  // biome-ignore lint/correctness/useYield: there is nothing to read.
  async *read() {
    throw new ReadError(
      "cannot be imported: Authy exports nothing, and its backups are encrypted with a password of the user; these users must enrol again.",
    );
  },
};
