// GRPCRoutes of the Gateway API. They match headers, and have neither paths nor query parameters.
import { GRPC_ROUTES } from '../../api/resources.ts';
import type { RouteMatch } from '../../api/traffic.ts';
import { bothKeys } from './narrow.ts';
import { RouteError, type TrafficProvider } from './provider.ts';

export const grpcRoutes: TrafficProvider = {
  resource: GRPC_ROUTES,
  field: 'gateway.grpcRouteName',
  nameIn: ({ gateway }) => gateway?.grpcRouteName,
  narrow({ matches = [{}] }, wanted) {
    if (wanted.some(({ path, queryParams = [] }) => path !== undefined || queryParams.length > 0)) {
      const reason = 'a GRPCRoute cannot match a path or query parameters';
      throw new RouteError({ about: 'matches', reason, remedy: 'match headers only' });
    }
    return matches.flatMap((match) =>
      wanted.flatMap((one): readonly RouteMatch[] => {
        const headers = bothKeys('header', match.headers, one.headers);
        return headers === undefined ? [] : [{ ...match, ...(headers.length > 0 && { headers }) }];
      }),
    );
  },
};
