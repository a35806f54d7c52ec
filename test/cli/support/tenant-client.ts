/** The SDK's client as the command uses it, in front of the service in this Worker. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { EdgeIdp } from "@edge-idp/sdk";
import worker from "../../../src/index.ts";

type Answer = (request: Request) => Promise<Response>;

export const answerWithService: Answer = async (request) =>
  await worker.fetch(request, env, createExecutionContext());

/** @param answer what the network does with a request */
export function connectWith(token: string, answer: Answer = answerWithService): EdgeIdp {
  return new EdgeIdp({
    url: "https://idp.test",
    token,
    maxRetries: 0,
    fetch: async (input, init) => await answer(new Request(input, init)),
  });
}
