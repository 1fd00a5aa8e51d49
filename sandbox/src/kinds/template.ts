// What the kinds of workloads share: the Pod template and the selector.
import { field } from '../core/errors.ts';
import { labelSelectorOf, matchesLabels } from '../core/select.ts';
import { checkSelector, oneOf } from './checks.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { validateTemplate } from './pod-validation.ts';
import type { FieldError, KubeObject } from '../core/types.ts';
import type { WorkloadSpec } from './native.ts';

export function defaultTemplate(object: KubeObject): void {
  const template = object.spec?.template;
  if (template?.spec) defaultPodSpec(template.spec);
}

export function checkTemplate(spec: WorkloadSpec, kind: string, owner = 'ReplicaSet'): FieldError[] {
  const errors: FieldError[] = [];
  const { selector, template } = spec;
  if (!selector && owner !== 'DaemonSet') errors.push(field.required('spec.selector'));
  if (selector) {
    errors.push(...checkSelector('spec.selector', selector));
    if (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length) {
      errors.push(field.invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
    }
  }
  if (!template) return [...errors, field.required('spec.template')];
  const labels = template.metadata?.labels;
  if (!selector || (!errors.length && !matchesLabels(labelSelectorOf(selector), labels))) {
    errors.push(
      field.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'),
    );
  }
  errors.push(...validateTemplate('spec.template', template));
  if (template.spec?.restartPolicy !== 'Always') {
    errors.push(...oneOf('spec.template.spec.restartPolicy', template.spec?.restartPolicy, ['Always']));
  }
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    errors.push(
      field.forbidden('spec.template.spec.activeDeadlineSeconds', `activeDeadlineSeconds in ${owner} is not Supported`),
    );
  }
  return errors;
}

export function keepLabels(object: KubeObject, old: KubeObject): void {
  if (old.metadata.labels) object.metadata.labels = old.metadata.labels;
  else delete object.metadata.labels;
}
