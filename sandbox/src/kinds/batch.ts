// batch/v1: Jobs and CronJobs. Stored and printed only, without controllers.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { immutable, notNegative, oneOf } from './checks.ts';
import { AGE, column, columns, doc, joined, NONE, selectorText, wide } from './column.ts';
import { fill } from './defaults.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { validateTemplate } from './pod-validation.ts';
import { age } from '../core/table.ts';
import type { Column, FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { JobSpec, PodTemplate } from './native.ts';

function defaultJobSpec(spec: JobSpec): void {
  // If both are missing, completions is 1. A missing parallelism is always 1.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  fill(spec, { parallelism: 1, backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2147483647 });
  fill(spec, { completionMode: 'NonIndexed', suspend: false, manualSelector: false });
  fill(spec, { podReplacementPolicy: spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed' });
  if (spec.template?.spec) defaultPodSpec(spec.template.spec);
}

/** A Job selects its Pods by generated labels, under their new and old names. */
function selectOwnPods({ metadata, spec }: KubeObject): void {
  if (spec.manualSelector) return;
  const uid = metadata.uid!;
  spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
  spec.template = {
    ...spec.template,
    metadata: {
      ...spec.template?.metadata,
      labels: {
        ...spec.template?.metadata?.labels,
        'batch.kubernetes.io/controller-uid': uid,
        'batch.kubernetes.io/job-name': metadata.name,
        'controller-uid': uid,
        'job-name': metadata.name,
      },
    },
  };
  metadata.labels ??= spec.template.metadata.labels;
}

const RESTARTS = ['OnFailure', 'Never'];

function checkJobSpec(path: string, spec: JobSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
  ] as const) {
    errors.push(...notNegative(`${path}.${key}`, spec[key]));
  }
  errors.push(...validateTemplate(`${path}.template`, spec.template));
  const policy = spec.template?.spec?.restartPolicy;
  if (policy === 'Always') {
    errors.push(field.required(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  } else errors.push(...oneOf(`${path}.template.spec.restartPolicy`, policy, RESTARTS));
  return errors;
}

function validateJob({ spec = {} }: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (spec === old?.spec) return [];
  return [
    ...checkJobSpec('spec', spec),
    ...(old
      ? ['selector', 'template', 'completionMode'].flatMap((key) => immutable(`spec.${key}`, spec[key], old.spec[key]))
      : []),
  ];
}

function validateCronJob({ spec = {} }: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.schedule) errors.push(field.required('spec.schedule'));
  errors.push(...oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']));
  return [...errors, ...checkJobSpec('spec.jobTemplate.spec', spec.jobTemplate?.spec ?? {})];
}

type TemplateOf = (object: KubeObject) => PodTemplate | undefined;

const inTemplate = (key: 'name' | 'image', path: TemplateOf) => (object: KubeObject) =>
  joined((path(object)?.spec?.containers ?? []).map((each) => each[key]));

const templateColumns = (path: TemplateOf): Column[] => [
  wide('Containers', 'Names of each container in the template.', inTemplate('name', path)),
  wide('Images', 'Images referenced by each container in the template.', inTemplate('image', path)),
];

const since = (time: string | undefined, now: number): string => (time ? age(time, now) : NONE);

function jobStatus({ status, spec, metadata }: KubeObject): string {
  const conditions = (status?.conditions ?? []) as { type: string; status: string }[];
  const has = (type: string): boolean => conditions.some((each) => each.type === type && each.status === 'True');
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  if (has('Suspended') || spec.suspend) return 'Suspended';
  return has('FailureTarget') ? 'FailureTarget' : has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function completions({ status, spec }: KubeObject): string {
  const succeeded = String(status?.succeeded ?? 0);
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return spec.parallelism > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function duration({ status }: KubeObject, now: number): string {
  if (!status?.startTime) return '';
  return age(status.startTime as string, status.completionTime ? Date.parse(status.completionTime as string) : now);
}

export function batchTypes(): ResourceType[] {
  const row = (kind: string, plural: string, more: Partial<ResourceType>): ResourceType =>
    resource('batch', 'v1', kind, plural, {
      status: true,
      generation: true,
      categories: ['all'],
      prepare(object, old) {
        if (old) return;
        object.status = {};
        if (kind === 'Job') selectOwnPods(object);
      },
      ...more,
    });
  return [
    row('Job', 'jobs', {
      fieldSelectors: ['status.successful'],
      ownFieldLabels: true,
      default: ({ spec }) => {
        if (spec) defaultJobSpec(spec);
      },
      validate: validateJob,
      columns: columns(
        column('Status', 'Status of the job.', jobStatus),
        column('Completions', doc('batch.v1.JobStatus.succeeded'), completions),
        column('Duration', 'Time required to complete the job.', duration),
        AGE,
        ...templateColumns(({ spec }) => spec.template),
        wide('Selector', doc('batch.v1.JobSpec.selector'), ({ spec }) => selectorText(spec.selector)),
      ),
    }),
    row('CronJob', 'cronjobs', {
      shortNames: ['cj'],
      default({ spec }) {
        if (!spec) return;
        fill(spec, { concurrencyPolicy: 'Allow', suspend: false });
        fill(spec, { successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
        const template = spec.jobTemplate?.spec?.template;
        if (template?.spec) defaultPodSpec(template.spec);
      },
      validate: validateCronJob,
      columns: columns(
        column('Schedule', doc('batch.v1.CronJobSpec.schedule'), ({ spec }) => spec.schedule),
        column('Timezone', doc('batch.v1.CronJobSpec.timeZone'), ({ spec }) => spec.timeZone ?? NONE),
        column('Suspend', doc('batch.v1.CronJobSpec.suspend'), ({ spec }) => (spec.suspend ? 'True' : 'False')),
        column('Active', doc('batch.v1.CronJobStatus.active'), ({ status }) => status?.active?.length ?? 0, 'integer'),
        column('Last Schedule', doc('batch.v1.CronJobStatus.lastScheduleTime'), ({ status }, now) =>
          since(status?.lastScheduleTime as string | undefined, now),
        ),
        AGE,
        ...templateColumns(({ spec }) => spec.jobTemplate?.spec?.template),
        wide('Selector', doc('batch.v1.JobSpec.selector'), ({ spec }) =>
          selectorText(spec.jobTemplate?.spec?.selector),
        ),
      ),
    }),
  ];
}
