/**
 * A bucket of Amazon S3, R2 or a compatible store: each batch is an object of NDJSON, compressed. The key says which
 * leaves it has, so a batch that is sent again replaces the same object.
 */
import { AwsV4Signer } from "aws4fetch";
import { toHex } from "../../crypto/bytes.ts";
import { computeSha256 } from "../../crypto/digest.ts";
import { formatEvent } from "./format-event.ts";
import { gzip } from "./gzip.ts";
import type { OpenStream, TargetOf } from "./stream.ts";
import { type BatchWriter, joinPath } from "./writer.ts";

/** So that the keys of a log sort in its order. */
const leafDigits = 12;

function nameLeaf(leafIndex: number): string {
  return String(leafIndex).padStart(leafDigits, "0");
}

export function createS3Writer(stream: OpenStream, target: TargetOf<"s3">): BatchWriter {
  const { endpoint, bucket, region, prefix, format } = target;
  return {
    writeEvent: (event) => `${JSON.stringify(formatEvent(stream, event))}\n`,
    createRequest: async (entries, { first, last }) => {
      const body = await gzip(entries.join(""));
      const name = `${nameLeaf(first)}-${nameLeaf(last)}.ndjson.gz`;
      const key = `${prefix}${stream.tenantId}/${format}/${name}`;
      const signer = new AwsV4Signer({
        method: "PUT",
        // The bucket is in the path, which every compatible store understands.
        url: joinPath(endpoint, `/${bucket}/${key}`),
        headers: {
          "content-type": "application/gzip",
          "x-amz-content-sha256": toHex(await computeSha256(body)),
        },
        body,
        service: "s3",
        region,
        accessKeyId: target.access_key_id,
        secretAccessKey: target.secret_access_key,
      });
      const { url, headers } = await signer.sign();
      return { method: "PUT", url: url.toString(), headers: Object.fromEntries(headers), body };
    },
  };
}
