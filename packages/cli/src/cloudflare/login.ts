/** Finds the login to Cloudflare, which is wrangler's own, and the account. */
import { z } from "zod";
import { Failure } from "../failure.ts";
import { CloudflareApi, CloudflareError } from "./api.ts";
import { findTimeLimits } from "./time-limits.ts";
import { runWrangler, type WranglerOptions } from "./wrangler.ts";

const credentialsSchema = z.union([
  z.object({ token: z.string() }),
  z.object({ key: z.string(), email: z.string() }),
]);

const accountSchema = z.object({ id: z.string(), name: z.string() });

export interface Login {
  readonly api: CloudflareApi;
  readonly accountId: string;
  /** Undefined if the login may not read it. */
  readonly accountName: string | undefined;
  /** For wrangler: the same account. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The headers of the login. Wrangler renews the token of `wrangler login` if it must. */
async function findCredentials(options: WranglerOptions): Promise<Record<string, string>> {
  const token = process.env.CLOUDFLARE_API_TOKEN;
  if (token) return { Authorization: `Bearer ${token}` };
  let text: string;
  try {
    text = await runWrangler(["auth", "token", "--json"], options);
  } catch {
    throw new Failure(
      "There is no login to Cloudflare: run npx wrangler login, or set CLOUDFLARE_API_TOKEN.",
    );
  }
  const found = credentialsSchema.parse(JSON.parse(text));
  if ("token" in found) return { Authorization: `Bearer ${found.token}` };
  return { "X-Auth-Key": found.key, "X-Auth-Email": found.email };
}

/** @param configured the account of an earlier run */
async function findAccount(api: CloudflareApi, configured: string | undefined) {
  const named = process.env.CLOUDFLARE_ACCOUNT_ID || configured;
  if (configured !== undefined && named !== configured) {
    throw new Failure(
      `wrangler.prod.toml is for the account ${configured}, and CLOUDFLARE_ACCOUNT_ID is ${named}.`,
    );
  }
  if (named !== undefined) {
    try {
      return await api.get(`/accounts/${named}`, accountSchema);
    } catch (error) {
      // A token may have all rights that a deployment needs without this one.
      if (error instanceof CloudflareError && error.status === 403) return { id: named };
      throw error;
    }
  }
  const accounts = await api.list("/accounts", accountSchema);
  const [account, ...others] = accounts;
  if (account === undefined) {
    throw new Failure("The login shows no account: set CLOUDFLARE_ACCOUNT_ID.");
  }
  if (others.length === 0) return account;
  const list = accounts.map(({ id, name }) => `\n  ${id}  ${name}`).join("");
  throw new Failure(`The login has several accounts: set CLOUDFLARE_ACCOUNT_ID to one.${list}`);
}

/** @throws Failure without a login, and without one account */
export async function findLogin(
  project: string,
  configuredAccount: string | undefined,
): Promise<Login> {
  const limits = findTimeLimits();
  const credentials = await findCredentials({ project, timeLimitMs: limits.wranglerMs });
  const api = new CloudflareApi(credentials, limits.requestMs);
  const account: { id: string; name?: string } = await findAccount(api, configuredAccount);
  return {
    api,
    accountId: account.id,
    accountName: account.name,
    environment: { CLOUDFLARE_ACCOUNT_ID: account.id },
  };
}
