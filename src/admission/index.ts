// The front door of the admission room.
export type { AdmissionDeps, Approval, Decided, KeyPair } from './deps.ts';
export { createAdmissionServer, type AdmissionServer } from './server.ts';
export { askAccess, readersOf } from './access.ts';
export type { PolicyReport } from './policy.ts';
