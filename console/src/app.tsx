import { IdpError } from "@edge-idp/sdk";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Shell } from "./navigation/shell.tsx";
import { CrashGuard } from "./parts/crash-guard.tsx";
import { NoticePlace } from "./parts/notice.tsx";
import { Failure, Loading } from "./parts/states.tsx";
import { useIdleWatch } from "./session/idle-watch.ts";
import {
  endsSession,
  forgetCredentials,
  openSession,
  readCredentials,
  type Session,
} from "./session/session.ts";
import { SessionContext } from "./session/session-context.ts";
import { SignIn } from "./session/sign-in.tsx";
import { texts } from "./texts/en.ts";

interface OpenProps {
  readonly session: Session;
  readonly end: (reason?: string) => void;
}

/** The console of one session. Its data is gone when the session ends. */
function Open({ session, end }: OpenProps) {
  const endIdle = useCallback(() => end(texts.signIn.idle), [end]);
  useIdleWatch(endIdle);
  const client = useMemo(() => {
    const onError = (error: unknown) => {
      if (error instanceof IdpError && endsSession(error)) end(texts.signIn.ended);
    };
    return new QueryClient({
      queryCache: new QueryCache({ onError }),
      mutationCache: new MutationCache({ onError }),
      defaultOptions: {
        // The SDK repeats what may be repeated.
        queries: { retry: false, refetchOnWindowFocus: false, networkMode: "always" },
        mutations: { retry: false, networkMode: "always" },
      },
    });
  }, [end]);
  const value = useMemo(() => ({ ...session, end }), [session, end]);
  return (
    <QueryClientProvider client={client}>
      <SessionContext value={value}>
        <NoticePlace>
          <Shell />
        </NoticePlace>
      </SessionContext>
    </QueryClientProvider>
  );
}

function Entrance() {
  const [session, setSession] = useState<Session>();
  const [isReopening, setReopening] = useState(() => readCredentials() !== undefined);
  const [notice, setNotice] = useState<string>();
  const [error, setError] = useState<unknown>();

  const end = useCallback((reason?: string) => {
    forgetCredentials();
    setSession(undefined);
    setNotice(reason);
  }, []);
  const reopen = useCallback(async () => {
    const credentials = readCredentials();
    if (credentials === undefined) return setReopening(false);
    setError(undefined);
    try {
      setSession(await openSession(credentials));
      setReopening(false);
    } catch (caught) {
      if (caught instanceof IdpError && endsSession(caught)) {
        end(texts.signIn.ended);
        setReopening(false);
      } else {
        setError(caught);
      }
    }
  }, [end]);
  useEffect(() => void reopen(), [reopen]);

  if (session !== undefined) return <Open key={session.id} {...{ session, end }} />;
  if (!isReopening) return <SignIn notice={notice} onOpen={setSession} />;
  return (
    <main className="sign-in">
      {error === undefined ? <Loading /> : <Failure error={error} onRetry={() => void reopen()} />}
    </main>
  );
}

export function App() {
  return (
    <CrashGuard>
      <Entrance />
    </CrashGuard>
  );
}
