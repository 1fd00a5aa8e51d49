{{/* Prefix of the names of all objects: the release name if it contains "tranche", otherwise with "-tranche" appended. */}}
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

{{/* Service of the webhooks. */}}
{{- define "tranche.webhookService" -}}
{{- printf "%s-webhook" (include "tranche.fullname" .) -}}
{{- end -}}

{{/* Secret with the CA and the serving certificate, shared by the replicas. */}}
{{- define "tranche.tlsSecret" -}}
{{- printf "%s-tls" (include "tranche.fullname" .) -}}
{{- end -}}

{{/* Name of the mutating and the validating webhook configuration. */}}
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

{{/* Labels of Jobs and their Pods. They differ from the labels that the Service selects. Takes (dict "root" $ "what" "drain"). */}}
{{- define "tranche.taskLabels" -}}
app.kubernetes.io/name: tranche-{{ .what }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* With jobs.podLabels, for Pods. */}}
{{- define "tranche.taskPodLabels" -}}
{{ include "tranche.taskLabels" . }}
{{- with .root.Values.jobs.podLabels }}
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
Address of the webhooks: a Service, or webhook.url if the program runs outside the cluster. Takes (dict "root" $ "path" "/mutate").
It has no caBundle: the certificates Job sets it, and helm upgrade must not remove it.
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

{{/* Annotation for objects with a caBundle, which cert-manager sets. */}}
{{- define "tranche.caAnnotation" -}}
{{- if .Values.certificates.certManager.enabled -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "tranche.fullname" . }}
{{- end -}}
{{- end -}}

{{- define "tranche.podSecurity" -}}
{{- toYaml .Values.operator.podSecurityContext -}}
{{- end -}}

{{- define "tranche.containerSecurity" -}}
{{- toYaml .Values.operator.containerSecurityContext -}}
{{- end -}}

{{/* Scheduling and image pull secrets of all Pods. */}}
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

{{/* Environment variables for OpenTelemetry. OpenTelemetry requires percent-encoded values of resource attributes. */}}
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

{{/*
"true" if the cluster has an API: {{ if include "tranche.has" (list $ "GROUP/VERSION/KIND") }}. The cluster is asked, or, where a rendering
does not ask it, --api-versions and the value apiVersions tell.
*/}}
{{- define "tranche.has" -}}
{{- $root := first . -}}
{{- $api := last . -}}
{{- if or ($root.Capabilities.APIVersions.Has $api) (has $api $root.Values.apiVersions) -}}
true
{{- end -}}
{{- end -}}
