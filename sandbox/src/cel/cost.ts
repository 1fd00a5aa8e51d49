// What one evaluation may cost. Kubernetes limits its cost in a similar way.
import { CelRuntimeError } from './errors.ts';

/** One unit is one iteration of a loop, or a regular expression of 200 characters on a text of 10. */
const MOST = 200_000;
const PER_ITERATION = 50;

let spent = 0;

export const resetCost = (): void => {
  spent = 0;
};

export function spend(cost = 1): void {
  spent += cost;
  if (spent > MOST) throw new CelRuntimeError('operation cancelled: actual cost limit exceeded');
}

/** As in Kubernetes: a tenth of the text times a quarter of the expression. */
export const spendMatch = (text: string, source: string): void =>
  spend((Math.ceil(text.length / 10) * Math.ceil(source.length / 4)) / PER_ITERATION);
