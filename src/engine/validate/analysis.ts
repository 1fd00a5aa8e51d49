// Validates the checks of a release and of its steps. Their PromQL is validated by schema/analysis.ts.
import type { AnalysisCheck, PodsSpec, RatioSpec, ValueSpec } from '../../api/analysis.ts';
import { MAX_CHECKS } from '../../api/schema/analysis.ts';
import type { CanaryStep, CanaryStrategy } from '../../api/types.ts';
import type { Violation } from './violation.ts';

const CANARY = 'spec.strategy.canary';
const KINDS = ['ratio', 'value', 'pods', 'condition'] as const;
/** Name of the source that reads the metrics APIs of Kubernetes. */
const KUBERNETES = 'kubernetes';

export function* analysisFields({ analysis: all = [], steps = [] }: CanaryStrategy): Generator<Violation> {
  // The schema says that there are too many.
  const analysis = all.slice(0, MAX_CHECKS);
  const at = (index: number): string => `${CANARY}.analysis[${index}]`;
  for (const [index, check] of analysis.entries()) {
    const twin = analysis.findIndex(({ name }) => name === check.name);
    if (twin < index) {
      const reason = `must be unique, and analysis[${twin}] has the same name`;
      yield { field: `${at(index)}.name`, value: check.name, reason, remedy: 'write another name' };
    }
    yield* checkFields(check, at(index));
  }
  for (const [index, step] of steps.entries()) yield* stepFields(step, analysis, `${CANARY}.steps[${index}].analysis`);
}

function* checkFields(check: AnalysisCheck, at: string): Generator<Violation> {
  yield* exactlyOne(check, KINDS, at, 'write one check for each');
  if (check.ratio) yield* ratio(check.ratio, `${at}.ratio`);
  if (check.value) yield* value(check.value, `${at}.value`);
  if (check.pods) yield* pods(check.pods, check.onFailure, at);
  const { condition } = check;
  if (condition?.failed !== undefined && condition.failed === condition.ok) {
    const reason = 'must not be the same as ok';
    yield {
      field: `${at}.condition.failed`,
      value: condition.failed,
      reason,
      remedy: 'write another type, or remove it',
    };
  }
  yield* source(check, `${at}.source`);
}

/** The source must be able to answer. */
function* source({ source, ratio, value }: AnalysisCheck, field: string): Generator<Violation> {
  if (value?.web !== undefined && (source === undefined || source === KUBERNETES)) {
    const reason = 'value.web needs the name of a MetricSource with web';
    yield { field, value: source, reason, remedy: 'write the name of a MetricSource with web' };
  } else if (source === KUBERNETES && (ratio !== undefined || value?.query !== undefined)) {
    const reason = 'the metrics APIs of Kubernetes do not answer PromQL';
    yield { field, value: source, reason, remedy: 'write the name of a MetricSource with prometheus, or remove it' };
  }
}

function* ratio(
  { bad, total, slowerThan, limit, timesStable, fineBelowTimesStable }: RatioSpec,
  at: string,
): Generator<Violation> {
  if (slowerThan !== undefined && (bad !== undefined || total !== undefined)) {
    const reason = 'cannot be used together with bad and total';
    const remedy = 'remove one of them; for both, write two checks';
    yield { field: `${at}.slowerThan`, value: slowerThan, type: 'Forbidden', reason, remedy };
  } else if (slowerThan === undefined) {
    for (const [name, selector] of Object.entries({ bad, total })) {
      if (selector !== undefined) continue;
      const remedy = 'add a PromQL selector of a counter; or write slowerThan instead of bad and total';
      yield { field: `${at}.${name}`, value: undefined, reason: '', remedy };
    }
  }
  if (limit === undefined && timesStable === undefined) {
    const remedy = 'write for example limit: "1%" or timesStable: 1.5';
    yield { field: `${at}.limit`, value: undefined, reason: 'limit or timesStable is required', remedy };
  }
  if (limit !== undefined && Number(limit.replace(/%$/, '')) === 0) {
    const remedy = 'write for example "0.1%"';
    yield { field: `${at}.limit`, value: limit, reason: 'must be more than 0%', remedy };
  }
  if (fineBelowTimesStable === undefined) return;
  const field = `${at}.fineBelowTimesStable`;
  if (timesStable === undefined) {
    const reason = 'has no effect without timesStable';
    yield { field, value: fineBelowTimesStable, type: 'Forbidden', reason, remedy: 'add timesStable, or remove it' };
  } else if (fineBelowTimesStable < timesStable) {
    const reason = `must be at least timesStable (${timesStable})`;
    yield { field, value: fineBelowTimesStable, reason, remedy: `write ${timesStable} or more` };
  }
}

function* value(spec: ValueSpec, at: string): Generator<Violation> {
  const { min, max, web } = spec;
  yield* exactlyOne(spec, ['query', 'external', 'web'], at, 'write one check for each');
  if (min === undefined && max === undefined) {
    const remedy = 'write the highest or the lowest good value';
    yield { field: `${at}.max`, value: undefined, reason: 'min or max is required', remedy };
  } else if (min !== undefined && max !== undefined && min > max) {
    yield { field: `${at}.min`, value: min, reason: `must be at most max (${max})`, remedy: `write ${max} or less` };
  }
  if (web?.path !== undefined && !isPath(web.path)) {
    const reason = 'must be a path without "..", "//" and "%", and without #, spaces and backslashes';
    yield { field: `${at}.web.path`, value: web.path, reason, remedy: 'write a path such as /api/score?version=1' };
  }
}

/** The path is added to the address of a source that another user wrote. It must not lead away from it. */
function isPath(text: string): boolean {
  const path = /^[^?]*/.exec(text)![0];
  return (
    !/[^\x21-\x7e]|[\\#]/.test(text) &&
    !/%|\/\//.test(path) &&
    !path.split('/').some((part) => part === '..' || part === '.')
  );
}

function* pods(spec: PodsSpec, onFailure: AnalysisCheck['onFailure'], at: string): Generator<Violation> {
  yield* exactlyOne(spec, ['resource', 'metric'], `${at}.pods`, 'write one check for each');
  if (onFailure === 'Rollback') {
    const reason = 'a check with pods compares few values, so it never rolls back';
    yield { field: `${at}.onFailure`, value: onFailure, reason, remedy: 'write Hold, or remove it' };
  }
}

function* stepFields({ analysis }: CanaryStep, checks: readonly AnalysisCheck[], at: string): Generator<Violation> {
  if (analysis === undefined) return;
  if (checks.length === 0) {
    const reason = `requires at least one check in ${CANARY}.analysis`;
    yield { field: at, value: analysis, type: 'Forbidden', reason, remedy: 'add a check, or remove it' };
    return;
  }
  if (checks.some(({ ratio }) => ratio !== undefined)) return;
  for (const field of ['minTotal', 'lowTraffic'] as const) {
    if (analysis[field] === undefined) continue;
    const reason = 'has no effect without a check with ratio';
    yield { field: `${at}.${field}`, value: analysis[field], type: 'Forbidden', reason, remedy: 'remove it' };
  }
}

function* exactlyOne<T extends object>(
  spec: T,
  names: readonly (string & keyof T)[],
  field: string,
  remedy: string,
): Generator<Violation> {
  const given = names.filter((name) => spec[name] !== undefined);
  if (given.length === 1) return;
  const reason = `exactly one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)} is required`;
  yield given.length === 0
    ? { field, value: undefined, reason, remedy: 'add it' }
    : { field, value: given, reason, remedy };
}
