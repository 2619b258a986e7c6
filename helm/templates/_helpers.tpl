{{- define "casella.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "casella.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "casella.name" .) .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "casella.name" .) | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "casella.selector" -}}
app.kubernetes.io/name: {{ include "casella.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "casella.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "casella.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* metadata of an object: (list $ "suffix of its name" more-labels more-annotations) */ -}}
{{- define "casella.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "casella.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- merge (index . 2 | deepCopy) (include "casella.labels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (index . 3 | deepCopy) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "casella.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "casella.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "casella.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- /* How many pods there are at least. */ -}}
{{- define "casella.replicas" -}}
{{ ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- /* How many there may be. */ -}}
{{- define "casella.maxReplicas" -}}
{{ ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- /* A value as TOML. Scalars and lists of them read as in JSON; helm's own toToml would make floats of whole numbers. */ -}}
{{- define "casella.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }} {{ include "casella.tomlKey" $key }} = {{ include "casella.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "casella.toml" $item }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{- define "casella.tomlKey" -}}
{{ regexMatch "^[A-Za-z0-9_-]+$" . | ternary . (toJson .) }}
{{- end }}

{{- /* What must not be installed. */ -}}
{{- define "casella.validate" -}}
{{- if and .Values.secretKeys .Values.existingSecret.name -}}
{{ fail "secretKeys and existingSecret.name: give one of them." }}
{{- end -}}
{{- $hasKeys := or .Values.secretKeys .Values.existingSecret.name .Values.extraEnv .Values.extraEnvFrom -}}
{{- if and (gt (include "casella.maxReplicas" . | int) 1) .Values.config.servers (not $hasKeys) -}}
{{ fail "Several pods need secretKeys or existingSecret.name, or none opens a session token of another." }}
{{- end -}}
{{- $needed := .Values.config.drain_seconds | default 5 | int | add 30 -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{ printf "terminationGracePeriodSeconds: at least %d, for config.drain_seconds and 25 s, and logging out." $needed | fail }}
{{- end -}}
{{- end }}
