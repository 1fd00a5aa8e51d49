// What the demo says besides commands and their output. Pure.
import { quote } from '../e2e/harness/client.ts';
import type { Step } from './walkthrough.ts';

export const invitation = (programs: string, kubeconfig: string): string =>
  [
    'To look on, or to play along, in another window:',
    '',
    `  export PATH=${quote(programs)}:"$PATH"`,
    `  export KUBECONFIG=${quote(kubeconfig)}`,
    '  kubectl tranche list --watch',
    '',
    'There you may approve, pause, resume or abort: the demo says so and goes on (docs/cli.md lists the commands).',
  ].join('\n');

export const titleOf = (number: number, { title }: Step): string => `${number}. ${title}`;

export const afterStep = ({ guide }: Step, isKept: boolean): string =>
  isKept ? `✓ as described in ${guide}` : `– somebody played along; ${guide} describes what happens otherwise`;

export const atTheEnd = (kept: number, steps: number): string =>
  kept === steps
    ? `All ${steps} steps went as the documentation describes them.`
    : `${kept} of ${steps} steps went as the documentation describes them. In the others, somebody played along.`;
