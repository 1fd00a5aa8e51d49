// The difference of two Pod templates as lines of YAML, like `kubectl diff`.
import { stringify } from 'yaml';
import type { PodTemplate } from '../../api/types.ts';
import { deploymentTemplate } from '../../engine/lib/template.ts';
import { plural } from '../../engine/lib/text.ts';
import { versionsOf, type Facts } from '../facts.ts';
import { versionOf } from '../act/put-back.ts';
import { line, text } from './text.ts';
import type { Diff, DiffLine } from './types.ts';

/** Lines that are shown, at most. */
const MOST_LINES = 500;
/** Unchanged lines around a change. */
const CONTEXT = 3;
/** Above this number of pairs of lines, what differs is shown as a whole: removed, then added. */
const MOST_PAIRS = 1_000_000;

/** From the stable to the new version. Undefined without a release in progress, or if one of them is not known. */
export function diffOf({ rollout, deployment, view }: Facts): Diff | undefined {
  const { stableVersion, newVersion } = view ?? {};
  if (!deployment || !view || !stableVersion || rollout.status?.phase !== 'Progressing') return undefined;
  if (stableVersion === newVersion) return undefined;
  return {
    from: text(versionOf(stableVersion).name),
    to: newVersion && versionsOf(view).includes(newVersion) ? text(versionOf(newVersion).name) : 'the new version',
    ...diffLines(linesOf(stableVersion.template), linesOf(deployment.spec.template)),
  };
}

/** Without the labels that controllers add. The keys are sorted, because objects of the API have no order. */
const linesOf = (template: PodTemplate): string[] =>
  stringify(deploymentTemplate(template), { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false })
    .trimEnd()
    .split('\n');

export function diffLines(before: readonly string[], after: readonly string[]): Omit<Diff, 'from' | 'to'> {
  const all = compare(before, after);
  const of = (kind: DiffLine['kind']): number => all.filter((one) => one.kind === kind).length;
  const shown = of('add') + of('remove') === 0 ? [] : shortened(all);
  return {
    lines: shown.slice(0, MOST_LINES).map(({ kind, text }) => ({ kind, text: line(text) })),
    added: of('add'),
    removed: of('remove'),
    cut: shown.length > MOST_LINES,
  };
}

function compare(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const lines = (kind: DiffLine['kind'], of: readonly string[]): DiffLine[] => of.map((text) => ({ kind, text }));
  return [
    ...lines('context', before.slice(0, start)),
    ...changes(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...lines('context', before.slice(before.length - end)),
  ];
}

/** With the longest common subsequence. */
function changes(before: readonly string[], after: readonly string[]): DiffLine[] {
  const [rows, columns] = [before.length, after.length];
  const lengths = rows * columns > MOST_PAIRS ? undefined : commonLengths(before, after);
  const found: DiffLine[] = [];
  let [i, j] = [0, 0];
  const lengthAt = (row: number, column: number): number => lengths?.[row * (columns + 1) + column] ?? 0;
  while (i < rows || j < columns) {
    if (lengths && i < rows && j < columns && before[i] === after[j]) {
      found.push({ kind: 'context', text: before[i++]! });
      j++;
    } else if (i < rows && (j >= columns || lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      found.push({ kind: 'remove', text: before[i++]! });
    } else found.push({ kind: 'add', text: after[j++]! });
  }
  return found;
}

/** The length of the longest common subsequence of the lines from (i, j) on, at i * (columns + 1) + j. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      lengths[i * width + j] =
        before[i] === after[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
  return lengths;
}

/** Leaves out unchanged lines that are far from a change. */
function shortened(all: readonly DiffLine[]): DiffLine[] {
  const near = new Uint8Array(all.length);
  all.forEach(({ kind }, i) => {
    if (kind !== 'context') near.fill(1, Math.max(0, i - CONTEXT), i + CONTEXT + 1);
  });
  const found: DiffLine[] = [];
  let left = 0;
  const gap = (): void => {
    if (left > 0) found.push({ kind: 'gap', text: plural(left, 'unchanged line') });
    left = 0;
  };
  all.forEach((one, i) => {
    if (near[i] === 0) return void left++;
    gap();
    found.push(one);
  });
  gap();
  return found;
}
