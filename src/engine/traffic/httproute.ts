// HTTPRoutes of the Gateway API.
import { HTTP_ROUTES } from '../../api/resources.ts';
import type { HttpMatch, RouteMatch } from '../../api/traffic.ts';
import { bothKeys, bothPaths } from './narrow.ts';
import type { TrafficProvider } from './provider.ts';

export const httpRoutes: TrafficProvider = {
  resource: HTTP_ROUTES,
  field: 'gateway.httpRouteName',
  nameIn: ({ gateway }) => gateway?.httpRouteName,
  narrow: ({ matches = [{}] }, wanted) => matches.flatMap((match) => wanted.flatMap((one) => both(match, one) ?? [])),
};

function both(match: RouteMatch, wanted: HttpMatch): RouteMatch | undefined {
  const path = bothPaths(match.path, wanted.path);
  const headers = bothKeys('header', match.headers, wanted.headers);
  const queryParams = bothKeys('query parameter', match.queryParams, wanted.queryParams);
  if (path === undefined || headers === undefined || queryParams === undefined) return undefined;
  return {
    ...match,
    path,
    ...(headers.length > 0 && { headers }),
    ...(queryParams.length > 0 && { queryParams }),
  };
}
