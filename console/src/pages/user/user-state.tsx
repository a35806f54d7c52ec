import type { Profile } from "@edge-idp/sdk";
import { Facts, Section } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { UserStatus } from "../users/user-badges.tsx";

const words = texts.user;

export function UserState({ profile }: { readonly profile: Profile }) {
  return (
    <Section title={words.state} actions={<UserStatus status={profile.status} />}>
      <Facts
        facts={[
          [words.otpStatus, wordsFor(words.otpStatuses, profile.otp_status)],
          ...(profile.locked_until === null
            ? []
            : [[words.lockedUntil, <Time key="t" at={profile.locked_until} />] as const]),
          [words.failedAttempts, profile.failed_attempts],
          [words.lastVerified, <Time key="t" at={profile.last_verified_at} />],
          [words.backupCodes, profile.backup_codes_remaining],
          [words.created, <Time key="t" at={profile.created_at} />],
          [words.updated, <Time key="t" at={profile.updated_at} />],
          [words.id, <code key="i">{profile.id}</code>],
        ]}
      />
    </Section>
  );
}
