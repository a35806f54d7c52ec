import type { ApiToken } from "@edge-idp/sdk";
import { useState } from "react";
import { Confirm } from "../../parts/confirm.tsx";
import { Field } from "../../parts/field.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.tokens;
const defaultOverlapSeconds = 3_600;

interface RotateTokenProps {
  readonly token: ApiToken;
  readonly onSecret: (secret: string) => Promise<void>;
  readonly onClose: () => void;
}

export function RotateToken({ token, onSecret, onClose }: RotateTokenProps) {
  const idp = useIdp();
  const [overlap, setOverlap] = useState(String(defaultOverlapSeconds));
  const rotate = async () => {
    const { secret } = await idp.tokens.rotate(token.id, { overlap_seconds: Number(overlap) });
    await onSecret(secret);
  };
  return (
    <Confirm
      title={words.rotateTitle(token.name)}
      hint={
        <>
          <p>{words.rotateHint}</p>
          <Field label={words.overlap} type="number" min={0} value={overlap} onValue={setOverlap} />
        </>
      }
      action={words.rotate}
      isHarmless
      act={rotate}
      onClose={onClose}
    />
  );
}
