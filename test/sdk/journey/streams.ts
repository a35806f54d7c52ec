/** Every operation of streams, with a receiver that is out of reach. */
import { expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

/** @param idp of a tenant in test mode, which may send to this machine */
export async function useStreams(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const created = await idp.streams.create({
    type: "splunk_hec",
    format: "ocsf",
    url: "http://127.0.0.1:9",
    token: "12345678-1234-1234-1234-1234567890ab",
    index: "security",
  });
  const { id } = created;
  expectEqual("stream", [created.type, created.index], ["splunk_hec", "security"]);
  expectEqual("no credential", JSON.stringify(created).includes("12345678-1234"), false);
  expectEqual("test", (await idp.streams.test(id)).error, "connection");
  const changed = await idp.streams.change(id, { index: null, status: "disabled" });
  expectEqual("changed", [changed.index, changed.status], [null, "disabled"]);
  const moved = idp.streams.change(id, { url: "http://127.0.0.1:10" });
  await expectError(sdk, "invalid_request", moved);
  expectEqual("cursor", (await idp.streams.replay(id, 0)).cursor, 0);
  expectEqual("attempts", Array.isArray(await idp.streams.attempts(id)), true);
  const listed = await idp.streams.list();
  expectEqual(
    "streams",
    listed.map((stream) => stream.id),
    [id],
  );
  await idp.streams.remove(id);
  await expectError(sdk, "not_found", idp.streams.get(id));
}
