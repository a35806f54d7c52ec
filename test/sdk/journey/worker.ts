/** The journey with the built package, in a Worker. */
import * as sdk from "@edge-idp/sdk";
import * as verifier from "@edge-idp/sdk/audit";
import * as tokens from "@edge-idp/sdk/tokens";
import * as webhooks from "@edge-idp/sdk/webhooks";
import { makeJourney } from "./journey.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const url = searchParams.get("url") ?? "";
    const operatorToken = searchParams.get("operatorToken") ?? "";
    try {
      await makeJourney({ ...sdk, ...verifier, ...tokens, ...webhooks }, { url, operatorToken });
      return new Response(`done in ${navigator.userAgent}\n`);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};
