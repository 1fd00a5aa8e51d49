// The checks of a release with their evidence.
import type { AnalysisCheck, Verdict } from '../../api/analysis.ts';
import type { Rollout } from '../../api/types.ts';
import { rollsBackIfWorse } from '../checks.ts';
import { checkViews, type CheckView } from '../checks.ts';
import { plotOf, type Plots } from './plots.ts';
import { at, first, LONGEST, name, optional, text } from './text.ts';
import type { CheckPanel, Tone } from './types.ts';

const PEOPLE = 50;
const MOST_CHECKS = 50;

const TONES: Readonly<Record<Verdict, Tone>> = { Worse: 'bad', Fine: 'done', Open: 'moving', Unknown: 'waits' };
const WORDS: Readonly<Record<Verdict, string>> = {
  Worse: 'shown to be worse',
  Fine: 'shown not to be worse',
  Open: 'nothing shown yet',
  Unknown: 'no data',
};

/** `verdict`: of the status, so it may be any text. */
export const toneOfVerdict = (verdict: string | undefined): Tone =>
  verdict !== undefined && Object.hasOwn(TONES, verdict) ? TONES[verdict as Verdict] : 'idle';

export function checkPanels(rollout: Rollout, plots: Plots | undefined): CheckPanel[] {
  const specs = rollout.spec.strategy.canary?.analysis ?? [];
  return first(checkViews(rollout), MOST_CHECKS).map((view, i) => panelOf(view, specs[i]!, rollout, plots));
}

function panelOf(view: CheckView, spec: AnalysisCheck, rollout: Rollout, plots: Plots | undefined): CheckPanel {
  const { verdict, since, message, evidence, alarm, acceptedBy } = view;
  const said = rollout.status?.canaryStatus?.analysis?.find((one) => one.name === view.name);
  const plot = plotOf(plots, said);
  return {
    name: name(view.name),
    tone: acceptedBy === undefined ? toneOfVerdict(verdict) : 'idle',
    ...optional('verdict', verdict, LONGEST.word),
    word:
      verdict === undefined
        ? 'not reported yet'
        : Object.hasOwn(WORDS, verdict)
          ? WORDS[verdict]
          : text(verdict, LONGEST.word),
    ...at('since', since),
    ...(verdict !== undefined && optional('says', message, LONGEST.message)),
    ...optional('limit', limitOf(spec)),
    ifWorse: rollsBackIfWorse(spec, rollout)
      ? 'the release rolls back immediately'
      : 'the release stops and waits for approval',
    ...(said?.total !== undefined && { n: said.total, bad: said.bad ?? 0 }),
    ...(evidence !== undefined && { evidence }),
    ...(alarm !== undefined && { alarm }),
    ...(acceptedBy && { acceptedBy: first(acceptedBy, PEOPLE).map(name) }),
    ...(plot && { plot }),
  };
}

/** What a check allows: `at most 1% bad requests, and at most 2 times the share of the stable version`. */
export function limitOf({ ratio, value, pods, condition }: AnalysisCheck): string | undefined {
  if (ratio) {
    const bad = ratio.slowerThan ? `requests slower than ${ratio.slowerThan.seconds} s` : 'bad requests';
    const limits = [
      ...(ratio.limit === undefined ? [] : [`at most ${ratio.limit} ${bad}`]),
      ...(ratio.timesStable === undefined
        ? []
        : [
            `at most ${ratio.timesStable} times the share of ${ratio.limit === undefined ? `${bad} of ` : ''}the stable version`,
          ]),
    ];
    return limits.join(', and ');
  }
  if (value) {
    const limits = [
      ...(value.min === undefined ? [] : [`at least ${value.min}`]),
      ...(value.max === undefined ? [] : [`at most ${value.max}`]),
    ];
    return limits.join(' and ');
  }
  if (pods)
    return `${pods.resource ?? pods.metric ?? 'the value'} of a Pod is at most ${pods.timesStable} times that of the stable version`;
  return condition && `${condition.kind} has the condition ${condition.ok}`;
}
