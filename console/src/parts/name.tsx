/** Texts that a stranger may have chosen. */

interface NameProps {
  readonly children: string;
  /** Shows all of it, in as many lines as it needs. */
  readonly whole?: boolean;
}

/** Keeps a name apart from the text around it: marks of direction in it change nothing else, and a long one is cut. */
export function Name({ children, whole = false }: NameProps) {
  return (
    <bdi className={whole ? "name name-whole" : "name"} title={whole ? undefined : children}>
      {children}
    </bdi>
  );
}
