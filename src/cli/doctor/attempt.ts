// A check that the user may not have permission for.
import { isForbidden } from '../../kube/errors.ts';
import { NOT_CHECKED, note, type Finding } from './finding.ts';

export const FORBIDDEN = Symbol('not allowed to look');

/** If the user has no permission, adds a finding that says so, and returns FORBIDDEN. */
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
