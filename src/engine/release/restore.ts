// A version that was completed before is put back without steps: within rollbackWindow, or with an approval (docs/adr/0020).
import type { TemplateDigest } from '../../api/types.ts';
import type { Decision, Effect } from '../decision.ts';
import { formatTime } from '../lib/time.ts';
import * as messages from '../messages.ts';
import type { Snapshot } from '../snapshot.ts';
import { closeHistory, draftOf, dropConditions, openHistory, report, setCondition } from '../status.ts';
import { withNumbers } from '../steps/run.ts';
import type { Progress } from '../workload/kind.ts';
import { UNDO_STEP, type Grant } from './completed.ts';
import { dropCopy } from './finalize.ts';
import { blank, historyEntry } from './start.ts';

/** Makes the version the stable one, in the status only. The next decision gives the workload back, as for every rollback. */
export function restore(snapshot: Snapshot, progress: Progress, template: TemplateDigest, grant: Grant): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const before = draft.canary;
  const again = draft.phase === 'Progressing';
  const other = !again || before?.templateDigest !== template;
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  const approvals = (before?.approvals ?? []).filter(({ step }) => step === UNDO_STEP);
  if (other) {
    closeHistory(draft, now, 'Superseded');
    const author = grant === 'Approval' ? approvals.at(-1)?.user : undefined;
    openHistory(draft, { ...historyEntry(snapshot, progress), ...(author && { author }) });
  }
  dropConditions(draft, 'Succeeded', 'Stalled', 'Bypassed', 'PolicyBlocked');
  const message = `a version that was completed before was put back: it is restored without steps (${
    grant === 'Window' ? 'rollbackWindow' : `approved by ${[...new Set(approvals.map(({ user }) => user))].join(', ')}`
  })`;
  setCondition(draft, now, 'Progressing', 'True', 'Cancelling', message);
  draft.phase = 'Progressing';
  draft.message = messages.natively('rolling back', progress.updated, progress.replicas);
  draft.canary = {
    ...withNumbers(blank, progress),
    rolloutHash: before?.rolloutHash ?? '',
    stableRevision: progress.newVersion?.revision ?? '',
    currentStepIndex: steps,
    currentStepState: 'Completed',
    templateDigest: template,
    stableDigest: template,
    restores: grant,
    ...(grant === 'Approval' && { approvals }),
    lastUpdateTime: formatTime(now),
  };
  // The copy of the version that was stable during the release.
  const effects: Effect[] = again ? dropCopy(progress.workload, before?.stableDigest) : [];
  return { ...report(snapshot, draft, [{ reason: 'Restored', message }]), effects, needsChildren: true };
}
