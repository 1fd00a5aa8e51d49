// Policies that the API server evaluates itself.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { policyChecks } from '../../src/admission/index.ts';
import type { AdmissionRequest, KubeObject } from '../../src/core/types.ts';
import { aDeployment, aRequest, aWorld, refusal, type World } from './support.ts';

const GROUP = 'admissionregistration.k8s.io';
const matchConstraints = {
  resourceRules: [{ operations: ['*'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }],
};

const validating = ({ put }: World, spec: object, binding: object = {}): void => {
  put(`${GROUP}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec: { failurePolicy: 'Fail', matchConstraints, ...spec },
  });
  put(`${GROUP}/validatingadmissionpolicybindings`, {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
  });
};
const mutating = ({ put }: World, spec: object, name = 'p'): void => {
  put(`${GROUP}/mutatingadmissionpolicies`, {
    metadata: { name },
    spec: { failurePolicy: 'Fail', matchConstraints, ...spec },
  });
  put(`${GROUP}/mutatingadmissionpolicybindings`, { metadata: { name: `${name}-b` }, spec: { policyName: name } });
};
const apply = (expression: string): object => ({
  mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
});
const jsonPatch = (expression: string): object => ({
  mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
});
const newImage = aDeployment((d) => (d.spec.template.spec.containers[0].image = 'web:2'));

describe('A ValidatingAdmissionPolicy', () => {
  const small = { expression: 'object.spec.replicas <= 5', message: 'at most 5 replicas' };
  const large = aRequest({ object: aDeployment((d) => (d.spec.replicas = 6)) });

  it('refuses violations of its rules, with its messages', async () => {
    const world = aWorld();
    validating(world, { validations: [small] });
    await world.admission.validate(aRequest());
    const status = await refusal(world.admission.validate(large));
    const text = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 5 replicas";
    assert.deepEqual(status, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      code: 422,
      reason: 'Invalid',
      message: `deployments.apps "web" is forbidden: ${text}`,
      details: { name: 'web', group: 'apps', kind: 'deployments', causes: [{ message: text }] },
    });
  });

  it('refuses with a reason of its own, a computed message, or the expression', async () => {
    const world = aWorld();
    const said = async (validation: object): Promise<[number, string]> => {
      validating(world, { validations: [{ expression: 'object.spec.replicas <= 5', ...validation }] });
      const { code, message } = await refusal(world.admission.validate(large));
      return [code, message!.replace(/^.*denied request: /, '')];
    };
    assert.deepEqual(await said({ reason: 'Forbidden', message: 'no' }), [403, 'no']);
    assert.deepEqual(await said({ messageExpression: '"not " + string(object.spec.replicas)', message: 'no' }), [
      422,
      'not 6',
    ]);
    assert.deepEqual(await said({ messageExpression: 'object.none', message: 'no' }), [422, 'no']);
    assert.deepEqual(await said({}), [422, 'failed expression: object.spec.replicas <= 5']);
  });

  it('warns where its binding says so, and does nothing without a binding', async () => {
    const world = aWorld();
    validating(world, { validations: [small] }, { validationActions: ['Warn', 'Audit'] });
    const request: AdmissionRequest = { ...large, warnings: [] };
    await world.admission.validate(request);
    assert.deepEqual(request.warnings, [
      "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': at most 5 replicas",
    ]);
    validating(world, { validations: [small] }, { policyName: 'another' });
    await world.admission.validate(large);
  });

  it('is limited by its binding', async () => {
    const world = aWorld();
    const matchResources = (env: string): object => ({
      matchResources: { namespaceSelector: { matchLabels: { env } } },
    });
    validating(world, { validations: [small] }, matchResources('test'));
    await world.admission.validate(large);
    validating(world, { validations: [small] }, matchResources('production'));
    assert.equal((await refusal(world.admission.validate(large))).code, 422);
  });

  it('protects an annotation from all users except one', async () => {
    const world = aWorld();
    validating(world, {
      matchConditions: [
        { name: 'held', expression: 'oldObject.metadata.?annotations["tranche.dev/held"].hasValue()' },
        { name: 'others', expression: 'request.userInfo.username != "operator"' },
      ],
      validations: [
        {
          expression:
            'object.metadata.?annotations["tranche.dev/held"] == oldObject.metadata.?annotations["tranche.dev/held"]',
          message: 'held',
        },
      ],
    });
    const oldObject = aDeployment((d) => (d.metadata.annotations = { 'tranche.dev/held': '{}' }));
    await world.admission.validate(aRequest({ oldObject, object: oldObject }));
    assert.match((await refusal(world.admission.validate(aRequest({ oldObject })))).message!, /: held$/);
    const operator = aRequest({ oldObject });
    operator.attributes.user = { username: 'operator', groups: [] };
    await world.admission.validate(operator);
  });

  it('evaluates variables lazily, and reads the namespace', async () => {
    const world = aWorld();
    validating(world, {
      variables: [
        { name: 'broken', expression: 'object.spec.none' },
        { name: 'limit', expression: 'namespaceObject.metadata.labels.env == "production" ? 5 : 10' },
        { name: 'over', expression: 'object.spec.replicas > variables.limit' },
      ],
      validations: [{ expression: '!variables.over', message: 'over' }],
    });
    await world.admission.validate(aRequest());
    assert.match((await refusal(world.admission.validate(large))).message!, /: over$/);
    validating(world, {
      variables: [{ name: 'broken', expression: 'object.spec.none' }],
      validations: [{ expression: 'variables.broken == 1' }],
    });
    assert.match(
      (await refusal(world.admission.validate(large))).message!,
      /expression 'variables\.broken == 1' resulted in error: composited variable "broken" fails to evaluate: no such key: none$/,
    );
  });

  it('fails closed or open on an error', async () => {
    const world = aWorld();
    const broken = { validations: [{ expression: 'object.spec.none == 1' }] };
    validating(world, broken);
    assert.match(
      (await refusal(world.admission.validate(large))).message!,
      /denied request: expression 'object\.spec\.none == 1' resulted in error: no such key: none$/,
    );
    validating(world, { ...broken, failurePolicy: 'Ignore' });
    await world.admission.validate(large);
  });

  it('reads parameters from an object, and fails if it is missing', async () => {
    const world = aWorld();
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [{ expression: 'object.spec.replicas <= int(params.data.limit)', message: 'over' }],
    };
    const paramRef = { name: 'limits', namespace: 'shop', parameterNotFoundAction: 'Deny' };
    validating(world, spec, { paramRef });
    assert.match(
      (await refusal(world.admission.validate(large))).message!,
      /denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
    );
    world.put('/configmaps', { metadata: { name: 'limits', namespace: 'shop' }, data: { limit: '4' } });
    await world.admission.validate(aRequest());
    assert.match((await refusal(world.admission.validate(large))).message!, /: over$/);
  });
});

describe('A MutatingAdmissionPolicy', () => {
  const pause = apply('Object{spec: Object.spec{paused: true}}');
  const changed = {
    matchConditions: [{ name: 'template', expression: 'object.spec.template != oldObject.spec.template' }],
  };

  it('holds a release without a running webhook', async () => {
    const world = aWorld();
    mutating(world, { ...changed, ...pause });
    const edit = aRequest({ object: newImage });
    await world.admission.mutate(edit);
    assert.equal(edit.object!.spec.paused, true);
    assert.equal(edit.object!.spec.template.spec.containers[0].image, 'web:2');
    const other = aRequest({ object: aDeployment((d) => (d.spec.replicas = 9)) });
    await world.admission.mutate(other);
    assert.equal(other.object!.spec.paused, undefined);
  });

  it('merges lists by their keys', async () => {
    const world = aWorld();
    mutating(
      world,
      apply(`Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
        containers: [Object.spec.template.spec.containers{name: "main", env: [Object.spec.template.spec.containers.env{name: "A", value: "1"}]},
                     Object.spec.template.spec.containers{name: "side", image: "side:1"}]}}}}`),
    );
    const request = aRequest();
    await world.admission.mutate(request);
    assert.deepEqual(
      request.object!.spec.template.spec.containers.map(({ name, image, env }: KubeObject) => ({ name, image, env })),
      [
        { name: 'main', image: 'web:1', env: [{ name: 'A', value: '1' }] },
        { name: 'side', image: 'side:1', env: undefined },
      ],
    );
  });

  it('applies JSON patches, and does not change the object if a test fails', async () => {
    const world = aWorld();
    const expression = (replicas: number): object =>
      jsonPatch(`[JSONPatch{op: "test", path: "/spec/replicas", value: ${replicas}},
        JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a.b/c"), value: "x"}]`);
    mutating(world, expression(3));
    const request = aRequest();
    await world.admission.mutate(request);
    assert.equal(request.object!.metadata.labels!['a.b/c'], 'x');
    mutating(world, expression(4));
    const untouched = aRequest();
    await world.admission.mutate(untouched);
    assert.equal(untouched.object!.metadata.labels!['a.b/c'], undefined);
  });

  it('receives the result of the previous mutation, and is called again on request', async () => {
    const world = aWorld();
    const count = apply(
      'Object{metadata: Object.metadata{labels: {"seen": string(object.?spec.?paused.orValue(false))}}}',
    );
    mutating(world, { ...count, reinvocationPolicy: 'IfNeeded' }, 'a');
    mutating(world, pause, 'b');
    const request = aRequest();
    await world.admission.mutate(request);
    assert.equal(request.object!.metadata.labels!['seen'], 'true');
  });

  it('refuses the request if it fails, unless failurePolicy is Ignore', async () => {
    const world = aWorld();
    const said = async (spec: object): Promise<string> => {
      mutating(world, spec);
      const status = await refusal(world.admission.mutate(aRequest()));
      assert.deepEqual(
        [status.code, status.reason, status.details!.causes],
        [403, 'Invalid', [{ message: status.message }]],
      );
      return status.message!.replace("policy 'p' with binding 'p-b' denied request: ", '');
    };
    assert.equal(
      await said(apply('Object{spec: Object.spec{replicas: object.spec.none}}')),
      "expression 'Object{spec: Object.spec{replicas: object.spec.none}}' resulted in error: no such key: none",
    );
    assert.equal(
      await said(
        apply(
          'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "main", command: ["sh"]}]}}}}',
        ),
      ),
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.template.spec.containers[].command',
    );
    assert.match(
      await said(apply('Object{spec: Object.wrong{paused: true}}')),
      /^type mismatch: unexpected type name "Object\.wrong", expected "Object\.spec"/,
    );
    assert.match(
      await said(apply('Object{spec: Object.spec{pausd: true}}')),
      /^error applying patch: .*\.spec\.pausd: field not declared in schema$/,
    );
    assert.match(
      await said(jsonPatch('[JSONPatch{op: "remove", path: "/spec/none/x"}]')),
      /^JSONPath: remove operation does not apply/,
    );
    mutating(world, { ...apply('Object{spec: Object.spec{replicas: object.spec.none}}'), failurePolicy: 'Ignore' });
    await world.admission.mutate(aRequest());
  });
});

