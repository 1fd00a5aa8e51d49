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

{{- define "tranche.image" -}}
{{- $image := .Values.operator.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
