import { IdpError } from "@edge-idp/sdk";
import { type FormEvent, useState } from "react";
import { Field } from "../parts/field.tsx";
import { Failure } from "../parts/states.tsx";
import { texts } from "../texts/en.ts";
import { keepCredentials, openSession, type Session } from "./session.ts";

const actingForPattern = /^[\x21-\x7e]{1,255}$/;
const tokenPattern = /^[\x21-\x7e]+$/;

interface SignInProps {
  /** Why the session before ended. */
  readonly notice: string | undefined;
  readonly onOpen: (session: Session) => void;
}

export function SignIn({ notice, onOpen }: SignInProps) {
  const [token, setToken] = useState("");
  const [actingFor, setActingFor] = useState("");
  const [problem, setProblem] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setProblem(undefined);
    setError(undefined);
    const credentials = { token: token.trim(), actingFor: actingFor.trim() };
    if (!tokenPattern.test(credentials.token)) return setProblem(texts.signIn.noToken);
    if (credentials.actingFor !== "" && !actingForPattern.test(credentials.actingFor)) {
      return setProblem(texts.signIn.badActingFor);
    }
    setBusy(true);
    try {
      const session = await openSession(credentials);
      keepCredentials(credentials);
      onOpen(session);
    } catch (caught) {
      if (caught instanceof IdpError && caught.status === 401) {
        setProblem(texts.signIn.invalidToken);
      } else {
        setError(caught);
      }
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <form className="card" onSubmit={(event) => void submit(event)}>
        <h1>
          {texts.product} <span className="faint">{texts.console}</span>
        </h1>
        {notice === undefined ? null : (
          <p className="callout" role="status">
            {notice}
          </p>
        )}
        <p>{texts.signIn.intro}</p>
        <Field
          label={texts.signIn.token}
          isSecret
          value={token}
          onValue={setToken}
          error={problem}
          required
        />
        <Field
          label={texts.signIn.actingFor}
          hint={texts.signIn.actingForHint}
          value={actingFor}
          onValue={setActingFor}
        />
        {error === undefined ? null : <Failure error={error} />}
        <button type="submit" className="primary wide" disabled={isBusy}>
          {isBusy ? texts.signIn.checking : texts.signIn.submit}
        </button>
      </form>
    </main>
  );
}
