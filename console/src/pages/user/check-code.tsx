import { type FormEvent, useState } from "react";
import { Field } from "../../parts/field.tsx";
import { Section } from "../../parts/section.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { useRefreshUser } from "./user-query.ts";

const words = texts.user;

interface CodeBoxProps {
  readonly externalId: string;
  readonly label: string;
  readonly action: string;
  readonly hint?: string;
  /** Tries the code against pending secrets alone. */
  readonly isConfirming?: boolean;
}

/** Verifies a code as the user's login would: a wrong one counts. */
export function CodeBox(props: CodeBoxProps) {
  const { externalId, label, action, hint, isConfirming = false } = props;
  const idp = useIdp();
  const refresh = useRefreshUser(externalId);
  const [code, setCode] = useState("");
  const [result, setResult] = useState<string>();
  const [error, setError] = useState<unknown>();
  const check = async (event: FormEvent) => {
    event.preventDefault();
    setResult(undefined);
    setError(undefined);
    try {
      const purpose = isConfirming ? ({ purpose: "confirm" } as const) : {};
      const { enrolment_confirmed } = await idp.otp.verify(externalId, code, purpose);
      setResult(enrolment_confirmed ? words.enrolmentConfirmed : words.verified);
      setCode("");
    } catch (caught) {
      setError(caught);
    }
    await refresh();
  };
  return (
    <form className="stack" onSubmit={(event) => void check(event)}>
      <Field {...{ label, hint }} value={code} onValue={setCode} className="mono" required />
      <div>
        <button type="submit">{action}</button>
      </div>
      {result === undefined ? null : (
        <p className="callout callout-good" role="status">
          {result}
        </p>
      )}
      {error === undefined ? null : <Failure error={error} />}
    </form>
  );
}

export function CheckCode({ externalId }: { readonly externalId: string }) {
  return (
    <Section title={words.verify}>
      <CodeBox
        externalId={externalId}
        label={words.code}
        hint={words.verifyHint}
        action={words.authenticators.checkButton}
      />
    </Section>
  );
}
