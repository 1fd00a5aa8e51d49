// `kubectl tranche doctor`: what is wrong, and the one command that mends it. It needs nothing of ours to be running.
import { plural } from '../../engine/lib/text.ts';
import type { Run } from '../cli.ts';
import { EXIT } from '../exit.ts';
import { isTable, parseFormat, printData } from '../output.ts';
import { oneLine } from '../paint.ts';
import { attempt, FORBIDDEN, NOT_CHECKED } from '../doctor/attempt.ts';
import { checkDeployments } from '../doctor/deployments.ts';
import { checkInstallation } from '../doctor/installation.ts';
import type { Finding } from '../doctor/finding.ts';

const SIGNS = { ok: ['green', '✓'], note: ['yellow', '-'], problem: ['red', '✗'] } as const;

export function doctor(flags: { systemNamespace?: string; output?: string }): Run {
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  return async (context) => {
    const { io, paint } = context;
    const cluster = await context.cluster();
    const {
      findings: installation,
      alive,
      webhooks,
    } = await checkInstallation(cluster, context, flags.systemNamespace);
    const findings: Finding[] = [...installation];
    const deployments = await attempt(findings, `Deployments and Rollouts in namespace ${cluster.namespace}`, () =>
      checkDeployments(cluster, alive, webhooks),
    );
    if (deployments !== FORBIDDEN) findings.push(...deployments);
    const problems = findings.filter(({ level }) => level === 'problem').length;
    if (!isTable(format)) await printData(context, format, findings);
    else {
      for (const { level, what, mend } of findings) {
        const [colour, sign] = SIGNS[level];
        io.out(`${paint(colour, sign)} ${oneLine(what)}\n${mend === undefined ? '' : `    ${paint('bold', mend)}\n`}`);
      }
      const unseen = findings.some(({ what }) => what.endsWith(NOT_CHECKED));
      const fine = unseen ? 'nothing is wrong in what you may see' : 'nothing is wrong';
      io.out(`\n${problems === 0 ? fine : plural(problems, 'problem')}\n`);
    }
    return problems === 0 ? EXIT.done : EXIT.failed;
  };
}