describe('Expressions of policies and webhook configurations', () => {
  const policy = (kind: string, spec: object): KubeObject => ({
    apiVersion: `${GROUP}/v1`,
    kind,
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: [{}] }, ...spec },
  });
  const errors = (object: KubeObject, old?: KubeObject): string[] =>
    policyChecks.policy(object, old).map(({ field, message }) => `${field}: ${message}`);

  it('are compiled when they are written', () => {
    const conditions = [{ name: 'c', expression: 'objet == 1' }];
    const [error] = policyChecks.matchConditions('webhooks[0].matchConditions', conditions);
    assert.equal(
      `${error!.field}: ${error!.message}`,
      `webhooks[0].matchConditions[0].expression: Invalid value: "objet == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'objet' (in container '')\n | objet == 1\n | ^`,
    );
    assert.deepEqual(policyChecks.matchConditions('', undefined), []);
  });

  it('are not checked if they are unchanged', () => {
    const broken = policy('ValidatingAdmissionPolicy', { validations: [{ expression: 'objet == 1' }] });
    assert.equal(errors(broken).length, 1);
    assert.deepEqual(errors(broken, broken), []);
  });

  it('must have the right type', () => {
    assert.deepEqual(
      errors(policy('ValidatingAdmissionPolicy', { validations: [{ expression: '1', messageExpression: 'true' }] })),
      [
        'spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int',
        'spec.validations[0].messageExpression: Invalid value: "true": must evaluate to string but got bool',
      ],
    );
    assert.deepEqual(errors(policy('MutatingAdmissionPolicy', { ...apply('{"spec": 1}') })), [
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "{\\"spec\\": 1}": must evaluate to Object but got map(string, int)',
    ]);
    assert.deepEqual(errors(policy('MutatingAdmissionPolicy', apply('Object{spec: Object.spec{paused: true}}'))), []);
    assert.deepEqual(errors(policy('MutatingAdmissionPolicy', jsonPatch('[JSONPatch{op: "remove", path: "/a"}]'))), []);
  });

  it('know the fields of a request', () => {
    const said = (expression: string): string[] =>
      policyChecks.matchConditions('m', [{ name: 'c', expression }]).map(({ message }) => message);
    for (const good of [
      'request.userInfo.username != "a" && "dev" in request.userInfo.groups',
      'request.kind.version == "v1" && request.?subResource.orValue("") == "" && !has(request.name)',
      'request.userInfo.extra["k"].exists(v, v == "x") || request.options.?force.orValue(false)',
      'authorizer.group("apps").resource("deployments").namespace(request.namespace).check("get").allowed()',
      'authorizer.requestResource.check("approve").allowed()',
    ]) {
      assert.deepEqual(said(good), [], good);
    }
    assert.match(said('request.user == "a"')[0]!, /undefined field 'user'/);
    assert.match(said('request.userInfo.name == "a"')[0]!, /undefined field 'name'/);
    assert.match(
      said('request.dryRun == "true"')[0]!,
      /found no matching overload for '_==_' applied to '\(bool, string\)'/,
    );
    assert.match(said('authorizer.allowed()')[0]!, /found no matching overload for 'allowed'/);
  });

  it('may use only existing variables and parameters', () => {
    const spec = (expression: string, more: object = {}): string[] =>
      errors(
        policy('ValidatingAdmissionPolicy', {
          variables: [{ name: 'a', expression: '1' }],
          validations: [{ expression }],
          ...more,
        }),
      );
    assert.deepEqual(spec('variables.a == 1'), []);
    assert.match(spec('variables.b == 1')[0]!, /undefined field 'b'/);
    assert.match(spec('params.x == 1')[0]!, /undeclared reference to 'params'/);
    assert.deepEqual(spec('params.x == 1', { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }), []);
  });
});
