// A finding of the doctor.

/** Where the chart is installed. */
export interface Installed {
  readonly release: string;
  readonly namespace: string;
}

export const installIn = ({ release, namespace }: Installed): string =>
  `helm upgrade --install ${release} charts/tranche --namespace ${namespace} --create-namespace`;

/** Findings name this one, or start with it. Where the chart is installed is known after the checks. */
export const INSTALL = installIn({ release: 'tranche', namespace: 'tranche-system' });

/** Sets a value of the chart, and keeps the others. */
export const installWith = (value: string): string => `${INSTALL} --reuse-values --set ${value}`;

export interface Finding {
  readonly level: 'ok' | 'note' | 'problem';
  readonly what: string;
  /** A command to copy that fixes the problem. */
  readonly mend?: string;
}

/** The end of a finding about a check without permission. */
export const NOT_CHECKED = 'not checked';

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const note = (what: string, mend?: string): Finding => ({ level: 'note', what, ...(mend ? { mend } : {}) });
export const problem = (what: string, mend: string): Finding => ({ level: 'problem', what, mend });

/** Quotes a text for a shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const patchCommand = (kind: string, name: string, namespace: string, patch: unknown): string =>
  `kubectl patch ${kind} ${name} -n ${namespace} --type=merge -p ${quote(JSON.stringify(patch))}`;
