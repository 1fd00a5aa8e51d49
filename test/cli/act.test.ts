// Commands that decide, against a cluster with the operator at work: what they say, and what follows.
import assert from 'node:assert/strict';
import { as, deploymentPath, golden, POLICIES, rollout, Stage, startPlayground, type Playground } from './support.ts';

describe('kubectl tranche, deciding', () => {
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
  });
  after(() => playground.stop());

  it('approves a step, keeps the message, and refuses where nothing waits', async () => {
    const stage = await Stage.open(playground, 'approve');
    const idle = await stage.tranche('approve', 'web');
    await stage.release('web:v2');
    await stage.waits(1);
    const wrong = await stage.tranche('approve', 'web', '--step', '2');
    const noStep = await stage.tranche('approve', 'web', '--step', 'two');
    const client = await stage.tranche('approve', 'web', '--dry-run=client');
    const server = await stage.tranche('approve', 'web', '--dry-run=server');
    assert.equal((await stage.rollout()).status?.canaryStatus?.currentStepState, 'StepPaused');
    const approved = await stage.tranche('approve', 'web', '--step', '1', '--message', 'error rate is flat');
    await stage.waits(2);
    golden(
      'approve',
      ['approve web   # at rest', idle],
      ['approve web --step 2   # step 1 waits', wrong],
      ['approve web --step two', noStep],
      ['approve web --dry-run=client', client],
      ['approve web --dry-run=server', server],
      ['approve web --step 1 --message "error rate is flat"', approved],
    );
    const events = (await playground.cluster.api.request({
      method: 'GET',
      path: '/api/v1/namespaces/approve/events',
    })) as {
      items: { reason: string; message: string }[];
    };
    const kept = events.items.find(({ reason }) => reason === 'ApprovalMessage');
    assert.equal(kept?.message, 'admin: step 1 of 3 of web approved: error rate is flat');
  });

  it('pauses and resumes', async () => {
    const stage = await Stage.open(playground, 'pausing');
    const idle = await stage.tranche('resume', 'web');
    await stage.release('web:v2');
    await stage.waits(1);
    const dry = await stage.tranche('pause', 'web', '--dry-run=server');
    const paused = await stage.tranche('pause', 'web');
    await stage.reaches(({ status }) => status?.message?.includes('paused until') === true);
    const again = await stage.tranche('pause', 'web');
    const finish = await stage.tranche('finish', 'web');
    const status = await stage.tranche('status', 'web');
    const resumed = await stage.tranche('resume', 'web');
    await stage.reaches(({ status }) => status?.message?.includes('waiting for approval') === true);
    golden(
      'pause',
      ['resume web   # not paused', idle],
      ['pause web --dry-run=server', dry],
      ['pause web', paused],
      ['pause web   # again', again],
      ['finish web   # paused', finish],
      ['status web', status],
      ['resume web', resumed],
    );
  });

  it('resumes a Deployment that its user paused', async () => {
    const stage = await Stage.open(playground, 'paused');
    await stage.patch(deploymentPath('paused'), { spec: { paused: true } });
    await stage.release('web:v2');
    await stage.reaches(({ status }) => status?.message?.includes('spec.paused is removed') === true);
    const resumed = await stage.tranche('resume', 'web');
    await stage.waits(1);
    golden('resume-deployment', ['resume web', resumed]);
  });

  it('jumps forward and back, and not beyond the steps', async () => {
    const stage = await Stage.open(playground, 'jumping');
    await stage.release('web:v2');
    await stage.waits(1);
    const beyond = await stage.tranche('jump', 'web', '4');
    const none = await stage.tranche('jump', 'web', 'last');
    const forward = await stage.tranche('jump', 'web', '2');
    await stage.waits(2);
    const back = await stage.tranche('jump', 'web', '1');
    await stage.waits(1);
    assert.equal((await stage.rollout()).status?.canaryStatus?.canaryReplicas, 2);
    const whole = await stage.tranche('jump', 'web', '3');
    await stage.ends('Completed');
    golden(
      'jump',
      ['jump web 4', beyond],
      ['jump web last', none],
      ['jump web 2', forward],
      ['jump web 1', back],
      ['jump web 3', whole],
      ['jump web 1   # at rest', await stage.tranche('jump', 'web', '1')],
    );
  });

  it('puts the version before back while it is held, and earlier ones in steps', async () => {
    const stage = await Stage.open(playground, 'undoing');
    await stage.whole();
    const nothing = await stage.tranche('undo', 'web');
    const nothingNow = await stage.tranche('undo', 'web', '--now');
    assert.doesNotMatch(nothingNow.err, /kubectl tranche undo/, 'it would fail, too');
    await stage.release('web:v2');
    await stage.waits(1);
    assert.equal((await stage.deployment()).spec.paused, true);
    const server = await stage.tranche('undo', 'web', '--dry-run=server');
    assert.equal(await stage.image(), 'web:v2');
    const held = await stage.tranche('undo', 'web');
    await stage.ends('RolledBack');
    assert.equal(await stage.image(), 'web:v1');
    await stage.release('web:v2');
    await stage.waits(1);
    await stage.tranche('finish', 'web');
    await stage.ends('Completed');
    const unknown = await stage.tranche('undo', 'web', '--to-revision', '99');
    const noNumber = await stage.tranche('undo', 'web', '--to-revision', 'old');
    const atRest = await stage.tranche('undo', 'web');
    await stage.waits(1);
    assert.equal(await stage.image(), 'web:v1');
    golden(
      'undo',
      ['undo web   # nothing before', nothing],
      ['undo web --now   # nothing before', nothingNow],
      ['undo web --dry-run=server', server],
      ['undo web   # held', held],
      ['undo web --to-revision 99', unknown],
      ['undo web --to-revision old', noNumber],
      ['undo web   # at rest', atRest],
      ['history web', await stage.tranche('history', 'web')],
    );
  });

  it('says that an abort was not stored as it was written, when others change the template in the same request', async () => {
    const stage = await Stage.open(playground, 'changing');
    await stage.release('web:v2');
    await stage.waits(1);
    const admission = '/apis/admissionregistration.k8s.io/v1';
    const metadata = { name: 'changing' };
    await stage.post(`${admission}/mutatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicy',
      metadata,
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments'] },
          ],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'changing' } },
        },
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression:
                '[JSONPatch{op: "add", path: "/spec/template/metadata/annotations", value: {"by": "others"}}]',
            },
          },
        ],
      },
    });
    await stage.post(`${admission}/mutatingadmissionpolicybindings`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: 'changing' },
    });
    const aborted = await stage.tranche('abort', 'web');
    assert.equal(aborted.code, 1);
    assert.equal(aborted.out, '');
    assert.match(
      aborted.err,
      /Deployment web does not have the template of revision 1 \(\w+\) again: another mutating webhook or policy changed it/,
    );
    assert.match(aborted.err, /it is a new version, which goes through the steps/);
    for (const kind of ['mutatingadmissionpolicybindings', 'mutatingadmissionpolicies'])
      await playground.cluster.api.request({ method: 'DELETE', path: `${admission}/${kind}/changing` });
  });

  it('gives a release up, and releases it again', async () => {
    const stage = await Stage.open(playground, 'aborting');
    const idle = await stage.tranche('abort', 'web');
    const nothing = await stage.tranche('retry', 'web');
    await stage.release('web:v2');
    await stage.waits(1);
    const dry = await stage.tranche('abort', 'web', '--dry-run=client');
    const watching = stage.tranche('status', 'web', '--watch', '--timeout', '60s');
    const aborted = await stage.tranche('abort', 'web');
    // At once, while it may still roll back.
    const second = await stage.tranche('abort', 'web');
    assert.equal(second.code, 0, second.err);
    assert.match(second.out, /^nothing to abort: web /);
    const { code } = await watching;
    assert.equal(code, 1);
    await stage.ends('RolledBack');
    assert.equal(await stage.image(), 'web:v1');
    const again = await stage.tranche('abort', 'web');
    const retried = await stage.tranche('retry', 'web');
    await stage.waits(1);
    assert.equal(await stage.image(), 'web:v2');
    golden(
      'abort',
      ['abort web   # at rest', idle],
      ['retry web   # nothing failed', nothing],
      ['abort web --dry-run=client', dry],
      ['abort web', aborted],
      ['abort web   # again', again],
      ['retry web', retried],
    );
  });

  it('makes failing Pods anew, and only those', async () => {
    const stage = await Stage.open(playground, 'retrying', {
      rollout: rollout('retrying', [{ replicas: 1 }, { replicas: '100%' }], { stepDeadlineSeconds: 1 }),
    });
    await stage.release('web:broken');
    await stage.reaches(
      ({ status }) =>
        status?.conditions?.some(({ type, status: state }) => type === 'Stalled' && state === 'True') === true,
    );
    const watched = await stage.tranche('status', 'web', '--watch', '--timeout', '30s');
    assert.equal(watched.code, 1, watched.out + watched.err);
    const finish = await stage.tranche('finish', 'web');
    const status = await stage.tranche('status', 'web');
    const dry = await stage.tranche('retry', 'web', '--dry-run=server');
    const before = await podsOf('retrying');
    const retried = await stage.tranche('retry', 'web');
    const after = await podsOf('retrying');
    const gone = before.filter((name) => !after.includes(name));
    assert.equal(gone.length, 1, JSON.stringify({ before, after, retried }));
    assert.ok(retried.out.includes(gone[0]!), retried.out);
    golden(
      'stalled',
      ['status web', status],
      ['finish web', finish],
      ['retry web --dry-run=server', dry],
      ['retry web', retried],
    );
  });

  it('finishes: waits for the step that is under way, then releases the rest', async () => {
    const stage = await Stage.open(playground, 'finishing', {
      rollout: rollout('finishing', [{ replicas: 1 }, { replicas: '50%' }, { replicas: '75%' }]),
    });
    const idle = await stage.tranche('finish', 'web');
    await stage.release('web:v2');
    await stage.waits(1);
    const dry = await stage.tranche('finish', 'web', '--dry-run=client');
    const finished = await stage.tranche('finish', 'web');
    assert.equal(finished.code, 0, finished.err);
    await stage.ends('Completed');
    golden('finish', ['finish web   # at rest', idle], ['finish web --dry-run=client', dry]);
  });

  it('restarts, and not in the middle of a release', async () => {
    const stage = await Stage.open(playground, 'restarting');
    const dry = await stage.tranche('restart', 'web', '--dry-run=server');
    const restarted = await stage.tranche('restart', 'web');
    await stage.waits(1);
    const again = await stage.tranche('restart', 'web');
    golden(
      'restart',
      ['restart web --dry-run=server', dry],
      ['restart web', restarted],
      ['restart web   # in a release', again],
    );
  });

  it('says who may not, and ends with 4', async () => {
    const stage = await Stage.open(playground, 'refusing');
    await stage.release('web:v2');
    await stage.waits(1);
    const refused = await stage.tranche('--kubeconfig', await playground.viewer('refusing'), 'approve', 'web');
    golden('refused', ['approve web   # as a viewer', refused]);
    assert.equal(refused.code, 4);
  });

  it('lets somebody approve who has the role of an approver and no other', async () => {
    const stage = await Stage.open(playground, 'approver');
    await stage.release('web:v2');
    await stage.waits(1);
    const approver = ['--kubeconfig', await playground.approver('approver')];
    const status = await stage.tranche(...approver, 'status', 'web');
    const approved = await stage.tranche(...approver, 'approve', 'web', '--message', 'error rate is flat');
    await stage.waits(2);
    const undone = await stage.tranche(...approver, 'abort', 'web');
    const viewed = await stage.tranche('--kubeconfig', await playground.viewer('approver'), 'status', 'web');
    golden(
      'approver',
      ['status web   # as an approver', status],
      ['approve web --message "error rate is flat"   # as an approver', approved],
      ['abort web   # as an approver', undone],
      ['status web   # as a viewer', viewed],
    );
    assert.deepEqual([approved.code, approved.err, undone.code], [0, '', 4]);
    const { items } = (await playground.cluster.api.request({
      method: 'GET',
      path: '/api/v1/namespaces/approver/events',
    })) as { items: { reason: string; message: string }[] };
    const kept = items.find(({ reason }) => reason === 'ApprovalMessage');
    assert.match(kept?.message ?? '', /^system:serviceaccount:approver:approver: step 1 of 3 of web approved: error/);
  });

  it('restores a completed version at once, with an approval', async () => {
    const stage = await Stage.open(playground, 'undoing-now');
    await stage.whole();
    await stage.release('web:v2');
    await stage.waits(1);
    await stage.tranche('finish', 'web');
    await stage.ends('Completed');
    const status = await stage.tranche('status', 'web');
    const editor = ['--kubeconfig', await playground.editor('undoing-now')];
    const stranger = await stage.tranche('undo', 'web', '--now', ...editor);
    const dry = await stage.tranche('undo', 'web', '--now', '--dry-run=server');
    assert.equal(
      (await stage.rollout()).status?.canaryStatus?.approvals?.some(({ step }) => step === 0),
      false,
    );
    const done = await stage.tranche('undo', 'web', '--now');
    assert.equal(await stage.image(), 'web:v1');
    assert.equal((await stage.deployment()).spec.paused, undefined, 'it is not held');
    await stage.ends('Restored');
    const history = await stage.tranche('history', 'web');
    golden(
      'undo-now',
      ['status web   # at rest', status],
      ['undo web --now   # as somebody who may not', stranger],
      ['undo web --now --dry-run=server', dry],
      ['undo web --now', done],
      ['history web', history],
    );
    assert.deepEqual([stranger.code, done.code], [4, 0]);
  });

  it('restores a completed version at once that is on its way in steps', async () => {
    const stage = await Stage.open(playground, 'undoing-steps');
    await stage.whole();
    await stage.release('web:v2');
    await stage.waits(1);
    await stage.tranche('finish', 'web');
    await stage.ends('Completed');
    const undone = await stage.tranche('undo', 'web');
    await stage.waits(1);
    const now = await stage.tranche('undo', 'web', '--now');
    await stage.ends('Restored');
    const again = await stage.tranche('undo', 'web', '--now', '--to-revision', '3');
    await stage.release('web:v3');
    await stage.waits(1);
    const running = await stage.tranche('undo', 'web', '--now', '--to-revision', '4');
    assert.doesNotMatch(running.err, /in steps:/, 'it is released in steps now');
    const ofNew = await stage.tranche('undo', 'web', '--now');
    await stage.ends('RolledBack');
    const unfinished = await stage.tranche('undo', 'web', '--now', '--to-revision', '4');
    assert.match(unfinished.err, /kubectl tranche undo web --to-revision 4 /);
    golden(
      'undo-now-steps',
      ['undo web', undone],
      ['undo web --now', now],
      ['undo web --now --to-revision 3   # which runs', again],
      ['undo web --now --to-revision 4   # which is released', running],
      ['undo web --now   # during the release of a new version', ofNew],
      ['undo web --now --to-revision 4   # which was rolled back', unfinished],
    );
  });

  it('restores a completed version within the rollbackWindow', async () => {
    const window = rollout('within', undefined, { rollbackWindow: { revisions: 1 } });
    const stage = await Stage.open(playground, 'within', { rollout: window });
    await stage.whole();
    await stage.release('web:v2');
    await stage.waits(1);
    await stage.tranche('finish', 'web');
    await stage.ends('Completed');
    const status = await stage.tranche('status', 'web');
    const undone = await stage.tranche('undo', 'web');
    assert.equal((await stage.deployment()).spec.paused, undefined, 'it is not held');
    await stage.ends('Restored');
    golden(
      'undo-window',
      ['status web', status],
      ['undo web', undone],
      ['history web', await stage.tranche('history', 'web')],
    );
  });

  it('says in status what admission says to an approval', async () => {
    const stage = await Stage.open(playground, 'asking');
    await stage.needsTwo('asking');
    await stage.release('web:v2');
    await stage.waits(1);
    const said = async (...who: string[]): Promise<string> => {
      const { out, err } = await stage.tranche('status', 'web', ...who);
      assert.equal(err, '', 'the dry run prints no warnings');
      return out.split('\n').find((line) => line.includes('continue:')) ?? '';
    };
    assert.match(await said(...as('admin')), /\(you may not: approval by the author: Forbidden: "admin" changed/);
    assert.match(await said(...as('eve', 'visitors')), /\(you may not: approval: Forbidden: policy asking does not/);
    assert.match(await said(...as('anna')), /\(you may\)$/);
    assert.equal((await stage.rollout()).status?.canaryStatus?.approvals, undefined, 'nothing is written');
    await stage.tranche('approve', 'web', ...as('anna'));
    assert.match(await said(...as('anna')), /\(you have approved; it needs the approval of others\)$/);
    assert.match(await said(...as('ben')), /\(you may\)$/);
    await playground.cluster.api.request({ method: 'DELETE', path: `${POLICIES}/asking` });
  });

  it('counts the approvals that a policy asks for, and refuses whom it does not let approve', async () => {
    const stage = await Stage.open(playground, 'several');
    await stage.needsTwo('four-eyes');
    await stage.release('web:v2');
    await stage.waits(1);
    const own = await stage.tranche('approve', 'web', ...as('admin'));
    const stranger = await stage.tranche('approve', 'web', ...as('eve', 'visitors'));
    const client = await stage.tranche('approve', 'web', ...as('anna'), '--dry-run=client');
    const server = await stage.tranche('approve', 'web', ...as('anna'), '--dry-run=server');
    const first = await stage.tranche('approve', 'web', ...as('anna'));
    const again = await stage.tranche('approve', 'web', ...as('anna'));
    // At once, and not when the operator writes its next status.
    assert.match((await stage.tranche('status', 'web')).out, /1 of 2 approvals: anna\n/);
    const finish = await stage.tranche('finish', 'web', ...as('anna'));
    const second = await stage.tranche('approve', 'web', ...as('ben'));
    await stage.waits(2);
    const jumped = await stage.tranche('jump', 'web', '3', ...as('ben'));
    await stage.tranche('jump', 'web', '3', ...as('anna'));
    await stage.ends('Completed');
    const history = await stage.tranche('history', 'web');
    await playground.cluster.api.request({ method: 'DELETE', path: `${POLICIES}/four-eyes` });
    golden(
      'several',
      ['approve web   # as the author', own],
      ['approve web   # as somebody else', stranger],
      ['approve web --dry-run=client   # as anna', client],
      ['approve web --dry-run=server   # as anna', server],
      ['approve web   # as anna', first],
      ['approve web   # as anna, again', again],
      ['finish web   # as anna', finish],
      ['approve web   # as ben', second],
      ['jump web 3   # as ben', jumped],
      ['history web', history],
    );
    assert.deepEqual(
      [own, stranger, first, finish, second].map(({ code }) => code),
      [4, 4, 0, 4, 0],
    );
  });

  const podsOf = async (namespace: string): Promise<string[]> => {
    const { items } = (await playground.cluster.api.request({
      method: 'GET',
      path: `/api/v1/namespaces/${namespace}/pods`,
    })) as { items: { metadata: { name: string; deletionTimestamp?: string } }[] };
    return items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.name);
  };
});
