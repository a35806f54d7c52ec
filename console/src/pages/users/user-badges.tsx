import type { ListedUser } from "@edge-idp/sdk";
import { Badge, type Tone } from "../../parts/badge.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";

const tones: Readonly<Record<string, Tone>> = {
  active: "good",
  locked: "warning",
  suspended: "bad",
};

export function UserStatus({ status }: { readonly status: string }) {
  return <Badge tone={tones[status] ?? "plain"}>{wordsFor(texts.users.statuses, status)}</Badge>;
}

type WithFactors = Pick<ListedUser, "otp_status" | "has_passkeys">;

export function Factors({ user }: { readonly user: WithFactors }) {
  const { otp_status, has_passkeys } = user;
  const tone = otp_status === "disabled" ? "bad" : otp_status === "pending" ? "warning" : "plain";
  return (
    <span className="badges">
      <Badge tone={tone}>{wordsFor(texts.users.otpStatus, otp_status)}</Badge>
      {has_passkeys ? <Badge>{texts.users.passkey}</Badge> : null}
    </span>
  );
}
