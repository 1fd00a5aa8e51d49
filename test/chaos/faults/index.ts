// Every fault, those that take longest first, so that lanes end together.
import type { Fault } from '../fault.ts';
import { apiServerKilled, apiServerSlow } from './api-server.ts';

export const faults: readonly Fault[] = [apiServerKilled, apiServerSlow];
