{{/* The name that everything of a release starts with: the release's own where it says "tranche" already. */}}
{{- define "tranche.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tranche.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "tranche.fullname" .) -}}
{{- end -}}

{{/* The Service that the API server calls. */}}
{{- define "tranche.webhookService" -}}
{{- printf "%s-webhook" (include "tranche.fullname" .) -}}
{{- end -}}

{{/* The Secret that holds the CA and the serving certificate, shared by the replicas. */}}
{{- define "tranche.tlsSecret" -}}
{{- printf "%s-tls" (include "tranche.fullname" .) -}}
{{- end -}}

{{/* The name of the mutating and of the validating webhook configuration. */}}
{{- define "tranche.webhookConfiguration" -}}
{{- include "tranche.fullname" . -}}
{{- end -}}

{{- define "tranche.lease" -}}
{{- include "tranche.fullname" . -}}
{{- end -}}

{{- define "tranche.selectorLabels" -}}
app.kubernetes.io/name: tranche
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of what does one thing and ends: never those that the Service selects by. Takes (dict "root" $ "what" "drain"). */}}
{{- define "tranche.taskLabels" -}}
app.kubernetes.io/name: tranche-{{ .what }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tranche.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tranche.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Where the API server finds us: a Service, or webhook.url when the program runs outside the cluster.
Takes (dict "root" $ "path" "/mutate"). The caBundle is left out: the program puts it in, and helm upgrade must not take it away.
*/}}
{{- define "tranche.clientConfig" -}}
{{- if .root.Values.webhook.url -}}
url: {{ printf "%s%s" (trimSuffix "/" .root.Values.webhook.url) .path | quote }}
{{- else -}}
service:
  name: {{ include "tranche.webhookService" .root }}
  namespace: {{ .root.Release.Namespace }}
  port: 443
  path: {{ .path }}
{{- end -}}
{{- end -}}

{{/* On whatever has a caBundle: cert-manager puts it in. */}}
{{- define "tranche.caAnnotation" -}}
{{- if .Values.certificates.certManager.enabled -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "tranche.fullname" . }}
{{- end -}}
{{- end -}}

{{/* How every Pod of ours runs: Pod Security "restricted". */}}
{{- define "tranche.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "tranche.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where our Pods may run, and with what. */}}
{{- define "tranche.placement" -}}
{{- with .Values.operator.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.operator.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tranche.image" -}}
{{- $image := .Values.operator.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The container's variables for OpenTelemetry. Values of resource attributes are percent-encoded, as they have to be. */}}
{{- define "tranche.tracing" -}}
{{- with .Values.tracing -}}
{{- if .endpoint -}}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }} }
- { name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio }
- { name: OTEL_TRACES_SAMPLER_ARG, value: {{ .samplingRatio | quote }} }
{{- if .headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: { name: {{ .headersSecret.name }}, key: {{ .headersSecret.key }} }
{{- end }}
{{- with .resourceAttributes }}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $key ($value | urlquery | replace "+" "%20")) }}
{{- end }}
- { name: OTEL_RESOURCE_ATTRIBUTES, value: {{ join "," $pairs | quote }} }
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tranche.collectorPort" -}}
{{- $url := urlParse .Values.tracing.endpoint -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
