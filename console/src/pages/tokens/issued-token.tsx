import { Copy } from "../../parts/copy.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { texts } from "../../texts/en.ts";

interface IssuedTokenProps {
  readonly secret: string;
  readonly title?: string;
  readonly onClose: () => void;
}

/** Shows a new token, once. */
export function IssuedToken({
  secret,
  title = texts.tokens.secretTitle,
  onClose,
}: IssuedTokenProps) {
  return (
    <Dialog title={title} onClose={onClose} isSticky>
      <p>{texts.tokens.secret}</p>
      <p className="secret">
        <code>{secret}</code>
      </p>
      <div className="dialog-actions">
        <Copy text={secret} what={texts.tokens.secretTitle} />
        <button type="button" className="primary small" onClick={onClose}>
          {texts.user.authenticators.done}
        </button>
      </div>
    </Dialog>
  );
}
