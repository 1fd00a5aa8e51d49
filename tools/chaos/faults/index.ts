// All faults, longest first, so that parallel lanes end at about the same time.
import type { Fault, Run } from '../fault.ts';
import { apiServerKilled, apiServerSlow } from './api-server.ts';
import { certificates, crdDeletedFault, webhooksDeleted } from './installation.ts';
import { killedAtCalls, leaderKilled } from './kills.ts';
import { clocks, twoLeaders } from './leadership.ts';
import { busyClient, everythingAtOnce, fullQueue } from './load.ts';
import { apiServerCut, leaderCut, webhooksCut } from './network.ts';
import { killedAtTraffic } from './traffic.ts';

export const faults: readonly Fault[] = [
  killedAtTraffic,
  killedAtCalls,
  apiServerCut,
  webhooksCut,
  leaderKilled,
  everythingAtOnce,
  apiServerKilled,
  twoLeaders,
  leaderCut,
  fullQueue,
  certificates,
  apiServerSlow,
  clocks,
  crdDeletedFault,
  webhooksDeleted,
  busyClient,
];

const shortRuns = (...of: readonly Fault[]): Run[] => of.flatMap(({ runs }) => runs.filter(({ short }) => short));

/** For `make test`: quick faults of each group, on three clusters in parallel. */
export const shortFaults: readonly Fault[] = [
  {
    name: 'short-operator',
    title: 'the leader killed, its lease deleted, clocks that jump',
    stage: { clock: true, tapped: true },
    client: false,
    runs: shortRuns(leaderKilled, twoLeaders, clocks),
  },
  {
    name: 'short-cluster',
    title: 'the API server killed, networks cut, certificates deleted, many releases at once',
    stage: { nodes: 8 },
    client: false,
    runs: shortRuns(apiServerKilled, apiServerCut, webhooksCut, certificates, fullQueue),
  },
  {
    ...killedAtTraffic,
    name: 'short-calls',
    title: 'kill -9 of the operator before and after one of its API calls, also with a route',
    runs: shortRuns(killedAtCalls, killedAtTraffic),
  },
];
