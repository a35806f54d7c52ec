/** The exports in test/cli/fixtures/, with the outcome of importing each. */
export interface ImportFixture {
  readonly from: string;
  /** From test/cli/fixtures/. */
  readonly file: string;
  readonly expected: string;
  /** Users that cannot come along. */
  readonly refused: number;
  readonly leftOut: number;
}

function fixture(
  from: string,
  file: string,
  expected: string,
  refused = 0,
  leftOut = 0,
): ImportFixture {
  return { from, file, expected, refused, leftOut };
}

export const importFixtures: readonly ImportFixture[] = [
  fixture("keycloak", "keycloak/realm.json", "keycloak/expected.json", 1, 1),
  fixture("kratos", "kratos/identities.json", "kratos/expected.json", 1),
  fixture("django", "django/dump.json", "django/expected.json", 1, 1),
  fixture("django", "django/dump-natural.json", "django/expected.json", 1, 1),
  fixture("authentik", "django/authentik.json", "django/authentik-expected.json", 1, 1),
  fixture("fusionauth", "fusionauth/users.json", "fusionauth/expected.json", 1),
  fixture(
    ...(["google-authenticator", "google-authenticator/parts.txt"] as const),
    "google-authenticator/expected.json",
  ),
  fixture("otpauth", "otpauth/uris.txt", "otpauth/expected.json", 1),
  fixture("auth0", "written/auth0-users.json", "written/auth0-users-expected.json", 1),
  fixture("auth0", "written/auth0-enrolments.ndjson", "written/auth0-enrolments-expected.json", 1),
  fixture("zitadel", "written/zitadel.json", "written/zitadel-expected.json"),
  fixture("supabase", "written/supabase.csv", "written/supabase-expected.json", 2, 1),
  fixture("aegis", "written/aegis.json", "written/aegis-expected.json", 2),
  fixture("2fas", "written/2fas.json", "written/2fas-expected.json", 1),
  fixture("csv", "written/users.csv", "written/users-expected.json", 1),
];
