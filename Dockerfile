# syntax=docker/dockerfile:1
# The program alone: no tests and production dependencies only. Without its folder, npm leaves out the workspace `sandbox`, and what only it needs.
# It is JavaScript, so one build serves every platform.
FROM --platform=$BUILDPLATFORM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY tools/build tools/build
# As `npm run build`. What runs there is the image's own Node, not the one that npm brings for development.
RUN npx tsc -p tsconfig.build.json && npx tsc -p src/dashboard/tsconfig.build.json && node tools/build/page.ts dist && \
    node tools/build/validators.ts dist && npm prune --omit=dev --no-audit --no-fund
# Types and source maps are half of what is left, and nothing reads them.
RUN find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete
# `tranche` on PATH, for `kubectl exec`: there is neither a shell nor an env in the image.
RUN printf '#!/nodejs/bin/node\nimport("/app/dist/main.js");\n' > tranche && chmod 755 tranche

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
# Two heaps of malloc for all threads: each of V8's and libuv's would else have one of its own, and keep what it once took. And what is larger
# than 128 KiB stays outside of them: once such a piece was freed, the next would come from within, and leave a hole (docs/reports/performance.md).
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/tranche /usr/local/bin/tranche
COPY LICENSE ./
USER 65532:65532
EXPOSE 9443 8080
# Most of what is read lives for a moment: a small nursery for it halves the memory and costs no time (docs/reports/performance.md). And the program
# collects garbage when it comes to rest (docs/adr/0035-garbage-at-rest.md).
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=8", "--expose-gc", "/app/dist/main.js"]
