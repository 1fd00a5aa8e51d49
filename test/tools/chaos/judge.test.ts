// The judge sees each invariant broken, once each; what is allowed it lets pass.
import assert from 'node:assert/strict';
import { Judge, ORPHAN_MS, type Seen } from '../../../tools/chaos/judge.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

const template = (image: string): any => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image }] },
});
const HELD = { 'tranche.dev/held': '{"v":1}' };

/** A history, told to a judge a change at a time. */
class History {
  readonly judge = new Judge();
  now = 1_000_000;
  private generation = 1;
  private deployment: any;

  constructor(replicas = 4) {
    this.deployment = {
      metadata: { namespace: 'default', name: 'web', uid: 'd', generation: 1, labels: {}, annotations: {} },
      spec: {
        replicas,
        template: template('app:v1'),
        progressDeadlineSeconds: 600,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      },
      status: { observedGeneration: 1 },
    };
    this.see('Deployment', 'ADDED', this.deployment);
    this.rollout({ phase: 'Healthy' });
    this.set('old', 'app:v1', replicas);
    for (let i = 0; i < replicas; i++) this.pod(`old-${i}`, 'old');
  }

  see(kind: Seen['kind'], type: Seen['type'], object: any): void {
    this.judge.see({ kind, type, object: structuredClone(object), at: this.now });
  }

  pass(ms: number): void {
    this.now += ms;
    this.judge.tick(this.now);
  }

  /** A write of the Deployment, observed by the native controller unless said otherwise. */
  write(change: { spec?: any; annotations?: any; labels?: any }, observed = true): void {
    this.now += 10;
    const { spec, status, metadata } = this.deployment;
    this.generation += 1;
    this.deployment = {
      metadata: {
        ...metadata,
        generation: this.generation,
        annotations: change.annotations ?? metadata.annotations,
        labels: change.labels ?? metadata.labels,
      },
      spec: { ...spec, ...change.spec },
      status: observed ? { observedGeneration: this.generation } : status,
    };
    this.see('Deployment', 'MODIFIED', this.deployment);
    if (observed) this.pass(600);
  }

  limits(maxSurge: number | string, maxUnavailable: number | string): any {
    return { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } };
  }

  rollout(status: any, type: Seen['type'] = 'MODIFIED'): void {
    const spec = {
      workloadRef: { kind: 'Deployment', name: 'web' },
      strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }] } },
    };
    this.see('Rollout', type, { metadata: { namespace: 'default', name: 'web', uid: 'r' }, spec, status });
  }

  set(name: string, image: string, replicas: number, type: Seen['type'] = 'MODIFIED'): void {
    const metadata = {
      namespace: 'default',
      name,
      uid: name,
      ownerReferences: [{ controller: true, uid: 'd' }],
      annotations: { 'deployment.kubernetes.io/desired-replicas': String(this.deployment.spec.replicas) },
    };
    const labelled = template(image);
    labelled.metadata.labels['pod-template-hash'] = name;
    this.see('ReplicaSet', type, { metadata, spec: { replicas, template: labelled } });
  }

  pod(name: string, set: string, change: { going?: boolean; ready?: boolean } = {}): void {
    const metadata = {
      namespace: 'default',
      name,
      uid: name,
      ownerReferences: [{ controller: true, uid: set }],
      ...(change.going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    };
    const status = change.ready === false ? 'False' : 'True';
    const conditions = [{ type: 'Ready', status, lastTransitionTime: '1970-01-01T00:00:00Z' }];
    this.see('Pod', 'MODIFIED', { metadata, status: { conditions } });
  }

  /** v2 came, is held, and step 1 is about to move one Pod. */
  release(): void {
    const labels = { 'rollouts.kruise.io/rollout-id': 'one' };
    this.write({
      spec: { template: template('app:v2'), paused: true, ...this.limits(0, 1) },
      annotations: HELD,
      labels,
    });
    this.rollout({ phase: 'Progressing', canaryStatus: { observedRolloutID: 'one', currentStepIndex: 1 } });
    this.pass(5_000);
    this.write({ spec: { paused: false, ...this.limits(0, 1) } });
  }

  get violations(): string[] {
    return this.judge.violations.map((text) => text.split(':', 1)[0]!);
  }
}

