// Renders the checks of a release: verdicts, evidence, and how long steps are watched.
import type { Verdict } from '../../api/analysis.ts';
import type { CheckView } from '../../view/checks.ts';
import { oneLine, type Colour, type Paint } from '../paint.ts';
import { ago, bar } from '../text.ts';

export { describeWatch } from '../../view/words.ts';

const COLOURS: Readonly<Record<Verdict, Colour>> = { Worse: 'red', Fine: 'green', Open: 'cyan', Unknown: 'yellow' };

/** `verdict`: of the status, so it may be any text. */
export const paintVerdict = (verdict: Verdict, paint: Paint): string =>
  Object.hasOwn(COLOURS, verdict) ? paint(COLOURS[verdict], verdict) : oneLine(String(verdict));

/** Cells: name, verdict with its age, evidence, and the message. */
export function checkCells(
  { name, verdict, since, message, acceptedBy, ...seen }: CheckView,
  paint: Paint,
  now: number,
): string[] {
  if (verdict === undefined) return [name, paint('dim', 'not reported yet'), '', ''];
  const age = since === undefined ? '' : ` since ${ago(now - since)}`;
  const accepted = acceptedBy === undefined ? '' : `; approved by ${acceptedBy.join(', ') || 'nobody known'}`;
  return [name, `${paintVerdict(verdict, paint)}${age}`, evidenceBar(seen), `${message ?? ''}${accepted}`];
}

/** `[####------] 8/200`: evidence on a logarithmic scale, full at the alarm. Empty for a check that counts no requests. */
export function evidenceBar({ evidence, alarm }: Pick<CheckView, 'evidence' | 'alarm'>): string {
  if (evidence === undefined || alarm === undefined || !(alarm > 1)) return '';
  return `${bar(Math.log(Math.max(1, evidence)), Math.log(alarm))} ${short(evidence)}/${short(alarm)}`;
}

/** Two digits, and `k` or `M` for large numbers. */
export function short(value: number): string {
  if (value >= 1e9) return '>1G';
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(2))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(2))}k`;
  return `${Number(value.toPrecision(2))}`;
}
