/** The routes that upload static files. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { succeed } from "./answer.ts";
import type { Route } from "./route.ts";

const manifestSchema = z.object({ manifest: z.record(z.string(), z.object({ hash: z.string() })) });

export const assetRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/accounts/:account/workers/scripts/:script/assets-upload-session",
    writes: true,
    answer: (account, { parameters, body }) => {
      const { manifest } = manifestSchema.parse(JSON.parse(body.toString("utf8")));
      const hashes = [...new Set(Object.values(manifest).map(({ hash }) => hash))];
      const missing = hashes.filter((hash) => !account.assets.has(hash));
      const jwt = `${randomUUID()}.${Buffer.from(parameters.script ?? "").toString("base64url")}.x`;
      return succeed({ jwt, buckets: missing.length === 0 ? [] : [missing] });
    },
  },
  {
    method: "POST",
    path: "/accounts/:account/workers/assets/upload",
    writes: true,
    answer: async (account, { body, contentType }) => {
      const headers = { "content-type": contentType };
      const form = await new Response(new Uint8Array(body), { headers }).formData();
      for (const hash of form.keys()) account.assets.add(hash);
      const answer = succeed({ jwt: `${randomUUID()}.complete.x` });
      return { ...answer, status: 201 };
    },
  },
];
