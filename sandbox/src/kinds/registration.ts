// admissionregistration.k8s.io/v1: webhook configurations and admission policies.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { checkSubdomain } from '../core/names.ts';
import { checkSelector, named, oneOf } from './checks.ts';
import { policyBindingColumns, policyColumns, webhookColumns } from './columns.ts';
import { fill } from './defaults.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';
import type { AdmissionRule, Webhook, WebhookClient } from './native.ts';

const GROUP = 'admissionregistration.k8s.io';
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

/** Checks of CEL expressions, which the folder admission/ implements. */
export interface PolicyChecks {
  /** Checks one webhook. */
  matchConditions(path: string, conditions: unknown): FieldError[];
  /** Checks a policy. Parts that `old` also has are not checked. */
  policy(object: KubeObject, old?: KubeObject): FieldError[];
}

function defaultWebhooks(object: KubeObject, mutating: boolean): void {
  for (const webhook of (object.webhooks ?? []) as Webhook[]) {
    fill(webhook, {
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      ...(mutating ? { reinvocationPolicy: 'Never' } : {}),
    });
    if (webhook.clientConfig?.service) fill(webhook.clientConfig.service, { port: 443 });
    for (const rule of webhook.rules ?? []) fill(rule, { scope: '*' });
  }
}

function checkRule(at: string, rule: AdmissionRule): FieldError[] {
  const errors: FieldError[] = [];
  if (!rule.operations?.length) errors.push(field.required(`${at}.operations`));
  for (const [i, operation] of (rule.operations ?? []).entries()) {
    errors.push(...oneOf(`${at}.operations[${i}]`, operation, OPERATIONS));
  }
  if (!rule.apiGroups?.length) errors.push(field.required(`${at}.apiGroups`));
  if (!rule.apiVersions?.length) errors.push(field.required(`${at}.apiVersions`));
  if (!rule.resources?.length) errors.push(field.required(`${at}.resources`));
  errors.push(...oneOf(`${at}.scope`, rule.scope, ['*', 'Cluster', 'Namespaced']));
  return errors;
}

