// What the doctor says about one thing.

export const INSTALL = 'helm upgrade --install tranche charts/tranche --namespace tranche-system --create-namespace';

export interface Finding {
  readonly level: 'ok' | 'note' | 'problem';
  readonly what: string;
  /** One command, to be copied. */
  readonly mend?: string;
}

/** How the finding ends about what its reader may not see. */
export const NOT_CHECKED = 'not checked';

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const note = (what: string, mend?: string): Finding => ({ level: 'note', what, ...(mend ? { mend } : {}) });
export const problem = (what: string, mend: string): Finding => ({ level: 'problem', what, mend });

/** For a shell: single quotes around what has none inside. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const patchCommand = (kind: string, name: string, namespace: string, patch: unknown): string =>
  `kubectl patch ${kind} ${name} -n ${namespace} --type=merge -p ${quote(JSON.stringify(patch))}`;
