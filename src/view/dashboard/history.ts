// The last releases of a Rollout.
import { UNDO_STEP } from '../../engine/release/completed.ts';
import type { Facts } from '../facts.ts';
import { historyRows, type HistoryRow } from '../history.ts';
import { toneOfVerdict } from './checks.ts';
import { at, first, LONGEST, name, optional, text } from './text.ts';
import type { HistoryItem, Tone } from './types.ts';

/** The operator keeps ten releases, and lists within them are short. A stored status may have more. */
const MOST = { releases: 10, items: 50 } as const;

export const historyItems = (facts: Facts): HistoryItem[] => first(historyRows(facts), MOST.releases).map(itemOf);

const TONES: ReadonlyMap<string | undefined, Tone> = new Map([
  [undefined, 'moving'],
  ['Completed', 'done'],
  ['RolledBack', 'bad'],
  ['Failed', 'bad'],
]);

function itemOf(row: HistoryRow): HistoryItem {
  const { startedAt, endedAt, outcome } = row;
  const seconds = startedAt === undefined || endedAt === undefined ? -1 : Math.round((endedAt - startedAt) / 1000);
  return {
    ...optional('revision', row.revision, LONGEST.word),
    ...optional('release', row.releaseId, LONGEST.word),
    ...optional('version', row.podTemplateHash, LONGEST.word),
    ...optional('author', row.author, LONGEST.name),
    ...at('startedAt', startedAt),
    ...at('endedAt', endedAt),
    ...(seconds >= 0 && { seconds }),
    tone: TONES.get(outcome) ?? 'idle',
    outcome: text(outcome ?? 'in progress', LONGEST.word),
    ...optional('bypassed', row.bypassed),
    approvals: first(row.approvals, MOST.items).map(({ step, user, time }) => ({
      what: step === UNDO_STEP ? 'undo' : `step ${step}`,
      user: name(user),
      time: text(time, LONGEST.word),
    })),
    checks: first(Object.entries(row.verdicts), MOST.items).map(([check, verdict]) => ({
      name: name(check),
      verdict: text(verdict, LONGEST.word),
      tone: toneOfVerdict(verdict),
    })),
    brokenGlass: first(row.brokenGlass, MOST.items).map(({ user, reason, time }) => ({
      user: name(user),
      reason: text(reason),
      time: text(time, LONGEST.word),
    })),
  };
}