function checkClient(at: string, config: WebhookClient | undefined): FieldError[] {
  if (!config || Boolean(config.url) === Boolean(config.service)) {
    return [field.required(at, 'exactly one of url or service is required')];
  }
  if (config.service) {
    const { name, namespace, path, port = 0 } = config.service;
    return [
      ...(name ? [] : [field.required(`${at}.service.name`, 'service name is required')]),
      ...(namespace ? [] : [field.required(`${at}.service.namespace`, 'service namespace is required')]),
      ...(path && !path.startsWith('/') ? [field.invalid(`${at}.service.path`, path, "must start with a '/'")] : []),
      ...(port >= 1 && port <= 65535
        ? []
        : [field.invalid(`${at}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')]),
    ];
  }
  const form = '; desired format: https://host[/path]';
  const given = config.url ?? '';
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    return [
      field.required(
        `${at}.url`,
        `url must be a valid URL: parse ${JSON.stringify(given)}: invalid URI for request${form}`,
      ),
    ];
  }
  const errors: FieldError[] = [];
  if (url.protocol !== 'https:') {
    errors.push(field.invalid(`${at}.url`, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`));
  }
  if (!url.host) errors.push(field.invalid(`${at}.url`, '', `host must be specified${form}`));
  if (url.username)
    errors.push(field.invalid(`${at}.url`, url.username, `user information is not permitted in the URL`));
  if (url.hash) errors.push(field.invalid(`${at}.url`, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (url.search)
    errors.push(field.invalid(`${at}.url`, url.search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

function checkWebhooks(object: KubeObject, mutating: boolean, checks: PolicyChecks): FieldError[] {
  const names = new Set<string>();
  return ((object.webhooks ?? []) as Webhook[]).flatMap((webhook, i) => {
    const at = `webhooks[${i}]`;
    const errors: FieldError[] = [];
    const { name = '' } = webhook;
    if (!name) errors.push(field.required(`${at}.name`));
    else {
      const wrong = named(`${at}.name`, name, checkSubdomain);
      errors.push(...wrong);
      if (!wrong.length && name.split('.').length < 3) {
        errors.push(
          field.invalid(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'),
        );
      }
    }
    if (names.has(name)) errors.push(field.duplicate(`${at}.name`, name));
    names.add(name);
    for (const [j, rule] of (webhook.rules ?? []).entries()) errors.push(...checkRule(`${at}.rules[${j}]`, rule));
    const versions = webhook.admissionReviewVersions ?? [];
    if (!versions.length)
      errors.push(field.required(`${at}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
    else if (!versions.some((each) => each === 'v1' || each === 'v1beta1')) {
      errors.push(field.invalid(`${at}.admissionReviewVersions`, versions, 'must include at least one of v1, v1beta1'));
    }
    errors.push(...oneOf(`${at}.failurePolicy`, webhook.failurePolicy, ['Fail', 'Ignore']));
    errors.push(...oneOf(`${at}.matchPolicy`, webhook.matchPolicy, ['Equivalent', 'Exact']));
    if (!webhook.sideEffects)
      errors.push(field.required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
    else errors.push(...oneOf(`${at}.sideEffects`, webhook.sideEffects, ['None', 'NoneOnDryRun']));
    const { timeoutSeconds } = webhook;
    if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
      errors.push(
        field.invalid(`${at}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'),
      );
    }
    errors.push(...checkSelector(`${at}.namespaceSelector`, webhook.namespaceSelector));
    errors.push(...checkSelector(`${at}.objectSelector`, webhook.objectSelector));
    errors.push(...checkClient(`${at}.clientConfig`, webhook.clientConfig));
    errors.push(...checks.matchConditions(`${at}.matchConditions`, webhook.matchConditions));
    if (mutating) errors.push(...oneOf(`${at}.reinvocationPolicy`, webhook.reinvocationPolicy, ['IfNeeded', 'Never']));
    return errors;
  });
}

function defaultPolicy({ spec }: KubeObject): void {
  if (!spec) return;
  fill(spec, { failurePolicy: 'Fail' });
  const constraints = spec.matchConstraints;
  if (!constraints) return;
  fill(constraints, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
  for (const rule of [...(constraints.resourceRules ?? []), ...(constraints.excludeResourceRules ?? [])])
    fill(rule, { scope: '*' });
}

function defaultPolicyBinding({ spec }: KubeObject): void {
  const resources = spec?.matchResources;
  if (!resources) return;
  fill(resources, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
  for (const rule of resources.resourceRules ?? []) fill(rule, { scope: '*' });
}

function validateBinding({ spec }: KubeObject, validating: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.policyName) errors.push(field.required('spec.policyName'));
  if (!validating) return errors;
  const actions = (spec?.validationActions ?? []) as string[];
  if (!actions.length)
    errors.push(field.required('spec.validationActions', 'at least one validation action is required'));
  actions.forEach((action, i) =>
    errors.push(...oneOf(`spec.validationActions[${i}]`, action, ['Audit', 'Deny', 'Warn'])),
  );
  if (actions.includes('Deny') && actions.includes('Warn')) {
    errors.push(
      field.invalid(
        'spec.validationActions',
        actions,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  }
  return errors;
}

export function registrationTypes(checks: PolicyChecks): ResourceType[] {
  const row = (kind: string, plural: string, more: Partial<ResourceType>): ResourceType =>
    resource(GROUP, 'v1', kind, plural, {
      namespaced: false,
      generation: true,
      unconditionalUpdate: false,
      categories: ['api-extensions'],
      ...more,
    });
  const webhooks = (mutating: boolean): Partial<ResourceType> => ({
    columns: webhookColumns,
    default: (object) => defaultWebhooks(object, mutating),
    validate: (object) => checkWebhooks(object, mutating, checks),
  });
  return [
    row('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', webhooks(true)),
    row('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', webhooks(false)),
    row('ValidatingAdmissionPolicy', 'validatingadmissionpolicies', {
      status: true,
      columns: policyColumns,
      default: defaultPolicy,
      prepare(policy, old) {
        if (!old) policy.status = {};
      },
      validate: (object, old) => checks.policy(object, old),
    }),
    row('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', {
      columns: policyBindingColumns,
      default: defaultPolicyBinding,
      validate: (object) => validateBinding(object, true),
    }),
    row('MutatingAdmissionPolicy', 'mutatingadmissionpolicies', {
      default: defaultPolicy,
      validate: (object, old) => checks.policy(object, old),
    }),
    row('MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings', {
      default: defaultPolicyBinding,
      validate: (object) => validateBinding(object, false),
    }),
  ];
}
