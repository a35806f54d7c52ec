/** Sentences that say what an act has done. A screen reader reads them out. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";

const shownForMs = 6_000;

interface Notice {
  readonly id: number;
  readonly text: string;
}

const NoticeContext = createContext<(text: string) => void>(() => {});

/** Shows a sentence for some seconds. */
export function useNotify(): (text: string) => void {
  return useContext(NoticeContext);
}

export function NoticePlace({ children }: { readonly children: ReactNode }) {
  const [notice, setNotice] = useState<Notice>();
  const notify = useCallback((text: string) => setNotice({ id: Date.now(), text }), []);
  useEffect(() => {
    if (notice === undefined) return;
    const timer = setTimeout(() => setNotice(undefined), shownForMs);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <NoticeContext value={notify}>
      {children}
      <div className="notices" role="status" aria-live="polite">
        {notice === undefined ? null : (
          <p key={notice.id} className="notice">
            {notice.text}
          </p>
        )}
      </div>
    </NoticeContext>
  );
}
