// The placement in the template of a DaemonSet, also one of OpenKruise. Its controller follows it during a hold, too.
import type { PodTemplate, Workload } from '../../../api/types.ts';
import { sameTemplate } from '../../lib/template.ts';
import { recordOn } from '../record.ts';

const FIELDS = ['nodeSelector', 'affinity', 'tolerations', 'nodeName'] as const;

/**
 * The field of the placement that this edit changes: `spec.template.spec.nodeSelector`. Undefined if there is none, or if it changes alone and outside
 * a release: the Pods that start on other nodes then have the version that runs.
 */
export function atOnce(old: Workload, next: Workload): string | undefined {
  const [before, after] = [old, next].map(({ spec }) => spec.template) as [PodTemplate, PodTemplate];
  const field = FIELDS.find((name) => !sameTemplate(only(before, name), only(after, name)));
  if (field === undefined) return undefined;
  const isAlone = recordOn(old) === undefined && sameTemplate(without(before), without(after));
  return isAlone ? undefined : `spec.template.spec.${field}`;
}

const only = ({ spec }: PodTemplate, name: string): PodTemplate => ({ spec: { [name]: spec?.[name] } });

const without = (template: PodTemplate): PodTemplate => ({
  ...template,
  spec: { ...template.spec, ...Object.fromEntries(FIELDS.map((name) => [name, undefined])) },
});
