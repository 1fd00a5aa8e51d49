// Measures programs one after the other. One that fails does not take the figures of the others.
import type { Figures } from './bench.ts';

/** What is measured of each program, in this order: first this of all programs, then the next. */
export type Measurements<Subject> = Partial<{
  readonly [part in 'main' | 'enrolment']: (subject: Subject) => Promise<NonNullable<Figures[part]>>;
}>;

/**
 * In the order of `subjects`. Of a program that has failed, nothing more is measured. Rejects if all of them failed: then the cause is probably not a
 * program.
 */
export async function inTurns<Subject>(
  subjects: readonly Subject[],
  { main, enrolment }: Measurements<Subject>,
  failed: (subject: Subject, error: unknown) => Promise<void>,
): Promise<Figures[]> {
  const figures: Figures[] = subjects.map(() => ({}));
  const errors: unknown[] = [];
  const measure = async (of: (subject: Subject) => Promise<Partial<Figures>>): Promise<void> => {
    for (const [i, subject] of subjects.entries()) {
      if (figures[i]!.failed !== undefined) continue;
      try {
        figures[i] = { ...figures[i], ...(await of(subject)) };
      } catch (error) {
        errors.push(error);
        figures[i] = { ...figures[i], failed: error instanceof Error ? error.message : String(error) };
        await failed(subject, error);
      }
    }
  };
  if (main) await measure(async (subject) => ({ main: await main(subject) }));
  if (enrolment) await measure(async (subject) => ({ enrolment: await enrolment(subject) }));
  if (errors.length > 0 && errors.length === subjects.length) throw errors[0];
  return figures;
}
