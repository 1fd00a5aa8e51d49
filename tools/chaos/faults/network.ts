// Faults of the network: between the program and the API server, and between the API server and the webhooks.
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Run } from '../fault.ts';
import type { Stage } from '../stage.ts';
import type { Cut, Wire } from '../wire.ts';
import { inBatch } from './leadership.ts';

const CUTS: readonly (readonly [how: Cut, seconds: number])[] = [
  ['silence', 60],
  ['refuse', 60],
  ['reset', 60],
  ['silence', 15],
  ['refuse', 15],
  ['reset', 5],
  ['silence', 5],
  ['refuse', 1],
  ['silence', 1],
];
const WORDS: Readonly<Record<Cut, string>> = { silence: 'silence', refuse: 'refused', reset: 'reset' };

async function whileCut(stage: Stage, wires: readonly Wire[], how: Cut, seconds: number): Promise<void> {
  await stage.trouble(async () => {
    for (const wire of wires) wire.cut(how);
    await pause(seconds * 1000);
    for (const wire of wires) await wire.heal();
  });
}

const cutOff = ([how, seconds]: (typeof CUTS)[number], short = false): Run => ({
  what: `${WORDS[how]} for ${seconds} s`,
  short,
  async play(stage, recovered) {
    const subject = await stage.subject();
    await subject.release('v2');
    await subject.stands(1);
    await subject.approve();
    await subject.moves(2);
    await whileCut(
      stage,
      stage.replicas.map(({ wire }) => wire),
      how,
      seconds,
    );
    recovered(await subject.stands(2));
    await subject.toEnd('v2');
  },
});

export const apiServerCut: Fault = {
  name: 'network-operator-api-server',
  title: 'network cut between all replicas and the API server during a batch: silence, refused, reset; 1 to 60 s',
  runs: [cutOff(['reset', 1], true), ...CUTS.map((cut) => cutOff(cut))],
};

/** Cuts off the leader only. Another replica becomes the leader before it is back. */
const partition = (how: Cut, seconds: number): Run => ({
  what: `the leader: ${WORDS[how]} for ${seconds} s`,
  async play(stage, recovered) {
    const { subject, leader } = await inBatch(stage);
    leader.wire.cut(how);
    // The recovery time starts here.
    const healing = pause(seconds * 1000).then(() => leader.wire.heal());
    recovered(await subject.stands(2));
    await healing;
    await subject.toEnd('v2');
  },
});

export const leaderCut: Fault = {
  name: 'network-leader',
  title: 'network cut between the leader and the API server; the standby takes over',
  runs: [partition('silence', 40), partition('refuse', 40), partition('reset', 5)],
};

/** The user's edits are refused (they fail closed). The current release continues, and approvals by status work. */
const webhookCut = ([how, seconds]: (typeof CUTS)[number], short = false): Run => ({
  what: `${WORDS[how]} for ${seconds} s`,
  short,
  async play(stage, recovered) {
    const subject = await stage.subject();
    const other = await stage.subject();
    await subject.release('v2');
    await subject.stands(1);
    await stage.persist('the approval', () => subject.approve());
    await whileCut(stage, [stage.toWebhooks], how, seconds);
    recovered(await stage.persist('an edit', () => other.release('v2')));
    await subject.toEnd('v2');
    await other.toEnd('v2');
  },
});

export const webhooksCut: Fault = {
  name: 'network-api-server-webhook',
  title: 'network cut between the API server and the webhooks: silence, refused, reset; 1 to 60 s',
  runs: [webhookCut(['refuse', 1], true), ...CUTS.filter(([, seconds]) => seconds !== 5).map((cut) => webhookCut(cut))],
};
