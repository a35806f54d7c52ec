/** The journey with the built package, in any version of Node. */
import * as sdk from "@edge-idp/sdk";
import * as verifier from "@edge-idp/sdk/audit";
import * as tokens from "@edge-idp/sdk/tokens";
import * as webhooks from "@edge-idp/sdk/webhooks";
import { makeJourney } from "./journey.ts";

const { IDP_URL: url = "", OPERATOR_TOKEN: operatorToken = "" } = process.env;
await makeJourney({ ...sdk, ...verifier, ...tokens, ...webhooks }, { url, operatorToken });
process.stdout.write(`done in Node ${process.versions.node}\n`);
