// The resources that a gateway reads.
import { SERVICES as CORE_SERVICES, type Resource } from '../../../src/api/resources.ts';

const GATEWAY_API = 'gateway.networking.k8s.io/v1';

export const HTTP_ROUTES: Resource = { apiVersion: GATEWAY_API, kind: 'HTTPRoute', plural: 'httproutes' };
export const GRPC_ROUTES: Resource = { apiVersion: GATEWAY_API, kind: 'GRPCRoute', plural: 'grpcroutes' };
export const SERVICES = CORE_SERVICES;
export const SLICES: Resource = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', plural: 'endpointslices' };
