{{/* Refuses combinations of values that values.schema.json cannot refuse. */}}
{{- define "tranche.validate" -}}
{{- with .Values -}}
{{- if eq (toString .enabled) "false" -}}
{{- fail "enabled: Invalid value: false: the chart itself does not read this value, only the condition of a parent chart does; add `condition: NAME.enabled` to the dependency, with the name or alias of this chart" -}}
{{- end -}}
{{- if eq (int .webhook.port) (int .metrics.port) -}}
{{- fail (printf "metrics.port: Invalid value: %d: is also webhook.port; write two different ports" (int .metrics.port)) -}}
{{- end -}}
{{- if and (not .operator.enabled) (not .webhook.url) -}}
{{- fail "webhook.url: Required value: with operator.enabled=false there is no Service; write https://HOST:PORT of the program, or set operator.enabled=true" -}}
{{- end -}}
{{- if and .operator.enabled .webhook.url -}}
{{- fail (printf "webhook.url: Invalid value: %q: with operator.enabled=true the certificate is valid for the Service only; remove webhook.url, or set operator.enabled=false" .webhook.url) -}}
{{- end -}}
{{- if and .operator.enabled .drain.enabled (gt (add (int .drain.timeoutSeconds) 30) (int .drain.helmTimeoutSeconds)) -}}
{{- fail (printf "drain.timeoutSeconds: Invalid value: %d: must be at most %d, because helm uninstall waits only %d seconds (drain.helmTimeoutSeconds); for more time, set drain.helmTimeoutSeconds, too, and pass it to helm: helm uninstall --timeout %ds" (int .drain.timeoutSeconds) (sub (int .drain.helmTimeoutSeconds) 30) (int .drain.helmTimeoutSeconds) (add (int .drain.timeoutSeconds) 30)) -}}
{{- end -}}
{{- if and .operator.hostNetwork (or (lt (int .webhook.port) 1024) (lt (int .metrics.port) 1024)) -}}
{{- fail (printf "%s: Invalid value: %d: with operator.hostNetwork the program, which is not root, cannot open a port below 1024; write a higher port" (ternary "webhook.port" "metrics.port" (lt (int .webhook.port) 1024)) (min (int .webhook.port) (int .metrics.port))) -}}
{{- end -}}
{{- if and .webhook.clientVerification.names (not .webhook.clientVerification.configMap) -}}
{{- fail "webhook.clientVerification.configMap: Required value: webhook.clientVerification.names has an effect only with the CA of the client certificates" -}}
{{- end -}}
{{- if and .certificates.certManager.issuerRef (not .certificates.certManager.enabled) -}}
{{- fail "certificates.certManager.issuerRef: Invalid value: has no effect without cert-manager; set certificates.certManager.enabled=true, or remove issuerRef" -}}
{{- end -}}
{{- if and .tracing.headersSecret.name (not .tracing.endpoint) -}}
{{- fail "tracing.endpoint: Required value: tracing.headersSecret has an effect only with the address of a collector" -}}
{{- end -}}
{{- range $arg := .operator.extraArgs -}}
{{- $flag := regexFind "^--[a-z-]+" $arg -}}
{{- if has $flag (list "--namespace" "--webhook-url" "--webhook-service" "--webhook-port" "--webhook-configuration" "--webhook-client-ca" "--webhook-client-names" "--tls-dir" "--tls-secret" "--inject-ca" "--watch-namespaces" "--lease" "--metrics-port" "--log-level" "--warnings" "--approve-verb" "--gateway-api") -}}
{{- fail (printf "operator.extraArgs: Invalid value: %q: the chart sets %s itself; use the value for it (values.yaml)" $arg $flag) -}}
{{- end -}}
{{- end -}}
{{- range $labels := list .operator.podLabels .jobs.podLabels .extraLabels -}}
{{- range $key, $_ := $labels -}}
{{- if has $key (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/managed-by" "app.kubernetes.io/version" "helm.sh/chart") -}}
{{- fail (printf "operator.podLabels, jobs.podLabels, extraLabels: Invalid value: %q: the chart sets this label itself; write a label of your own" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What was left out because the cluster does not have its API, or because helm did not ask the cluster: one line for each. Comments of the
rendered objects and NOTES.txt show it.
*/}}
{{- define "tranche.leftOut" -}}
{{- $group := "admissionregistration.k8s.io" -}}
{{- range $policy := list
  (dict "value" "guard" "in" "tranche.guarded" "kind" "ValidatingAdmissionPolicy" "since" "1.30" "versions" (list "v1"))
  (dict "value" "hold" "in" "tranche.mutatingPolicyVersion" "kind" "MutatingAdmissionPolicy" "since" "1.34" "versions" (list "v1" "v1beta1")) -}}
{{- if and (ne (toString (get $.Values.admissionPolicies .value)) "false") (not (include .in $)) }}
Left out: admissionPolicies.{{ .value }}. Helm did not find {{ .kind }} in {{ $group }}/{{ join " or " .versions }} (Kubernetes {{ .since }} or newer). If your cluster has it, render with --api-versions={{ $group }}/{{ .versions | first }}/{{ .kind }}, or add it to the value apiVersions.
{{- end -}}
{{- end -}}
{{- end -}}
