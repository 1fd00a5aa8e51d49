// The commands that the doctor prints are for the cluster that its flags select, and for the program that the user runs.
import assert from 'node:assert/strict';
import { fitted } from '../../src/cli/doctor/remedy.ts';
import { invocationOf } from '../../src/cli/invocation.ts';

describe('a command of the doctor', () => {
  const flags = { color: true };
  const plugin = { invocation: 'kubectl tranche', flags };
  const elsewhere = {
    ...flags,
    kubeconfig: 'my config',
    context: 'prod',
    user: 'anna',
    as: 'root',
    asGroup: ['a', 'b'],
    insecureSkipTlsVerify: true,
    token: 'secret',
    namespace: 'shop',
  };

  it('is as it is without flags', () => {
    for (const command of [
      'kubectl tranche takeover web -n a',
      'kubectl delete crd x',
      'helm upgrade tranche .',
      'make run',
    ])
      assert.equal(fitted(command, plugin), command);
  });

  it('has the flags for the cluster, in the words of its program, and never the token', () => {
    const more =
      "--kubeconfig 'my config' --context prod --user anna --as root --as-group a --as-group b --insecure-skip-tls-verify";
    const fit = (command: string) => fitted(command, { ...plugin, flags: elsewhere });
    assert.equal(fit('kubectl delete crd x'), `kubectl delete crd x ${more}`);
    assert.equal(fit('kubectl tranche retry web -n a'), `kubectl tranche retry web -n a ${more}`);
    assert.equal(
      fit('helm upgrade tranche .'),
      "helm upgrade tranche . --kubeconfig 'my config' --kube-context prod --kube-as-user root --kube-as-group a --kube-as-group b --kube-insecure-skip-tls-verify",
    );
    assert.equal(fit('make run WEBHOOK_URL=https://a'), "make run WEBHOOK_URL=https://a KUBECONFIG='my config'");
  });

  it('runs the plugin as the user runs it', () => {
    const node = { invocation: 'node dist/cli/main.js', flags: { ...flags, context: 'prod' } };
    assert.equal(fitted('kubectl tranche retry web', node), 'node dist/cli/main.js retry web --context prod');
    assert.equal(fitted('kubectl get pods', node), 'kubectl get pods --context prod');
  });
});

describe('the plugin', () => {
  it('knows how it is run', () => {
    const main = `${process.cwd()}/dist/cli/main.js`;
    const invocation = (script: string, found: readonly string[] = []) =>
      invocationOf(script, { PATH: '/usr/bin::/home/anna/bin' }, (file) => found.includes(file));
    assert.equal(invocation('/usr/local/bin/kubectl-tranche'), 'kubectl tranche');
    assert.equal(invocation('/usr/local/bin/tranche'), 'tranche');
    assert.equal(invocation(main), 'node dist/cli/main.js');
    // A script on the PATH that runs this file.
    assert.equal(invocation(main, ['/home/anna/bin/kubectl-tranche']), 'kubectl tranche');
    assert.equal(
      invocationOf(main, {}, () => true),
      'node dist/cli/main.js',
    );
  });
});
