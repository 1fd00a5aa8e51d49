// A look that may not be allowed.
import { isForbidden } from '../../kube/errors.ts';
import { NOT_CHECKED, note, type Finding } from './finding.ts';

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
    if (!isForbidden(error)) throw error;
    findings.push(note(`you may not read ${what}: ${NOT_CHECKED}`));
    return FORBIDDEN;
  }
}
