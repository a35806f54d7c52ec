/** The tutorial from the audit trail to the erasure. */
import { Authenticator } from "./authenticator.ts";
import { collect, expectEqual, expectError } from "./expect.ts";
import { alexander } from "./login.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

/** Reads the trail of the login in every way. */
export async function readTrail(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const events = await collect(idp.audit.events({ externalUserId: alexander, limit: 5 }));
  const actions = events.map(({ action }) => action);
  expectEqual("first action", actions.at(-1), "user.provisioned");
  const unlocked = events.find(({ action }) => action === "user.unlocked");
  expectEqual("acting for", unlocked?.actor.acting_for, "ORG_ADMIN_17");

  // The list of one user's events files what the user's guard has not delivered yet.
  const stored = await collect(idp.sentinel.assessments({ externalUserId: alexander, limit: 1 }));
  const found = stored.map(({ recommendation }) => recommendation);
  expectEqual("stored assessments", found, ["deny", "allow", "deny", "allow"]);
  const [newest] = stored;
  const explained = await idp.sentinel.assessment(newest?.assessment_id ?? "");
  const { steps = [] } = explained.explanation ?? {};
  expectEqual(
    "explained score",
    steps.find(({ name }) => name === "risk_score")?.value,
    newest?.risk_score,
  );
  const simulation = await idp.sentinel.simulate({ sentinel: { deny: [] } });
  expectEqual("simulation", simulation.changed.length, 1);

  const { checkpoint } = await idp.audit.checkpoint();
  const older = await collect(idp.audit.checkpoints({ limit: 1 }));
  expectEqual(
    "checkpoints",
    older.filter(({ origin }) => origin !== checkpoint.origin),
    [],
  );
  const exported = await collect(idp.audit.export({ to: checkpoint.tree_size }));
  const indexes = exported.map(({ leaf_index }) => leaf_index);
  expectEqual("export", indexes, [...Array(checkpoint.tree_size).keys()]);
  const text = await new Response(idp.audit.exportBytes({ from: 1, to: 4 })).text();
  const lines = text.trimEnd().split("\n");
  expectEqual(
    "exported lines",
    lines,
    exported.slice(1, 4).map((event) => JSON.stringify(event)),
  );
  const mapped = await collect(idp.audit.exportOcsf({ from: 1, to: 4 }));
  expectEqual(
    "events of OCSF",
    mapped.map(({ metadata }) => [metadata.sequence, metadata.uid]),
    exported.slice(1, 4).map(({ leaf_index, id }) => [leaf_index, id]),
  );
  for await (const event of idp.audit.export()) {
    expectEqual("an export that nobody reads on", event.leaf_index, 0);
    break;
  }

  const { id = "", leaf_hash } = exported[0] ?? {};
  const { proof } = await idp.audit.proof(id);
  expectEqual("proof", [proof.leaf_index, proof.leaf_hash], [0, leaf_hash]);
  await expectError(sdk, "not_found", idp.audit.proof("0".repeat(24)));
  const consistency = await idp.audit.consistency(1, checkpoint.tree_size);
  expectEqual("consistency", [consistency.from, consistency.to], [1, checkpoint.tree_size]);
  const keys = await idp.audit.keys();
  expectEqual("keys", keys.at(-1)?.public_key, checkpoint.public_key);
  const statistics = await idp.audit.statistics({ metric: "locks", step: "hour" });
  expectEqual("statistics", statistics.metric, "locks");
}

/** Confirms an enrolment, which shows nothing as on before its first code, and erases the user. */
export async function replaceSecretAndErase(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  await idp.settings.change({ otp: { enrolment: "confirm" } });
  const names = { issuer_name: "Acme", account_name: "alexander" };
  const setup = await idp.otp.configure(alexander, names);
  expectEqual("pending", setup.is_setup_complete, false);
  const app = new Authenticator(setup.qrcode_payload);
  const testClock = new Date();
  const confirm = () =>
    idp.otp.verify(alexander, app.codeAt(testClock), { purpose: "confirm" }, { testClock });
  expectEqual("confirmed", (await confirm()).enrolment_confirmed, true);
  await expectError(sdk, "no_pending_enrolment", confirm());

  await useAnotherAuthenticator(sdk, idp);
  await idp.otp.remove(alexander);
  await expectError(sdk, "otp_not_configured", idp.otp.remove(alexander));
  await idp.users.erase(alexander);
  const gone = await expectError(sdk, "user_not_found", idp.users.get(alexander));
  expectEqual("request id", gone.requestId, gone.fields.request_id);
}

/** Adds a second authenticator with longer codes, and removes it. */
async function useAnotherAuthenticator(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const names = { issuer_name: "Acme", account_name: "alexander", name: "Tablet" };
  const added = await idp.authenticators.add(alexander, { ...names, digits: 8, qr: "svg" });
  expectEqual("added", [added.name, added.status, added.digits], ["Tablet", "pending", 8]);
  const { id } = added;
  const testClock = new Date();
  const code = new Authenticator(added.qrcode_payload).codeAt(testClock);
  const verified = await idp.otp.verify(alexander, code, {}, { testClock });
  expectEqual("confirmed", verified.enrolment_confirmed, true);
  const renamed = await idp.authenticators.rename(alexander, id, "Old tablet");
  expectEqual("renamed", [renamed.name, renamed.drift_seconds], ["Old tablet", 0]);
  const listed = await idp.authenticators.list(alexander);
  expectEqual(
    "listed",
    listed.map(({ is_primary, status }) => [is_primary, status]),
    [
      [true, "active"],
      [false, "active"],
    ],
  );
  await idp.authenticators.remove(alexander, id);
  await expectError(sdk, "authenticator_not_found", idp.authenticators.remove(alexander, id));
}