describe('the judge of the invariants', () => {
  it('lets a step pass that does what it says', () => {
    const history = new History();
    history.release();
    history.set('new', 'app:v2', 1);
    history.pod('old-0', 'old', { going: true });
    history.pod('new-0', 'new');
    history.write({ spec: { paused: true } });
    history.pass(2 * ORPHAN_MS);
    history.write({ spec: { paused: false, ...history.limits('25%', '25%') }, annotations: {} }, false);
    assert.deepEqual(history.violations, []);
  });

  it('sees I1: strategy.type is written', () => {
    const history = new History();
    history.write({ spec: { strategy: { type: 'Recreate' } }, annotations: HELD });
    assert.deepEqual(history.violations, ['I1']);
  });

  it('sees I2: more updated Pods than the step allows', () => {
    const history = new History();
    history.release();
    history.set('new', 'app:v2', 1);
    assert.deepEqual(history.violations, []);
    history.set('new', 'app:v2', 2);
    assert.deepEqual(history.violations, ['I2']);
  });

  it('does not take it for I2 when the native controller scales', () => {
    const history = new History();
    history.release();
    history.set('new', 'app:v2', 1);
    history.write({ spec: { replicas: 8 } }, false);
    history.set('new', 'app:v2', 2);
    assert.deepEqual(history.violations, []);
  });

  it('sees I3: an available Pod is taken where none is to spare', () => {
    const history = new History();
    history.release();
    history.pod('old-0', 'old', { going: true });
    assert.deepEqual(history.violations, []);
    history.pod('old-1', 'old', { going: true });
    assert.deepEqual(history.violations, ['I3']);
  });

  it('does not take it for I3 when the Pod was not available, or a pause has not been seen yet', () => {
    const history = new History();
    history.release();
    history.pod('old-0', 'old', { going: true });
    history.pod('old-1', 'old', { ready: false });
    history.pod('old-1', 'old', { going: true });
    assert.deepEqual(history.violations, []);
    history.write({ spec: { template: template('app:v3'), paused: true } }, false);
    history.pass(60_000);
    history.pod('old-2', 'old', { going: true });
    assert.deepEqual(history.violations, []);
  });

  it('sees I5: a Deployment that is not held is not as its user wrote it', () => {
    const history = new History();
    history.release();
    history.write({ spec: { ...history.limits('25%', '25%'), progressDeadlineSeconds: 2147483647 }, annotations: {} });
    assert.deepEqual(history.violations, ['I5']);
  });

  it('knows what the user has edited since, and forgets what was refused', () => {
    const history = new History();
    const settings = (maxSurge: string) => {
      const others = { maxUnavailable: '25%', minReadySeconds: 0, progressDeadlineSeconds: 600 };
      return { paused: false, maxSurge, ...others };
    };
    const taken = settings('50%');
    history.judge.wants('default/web', taken);
    history.judge.wantsIndeed('default/web', taken, history.now);
    const refused = settings('75%');
    history.judge.wants('default/web', refused);
    history.judge.wantsNot('default/web', refused);
    history.release();
    history.pass(60_000);
    history.write({ spec: { paused: false, ...history.limits('50%', '25%') }, annotations: {} });
    assert.deepEqual(history.violations, []);
    history.write({ spec: { ...history.limits('75%', '25%') } });
    assert.deepEqual(history.violations, ['I5']);
  });

  it('takes the old settings and the new ones while nobody knows whether an edit was taken', () => {
    const history = new History();
    const edit = {
      paused: false,
      maxSurge: '50%',
      maxUnavailable: '25%',
      minReadySeconds: 0,
      progressDeadlineSeconds: 600,
    };
    history.judge.wants('default/web', edit);
    history.release();
    history.pass(60_000);
    history.write({ spec: { paused: false, ...history.limits('25%', '25%') }, annotations: {} });
    history.write({ spec: { ...history.limits('50%', '25%') } });
    history.judge.wantsIndeed('default/web', edit, history.now);
    assert.deepEqual(history.violations, []);
    history.pass(60_000);
    history.write({ spec: { ...history.limits('25%', '25%') } });
    assert.deepEqual(history.violations, ['I5']);
  });

  it('sees I6: held, and no Rollout names it, for longer than another leader needs', () => {
    const history = new History();
    history.release();
    history.rollout(undefined, 'DELETED');
    history.pass(ORPHAN_MS - 1_000);
    assert.deepEqual(history.violations, []);
    history.pass(2_000);
    history.pass(60_000);
    assert.deepEqual(history.violations, ['I6']);
  });

  it('sees I6: held, and the Rollout says that all is well; but not while something is broken from outside', () => {
    const history = new History();
    history.release();
    history.judge.trouble(true, history.now);
    history.rollout({ phase: 'Healthy', canaryStatus: { observedRolloutID: 'one', currentStepIndex: 3 } });
    history.pass(10 * ORPHAN_MS);
    assert.deepEqual(history.violations, []);
    history.judge.trouble(false, history.now);
    history.pass(ORPHAN_MS + 1_000);
    assert.deepEqual(history.violations, ['I6']);
  });

  it('does not judge what lay in a gap, and goes on from there', () => {
    const history = new History();
    history.release();
    const { judge, now } = history;
    const metadata = {
      namespace: 'default',
      name: 'old-1',
      uid: 'old-1',
      ownerReferences: [{ controller: true, uid: 'old' }],
    };
    judge.see({ kind: 'Pod', type: 'DELETED', object: { metadata }, at: now, gap: true });
    assert.deepEqual(history.violations, []);
    history.pod('old-0', 'old', { going: true });
    assert.deepEqual(history.violations, ['I3']);
  });
});
