/** Every form of export that `edge-idp users import` reads. */
import type { Form } from "./entry.ts";
import { twoFas } from "./readers/2fas.ts";
import { aegis } from "./readers/aegis.ts";
import { auth0 } from "./readers/auth0.ts";
import { authentik } from "./readers/authentik.ts";
import { authy } from "./readers/authy.ts";
import { csv } from "./readers/csv.ts";
import { django } from "./readers/django.ts";
import { edgeIdp } from "./readers/edge-idp.ts";
import { fusionauth } from "./readers/fusionauth.ts";
import { googleAuthenticator } from "./readers/google-authenticator.ts";
import { keycloak } from "./readers/keycloak.ts";
import { kratos } from "./readers/kratos.ts";
import { otpauth } from "./readers/otpauth.ts";
import { supabase } from "./readers/supabase.ts";
import { zitadel } from "./readers/zitadel.ts";

export const forms: readonly Form[] = [
  ...[keycloak, auth0, authentik, kratos, zitadel, supabase, fusionauth, django],
  ...[otpauth, aegis, twoFas, googleAuthenticator, authy, csv, edgeIdp],
];
