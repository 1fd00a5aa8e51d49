// Our chart with the program inside the cluster, as the API server sees it: every object is valid and known to the last field.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { theCluster } from '../harness/session.ts';

const chart = fileURLToPath(new URL('../../../charts/tranche', import.meta.url));

describe('the chart with the program inside the cluster', () => {
  it('is accepted by the API server without a warning', async () => {
    const { client } = theCluster();
    // Under names of its own, beside the one that runs outside; all but the CRD, which there is only once.
    const only = ['operator', 'rbac', 'rbac-users', 'serviceaccount', 'webhooks'];
    const templates = only.flatMap((name) => ['--show-only', `templates/${name}.yaml`]);
    const input = await client.helm(['template', 'inside-tranche', chart, '-n', 'tranche-system', ...templates]);
    const args = ['apply', '--dry-run=server', '--validate=strict', '-n', 'tranche-system', '-f', '-'];
    const { code, stdout, stderr } = await client.attempt('kubectl', args, { input });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^deployment\.apps\/inside-tranche created \(server dry run\)$/m);
    assert.equal(stderr, '');
  });
});
