// A look that may not be allowed.
import { ApiError } from '../../kube/errors.ts';
import { note, type Finding } from './finding.ts';

export const NOT_CHECKED = 'not checked';
export const FORBIDDEN = Symbol('not allowed to look');

/** Whoever may not look is told so, and the rest goes on. */
export async function attempt<T>(
  findings: Finding[],
  what: string,
  look: () => Promise<T>,
): Promise<T | typeof FORBIDDEN> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 403) throw error;
    findings.push(note(`you may not read ${what}: ${NOT_CHECKED}`));
    return FORBIDDEN;
  }
}
